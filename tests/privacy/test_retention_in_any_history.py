"""Retention takes what a model of ages and forks says, also when it was interrupted."""

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore, ConversationStoreError, Environment
from eventstore.testing.faults import Faults, failing
from tests.laws.examples import of_a_law
from tests.storage.lives import NOON

DAY_US = 86_400_000_000
OLD = 10
"""Days after which a thread is due; what happened exactly so long ago is not."""

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "fork", "fork", "say", "archive", "delete", "run"]),
        st.integers(0, 20),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)


class Lived:
    """A thread as the model knows it."""

    def __init__(self, thread_id, source, now):
        self.id = thread_id
        self.source = source
        self.last = now
        self.busy = False


class World(NamedTuple):
    """A store, its clock, and what the model knows of its threads, in order of creation."""

    store: ConversationStore
    clock: list[int]
    threads: list[Lived]


def live(world, steps):
    store, clock, threads = world
    for kind, which, days in steps:
        clock[0] += days * DAY_US
        one = threads[which % len(threads)] if threads else None
        new = kind == "begin" or one is None
        if new:
            one = Lived(store.threads.create(title="words").id, None, clock[0])
            threads.append(one)
        with suppress(ConversationStoreError):  # of a deleted thread nothing more is asked
            act(world, "say" if new else kind, one)


def act(world, kind, one):
    store, clock, threads = world
    if kind == "fork":
        threads.append(Lived(store.threads.fork(one.id).id, one, clock[0]))
        return
    if kind == "say":
        store.messages.create(one.id, role="user", content="words", on_busy="interrupt")
        one.busy = False
    elif kind == "run":
        store.runs.create(one.id)
        one.busy = True
    else:
        before = store.threads.get(one.id).version
        (store.threads.archive if kind == "archive" else store.threads.delete)(one.id)
        if store.threads.get(one.id, include_deleted=True).version == before:
            return  # it was archived before
    one.last = clock[0]


def below(threads, one):
    children = [other for other in threads if other.source is one]
    return children + [more for child in children for more in below(threads, child)]


def foreseen(threads, cutoff, action):
    """The threads that go, by their ids: the newest first, as forks are newer than their source."""
    gone = set()
    for one in reversed(threads):
        forks = below(threads, one)
        if one.last >= cutoff or any(fork.last >= cutoff for fork in forks):
            continue
        if action == "purge" and (one.busy or any(fork.id not in gone for fork in forks)):
            continue
        gone.add(one.id)
    return gone


@of_a_law
@given(
    steps=STEPS,
    wait=st.integers(0, 2 * OLD),
    action=st.sampled_from(["erase", "purge"]),
    strike=st.integers(1, 120),
)
def test_what_is_old_goes_and_nothing_else_though_it_was_interrupted(steps, wait, action, strike):
    clock, faults = [NOON], Faults()
    environment = Environment(lambda: clock[0], os.urandom)
    with (
        tempfile.TemporaryDirectory() as place,
        ConversationStore.open(
            f"sqlite:///{place}/chat.db", environment=environment, connect_args=faults.connect_args
        ) as store,
    ):
        threads: list[Lived] = []
        live(World(store, clock, threads), steps)
        clock[0] += wait * DAY_US
        gone = foreseen(threads, clock[0] - OLD * DAY_US, action)

        def retain(**options):
            old = timedelta(days=OLD)
            report = store.privacy.retain(older_than=old, action=action, **options)
            return {one.thread_id: one.outcome for one in report.threads}

        if action == "erase":  # a look knows nothing of what would be refused
            ahead = retain(dry_run=True)
            assert {one for one, outcome in ahead.items() if outcome == "due"} == gone
        with suppress(ConversationStoreError), faults.at(strike, failing("SQLITE_IOERR")):
            retain()
        done = retain()
        assert "due" not in done.values()
        again = retain()
        assert set(again.values()) <= {"kept"}
        assert gone.isdisjoint(again)
        for one in threads:
            assert is_gone(store, one, action) == (one.id in gone), one.id
        assert store.projections.compare().findings == ()
        assert store.audit.verify().findings == ()


def is_gone(store, one, action):
    if action == "purge":
        return all(
            thread.id != one.id for thread in store.threads.list(include_deleted=True).iter()
        )
    own = [event for event in store.events.read(one.id) if event.type != "ContentErased"]
    assert len({event.content is None for event in own if event.type == "MessageAdded"}) <= 1
    return [*store.events.read(one.id)][-1].type == "ContentErased"
