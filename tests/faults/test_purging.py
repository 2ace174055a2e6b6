"""The database fails, or the process dies, at every call of a purge: all of it, or nothing."""

import gc
import json
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from eventstore import ConversationStore, OutcomeUnknown, Refused, StoreUnavailable, ThreadNotFound
from eventstore.api.operations.operation import Maintenance
from eventstore.testing.faults import Faults, die, failing
from tests.concurrency.schedules import SECONDS, Child, Gate, outcome, thread, until_queued
from tests.conformance.purging import talk, texts

CALLS_MAX = 150


LONG = "two, " * 8_000
"""Stands in a table of its own."""


def with_a_fork(store):
    source, (first, _) = talk(store, "one", LONG, title="T")
    store.messages.amend(source, first, content="first")
    return source, store.threads.fork(source).id


def purge(store, source):
    return store.privacy.purge(source, forks="purge", reason="asked to")


def is_gone(store, source, fork):
    """Whether the purge happened; it must have happened wholly or not at all."""
    events = list(store.events.read_all())
    gone = [event.data["thread_id"] for event in events if event.type == "ThreadPurged"]
    assert gone in ([], [fork, source]), "half of it"
    left = {event.stream_id for event in events} & {source, fork}
    assert left == (set() if gone else {source, fork}), "half of it"
    assert len(list(store.threads.list())) == (0 if gone else 2)
    told = [event for event in events if (event.content or {}).get("parts") == [LONG]]
    assert len(told) == (0 if gone else 1)
    if not gone:
        assert texts(store, fork) == texts(store, source) == ["first", LONG]
    assert store.projections.compare().findings == ()
    return bool(gone)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_that_fails_leaves_all_or_nothing(tmp_path, when):
    faults, url = Faults(), f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url, connect_args=faults.connect_args) as opened:
        for n in range(1, CALLS_MAX):
            store = opened.tenant(f"round {n}")
            source, fork = with_a_fork(store)
            with faults.at(n, failing("SQLITE_IOERR"), when=when) as calls:
                told = outcome(partial(purge, store, source))
            if len(calls) < n:
                break
            commit = calls.index("COMMIT") + 1 if "COMMIT" in calls else n + 1
            if n > commit:
                assert "write-ahead log" in told.remains[0]
                assert told.pending
            else:
                committed = n == commit
                assert isinstance(told, OutcomeUnknown if committed else StoreUnavailable), calls
                told = None  # and with it the statement that was struck, which reads the log
                gc.collect()
                assert is_gone(store, source, fork) is (committed and when == "after")
            again = purge(store, source)
            assert (again.thread_id, again.pending) == (source, False)
            assert is_gone(store, source, fork)
        assert 20 < n < CALLS_MAX


def purged_in_a_child(path, source, n, told):
    """Purge in a child that dies after its n-th call; return whether it died."""

    def act():
        faults = Faults()
        store = ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args)
        with faults.at(n, die, when="after") as calls:
            made = purge(store, source)
        told.write_text(json.dumps([made.hash, calls]))

    return Child(act).wait() == -signal.SIGKILL


def test_killed_in_the_middle_of_a_purge_it_happened_wholly_or_not_at_all(tmp_path):
    """Every fourth call, and those around COMMIT; the errors above strike at each."""
    place, told = tmp_path / "begun.db", tmp_path / "told"
    with ConversationStore.open(f"sqlite:///{place}") as store:
        source, fork = with_a_fork(store)
    shutil.copy(place, tmp_path / "whole.db")
    assert not purged_in_a_child(tmp_path / "whole.db", source, CALLS_MAX, told)
    acknowledged, calls = json.loads(told.read_text())
    last, commit = len(calls), calls.index("COMMIT") + 1
    for n in sorted({*range(1, commit, 4), commit - 2, commit - 1, commit, last}):
        path = tmp_path / f"{n}.db"
        shutil.copy(place, path)
        assert purged_in_a_child(path, source, n, told)
        with ConversationStore.open(f"sqlite:///{path}") as store:
            assert is_gone(store, source, fork) is (n >= commit)
            assert purge(store, source).hash == acknowledged
            assert is_gone(store, source, fork)


def in_one_commit(store, acts):
    """Act in this order, in one transaction; return what came of each."""
    executor, gate = store._executor, Gate()  # noqa: SLF001 (to know what waits)
    with (
        thread(executor.write, Maintenance(lambda _: gate())),
        ThreadPoolExecutor(len(acts)) as pool,
    ):
        gate.wait()
        made = []
        for act in acts:
            made.append(pool.submit(outcome, act))
            until_queued(executor._writer, len(made))  # noqa: SLF001
        gate.open()
        return [one.result(SECONDS) for one in made]


def test_a_purge_that_is_refused_does_no_harm_to_those_it_shares_a_commit_with(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        source, fork = with_a_fork(store)
        acts = [
            partial(store.messages.create, source, role="user", content="three"),
            partial(store.privacy.purge, source),
            partial(store.messages.create, fork, role="user", content="mine"),
        ]
        said, refused, mine = in_one_commit(store, acts)
        assert isinstance(refused, Refused)
        assert (said.text, mine.text) == ("three", "mine")
        assert texts(store, source) == ["first", LONG, "three"]
        assert texts(store, fork) == ["first", LONG, "mine"]


def test_requests_of_one_commit_see_that_the_thread_is_gone(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        source, fork = with_a_fork(store)
        acts = [
            partial(store.messages.create, source, role="user", content="three"),
            partial(purge, store, source),
            partial(store.messages.create, source, role="user", content="four"),
            partial(store.threads.create, thread_id=source),
            partial(store.messages.create, fork, role="user", content="mine"),
        ]
        said, gone, late, again, read = in_one_commit(store, acts)
        assert (said.version, gone.version) == (5, 5)
        assert type(late) is type(read) is ThreadNotFound
        assert again.reason == "thread_purged"
        assert store.projections.compare().findings == ()
