"""Whoever reads a thread first folds a bounded number of events: writers left snapshots.

Each reader here is a store that was opened for it, as in another process.
"""

import logging
from functools import partial
from unittest.mock import patch

import pytest
from sqlalchemy import create_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.threads import folding, leaving
from tests.concurrency.schedules import at_once
from tests.conftest import LONG
from tests.costs.test_snapshots import (
    amend,
    hide,
    label,
    rename,
    retitle,
    switch,
    update_run,
)
from tests.effort import events_decoded

MOST, SPAN, COUNTS = (1_000, 4_096, (2_000, 20_000)) if LONG else (10, 40, (50, 170))
"""With ``LAWS=long`` those of the library, and lives as long as that."""
ROWS = 15
"""More than the events that hold the words of a few messages, and than their rows."""
BOUND = SPAN + MOST + 2 * ROWS
COUNT = "SELECT count(*) FROM snapshots"


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(folding, "EVENTS_MAX", MOST)
    monkeypatch.setattr(leaving, "SPAN", SPAN)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/chat.db"


def few(store):
    """A thread of three messages, and the messages."""
    thread = store.threads.create(title="before", metadata={"is": "old"}).id
    said = [store.messages.create(thread, role="user", content="asked").id]
    said.append(store.messages.create(thread, role="assistant", content="one").id)
    said.append(store.messages.regenerate(thread, said[1], content="another").id)
    store.runs.create(thread)
    return thread, said


def first_read(url, thread, version, effort):
    """How many events the first reader in another process decodes, and the steps of SQLite."""
    with ConversationStore.open(url) as other:
        read = partial(other.replay.state, thread, at_version=version)
        made = []
        events = events_decoded(lambda: made.append(effort(read)))
        return events, made[0].steps


def grown(url, act, count):
    """Let a thread of a few messages live through many acts; return it and its last version."""
    with ConversationStore.open(url) as store:
        thread, said = few(store)
        for n in range(count):
            act(store, thread, said, n)
        store.threads.create()  # writes the snapshots that wait
        return thread, store.threads.get(thread).version


def asked_of(last):
    """The first and the last versions, some in between, and those around a multiple."""
    multiple = last // SPAN * SPAN
    around = [multiple - 1, multiple + MOST] if multiple else []
    return [one for one in {3, last // 2, last, *around} if 0 < one <= last]


@pytest.mark.parametrize("act", [label, rename, switch])
def test_at_every_version_the_first_reader_folds_no_more_than_the_bound(url, act, effort):
    counts = []
    for count in COUNTS:
        thread, last = grown(url, act, count)
        read = [first_read(url, thread, version, effort) for version in asked_of(last)]
        assert max(events for events, _ in read) <= BOUND
        counts.append(max(steps for _, steps in read))
    assert counts[1] <= 60 * BOUND, "steps of SQLite: some thirty for each event, and no more"


def test_the_first_reader_of_the_last_steps_folds_no_more_either(url):
    with ConversationStore.open(url) as store:
        thread, said = few(store)
        for n in range(COUNTS[1]):
            switch(store, thread, said, n)
        store.threads.create()
    with ConversationStore.open(url) as other:
        steps = partial(other.replay.steps, thread, after=COUNTS[1])
        assert events_decoded(lambda: list(steps())) <= BOUND + 2 * 5


def test_without_snapshots_of_writers_it_folds_everything(url):
    """So the test above would fail."""
    with ConversationStore.open(url) as store, patch.object(leaving, "passes", lambda *_: False):
        thread, said = few(store)
        for n in range(COUNTS[1]):
            switch(store, thread, said, n)
        store.threads.create()
    with ConversationStore.open(url) as other:
        assert events_decoded(other.replay.state, thread) == COUNTS[1] + 5 > BOUND


async def test_tasks_leave_them_too(url):
    async with AsyncConversationStore.open(url) as store:
        thread = (await store.threads.create()).id
        for n in range(COUNTS[1]):
            await store.threads.update(thread, title=str(n))
        await store.threads.create()
    with ConversationStore.open(url) as other:
        assert events_decoded(other.replay.state, thread) <= BOUND


def test_so_it_is_for_a_request_of_many_commands(url):
    with ConversationStore.open(url) as store:
        thread, said = few(store)
        with store.threads.batch(thread) as batch:
            for n in range(2 * SPAN):  # three times as many are more than a batch takes
                batch.messages.amend(said[0], content=str(n))
    with ConversationStore.open(url) as other:
        assert events_decoded(other.replay.state, thread) <= BOUND


def test_a_fork_goes_on_from_what_its_source_left(url):
    """And so does a fork of that: each thread on the way adds the bound at most."""
    with ConversationStore.open(url) as store:
        source, said = few(store)
        for n in range(3 * SPAN):
            switch(store, source, said, n)
        forks = [store.threads.fork(source).id, store.threads.fork(source, at_version=2 * SPAN).id]
        for _ in range(3):
            for n in range(SPAN // 2):
                store.threads.update(forks[-1], title=str(n))
            forks.append(store.threads.fork(forks[-1]).id)
        store.threads.create()
    decoded = []
    for fork in forks:
        with ConversationStore.open(url) as other:
            decoded.append(events_decoded(other.replay.state, fork))
            told = other.replay.state(fork).value()
            assert told == [*other.replay.steps(fork)][-1].state.value()
            other.scope.log.snapshots.waiting.clear()  # it leaves nothing to the next one
    assert max(decoded[:2]) <= BOUND
    assert max(decoded) <= BOUND + 3 * (SPAN // 2 + ROWS)


def test_a_long_conversation_has_none_and_asks_for_few_rows(url, effort):
    with ConversationStore.open(url) as store:
        thread = store.threads.create().id
        efforts = []
        for n in range(6 * SPAN):
            taken = effort(store.messages.create, thread, role="user", content="x").steps
            if (n + 2) % SPAN == 0:
                efforts.append(taken)
        assert efforts[-1] <= efforts[0] * 1.1 + 30
        store.threads.create()
        assert events_decoded(store.replay.state, thread) == 6 * SPAN + 1


def test_one_of_many_writers_takes_each(url, monkeypatch):
    took = []
    leave = leaving.leave_snapshots

    def seen(tx, log, stream, version):
        took.append(version)
        leave(tx, log, stream, version)

    monkeypatch.setattr(leaving, "leave_snapshots", seen)
    with ConversationStore.open(url) as store, ConversationStore.open(url) as beside:
        thread, _ = few(store)

        def write(number):
            for n in range(SPAN):
                (store, beside)[number % 2].threads.update(thread, title=f"{number} {n}")

        at_once(4, write)
        assert sorted(took) == [SPAN, 2 * SPAN, 3 * SPAN, 4 * SPAN]
        assert store.audit.verify().findings == ()
    with ConversationStore.open(url) as other:
        assert events_decoded(other.replay.state, thread) <= BOUND


def test_through_a_connection_of_the_application_none_is_taken(url):
    engine = create_engine(url)
    with ConversationStore.open(url) as store, patch.object(leaving, "leave_snapshots") as leave:
        thread = store.threads.create().id
        with engine.begin() as connection:
            for n in range(SPAN):
                store.threads.update(thread, title=str(n), connection=connection)
        assert leave.call_count == 0
        for n in range(SPAN):
            store.threads.update(thread, title=str(n))
        assert leave.call_count == 1
    engine.dispose()


def test_an_error_while_one_is_taken_is_logged_and_the_append_stays(url, caplog):
    with ConversationStore.open(url) as store:
        thread, said = few(store)
        with (
            caplog.at_level(logging.WARNING),
            patch.object(leaving, "fold_thread", side_effect=LookupError("damaged")),
        ):
            for n in range(SPAN):
                switch(store, thread, said, n)
        [told] = caplog.records
        assert (told.name, thread in told.getMessage()) == ("eventstore.threads", True)
        counters = store.counters()
        assert (counters.failed, counters.unknown) == (0, 0)
        for n in range(SPAN):
            switch(store, thread, said, n)
        store.threads.create()
    with ConversationStore.open(url) as other:
        assert events_decoded(other.replay.state, thread) <= BOUND


def test_an_interrupt_while_one_is_taken_leaves_the_append(url):
    with ConversationStore.open(url) as store:
        thread, _ = few(store)
        for n in range(SPAN - 6):
            store.threads.update(thread, title=str(n))

        def pass_it(key):
            return store.threads.update(thread, title="passes", idempotency_key=key)

        with (
            patch.object(leaving, "fold_thread", side_effect=KeyboardInterrupt),
            pytest.raises(KeyboardInterrupt),
        ):
            pass_it("first")
        version = store.threads.get(thread).version
        assert version == SPAN
        assert pass_it("first").version == version, "its key answers, and nothing is appended"
        assert store.threads.get(thread).version == version


@pytest.mark.parametrize("act", [amend, retitle, hide, update_run])
def test_neighbours_are_compared_without_reading_all_that_ever_happened_to_a_thing(url, act):
    decoded = []
    for count in COUNTS:
        thread, last = grown(url, act, count)
        with ConversationStore.open(url) as other:
            read = partial(other.replay.diff, thread, from_version=last - 1)
            decoded.append(events_decoded(read))
            changes = read().changes
            assert [one.before != one.after for one in changes] == [True] * len(changes) != []
    assert decoded[1] <= 2 * SPAN, "two moments: each is folded, or a few events are read"


def test_a_state_that_may_be_too_large_to_be_kept_is_left_to_readers(url, monkeypatch):
    """Else it would be folded again and again: nothing that is due would ever be taken."""
    monkeypatch.setattr(leaving, "ROWS_MAX", 3)
    with ConversationStore.open(url) as store, patch.object(leaving, "fold_thread") as fold:
        thread, said = few(store)
        for n in range(SPAN):
            switch(store, thread, said, n)
        assert fold.call_count == 0


@pytest.mark.parametrize("act", [amend, retitle])
def test_what_a_source_changed_before_and_after_a_fork_is_not_read_one_by_one(url, act):
    with ConversationStore.open(url) as store:
        thread, said = few(store)
        for n in range(COUNTS[1]):
            act(store, thread, said, n)
        fork = store.threads.fork(thread, at_message=said[0]).id
        told = store.threads.get(fork), store.messages.list(fork).data
        act(store, thread, said, -1)
        store.threads.update(thread, metadata={"is": "new"})
    with ConversationStore.open(url) as other:
        read = partial(other.messages.list, fork) if act is amend else other.threads.get
        given = () if act is amend else (fork,)
        assert events_decoded(read, *given) <= BOUND
        assert (other.threads.get(fork), other.messages.list(fork).data) == told
