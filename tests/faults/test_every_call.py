"""The database fails, or the process dies, at every call of one append, before and after.

The calls are counted first, so a call that is added to an append is tested without a new test.
"""

import json
import os
import shutil
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from eventstore import (
    ConversationStore,
    OutcomeUnknown,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.api.operations.operation import Maintenance
from eventstore.testing.faults import Faults, die, failing, filled
from tests.concurrency.schedules import SECONDS, Child, Gate, outcome, thread, until_queued

resource = pytest.importorskip("resource", reason="these tests fork and limit file sizes")

CALLS_MAX = 100


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def store(tmp_path, faults):
    with ConversationStore.open(
        f"sqlite:///{tmp_path}/chat.db", connect_args=faults.connect_args
    ) as opened:
        yield opened


def say(store, thread_id, text, **options):
    return store.messages.create(thread_id, role="user", content=text, **options)


def texts(store, thread_id):
    return [message.text for message in store.messages.list(thread_id)]


def assert_unlocked(path):
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.close()


def assert_whole(path):
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


TOLD = {
    ("SQLITE_BUSY", False): (StoreBusy, None),
    ("SQLITE_BUSY", True): (StoreBusy, None),
    ("SQLITE_FULL", False): (StoreUnavailable, "disk_full"),
    ("SQLITE_FULL", True): (StoreUnavailable, "disk_full"),
    ("SQLITE_IOERR", False): (StoreUnavailable, "io_error"),
    ("SQLITE_IOERR", True): (OutcomeUnknown, None),
    ("SQLITE_CORRUPT", False): (StoreUnavailable, "corrupt"),
    ("SQLITE_CORRUPT", True): (StoreUnavailable, "corrupt"),
}
"""What the caller is told, by the code and whether it struck the COMMIT."""


@pytest.mark.parametrize("code", ["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CORRUPT"])
def test_a_call_that_fails_leaves_nothing_and_the_store_goes_on(store, faults, tmp_path, code):
    thread_id = store.threads.create().id
    written: list[str] = []
    told: Any = None
    for n in range(1, CALLS_MAX):
        append = partial(say, store, thread_id, "struck", idempotency_key=f"k{n}")
        with faults.at(n, failing(code)) as calls:
            told = outcome(append)
        if len(calls) < n:
            break
        error, reason = TOLD[code, calls[n - 1] == "COMMIT"]
        assert type(told) is error, calls[n - 1]
        assert getattr(told, "reason", None) == reason
        assert isinstance(getattr(told, "__cause__", None), sqlite3.Error)
        assert texts(store, thread_id) == written, "something was left behind"
        written.append(f"after {n}")
        say(store, thread_id, f"after {n}")
        assert_unlocked(tmp_path / "chat.db")
    assert 8 < n < CALLS_MAX, "an append makes more calls than that"
    assert told.text == "struck"
    assert texts(store, thread_id) == [*written, "struck"]
    assert store.projections.compare().findings == ()
    versions = [event.version for event in store.events.read(thread_id)]
    assert versions == list(range(1, len(versions) + 1))


@pytest.mark.parametrize("code", ["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR"])
def test_a_call_that_fails_once_it_was_done_is_never_believed_and_never_repeated(
    store, faults, code
):
    """After COMMIT the write is there: OutcomeUnknown; before it, nothing is."""
    thread_id = store.threads.create().id
    for n in range(1, CALLS_MAX):
        append = partial(say, store, thread_id, str(n), idempotency_key=f"k{n}")
        with faults.at(n, failing(code), when="after") as calls:
            told = outcome(append)
        if len(calls) < n:
            break
        there = str(n) in texts(store, thread_id)
        assert there is (calls[n - 1] == "COMMIT")
        assert isinstance(told, OutcomeUnknown) is there
        again = append()
        assert texts(store, thread_id).count(str(n)) == 1, "the key was not recognised"
        assert again.text == str(n)
    assert store.projections.compare().findings == ()


@pytest.mark.parametrize("failing_too", ["nothing", "ROLLBACK"])
def test_a_failed_append_does_not_keep_the_lock(store, faults, tmp_path, failing_too):
    """A connection that cannot even roll back is closed, which lets go of everything."""
    thread_id = store.threads.create().id

    def chosen(statement):
        return "INSERT" in statement or statement == failing_too

    with faults.each(chosen, failing("SQLITE_IOERR")):
        told = outcome(lambda: say(store, thread_id, "never"))
    assert isinstance(told, StoreUnavailable)
    assert_unlocked(tmp_path / "chat.db")
    say(store, thread_id, "after")
    assert texts(store, thread_id) == ["after"]


def test_in_memory_a_failed_rollback_is_made_up_for(faults):
    with ConversationStore.open("sqlite://", connect_args=faults.connect_args) as store:
        thread_id = store.threads.create().id
        with faults.each(
            lambda statement: "INSERT" in statement or statement == "ROLLBACK",
            failing("SQLITE_IOERR"),
        ):
            told = outcome(lambda: say(store, thread_id, "never"))
        assert isinstance(told, StoreUnavailable)
        assert texts(store, thread_id) == []
        say(store, thread_id, "after")
        assert texts(store, thread_id) == ["after"]


def test_the_others_of_a_batch_that_failed_are_unharmed(store, faults):
    """One of five is struck when they are written together, in its half, and again alone."""
    thread_id = store.threads.create().id
    executor = store._executor  # noqa: SLF001 (to know what is being performed, and what waits)
    connections = executor._connections  # noqa: SLF001
    perform, performed = connections._perform, []  # noqa: SLF001

    def watching(tx, requests, patient):
        performed.append(requests)
        return perform(tx, requests, patient)

    connections._perform = watching  # noqa: SLF001

    def chosen(statement):
        return "INSERT" in statement and "struck" in str(performed[-1])

    gate = Gate()
    with thread(executor.write, Maintenance(lambda _: gate())):
        gate.wait()
        names = ["a", "b", "struck", "c", "d"]
        with ThreadPoolExecutor(len(names)) as pool, faults.each(chosen, failing("SQLITE_FULL")):
            told = [
                pool.submit(outcome, lambda name=name: say(store, thread_id, name))
                for name in names
            ]
            until_queued(executor._writer, len(names))  # noqa: SLF001
            gate.open()
            answers = [one.result(SECONDS) for one in told]
    assert [len(requests) for requests in performed] == [1, 5, 2, 3, 1, 2]
    assert isinstance(answers.pop(2), StoreUnavailable)
    assert [message.text for message in answers] == ["a", "b", "c", "d"]
    assert sorted(texts(store, thread_id)) == ["a", "b", "c", "d"]
    assert store.projections.compare().findings == ()


# -- SQLite's own failures -------------------------------------------------------------------------


def test_a_database_that_is_really_full_says_so_and_goes_on_once_there_is_room(store, faults):
    thread_id = store.threads.create().id
    kept: list[str] = []
    told: Any = None
    writing = faults.connections[0]
    with filled(writing):
        for n in range(2_000):
            told = outcome(partial(say, store, thread_id, f"{n} " + "x" * 500))
            if isinstance(told, Exception):
                break
            kept.append(told.text)
    assert isinstance(told, StoreUnavailable)
    assert told.reason == "disk_full"
    assert getattr(told.__cause__, "sqlite_errorname", None) == "SQLITE_FULL"
    assert texts(store, thread_id) == kept
    say(store, thread_id, "room again")
    assert texts(store, thread_id) == [*kept, "room again"]
    assert store.projections.compare().findings == ()


def test_injected_errors_look_like_sqlites_own(tmp_path):
    connection = sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None)
    other = sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.Error) as real:
        connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.Error) as injected:
        failing("SQLITE_BUSY")()
    assert type(real.value) is type(injected.value)
    assert str(real.value) == str(injected.value)
    assert vars(real.value) == vars(injected.value)
    connection.close()
    other.close()


# -- death -----------------------------------------------------------------------------------------


@pytest.fixture
def begun(tmp_path):
    """A closed file with a thread and one message: each death starts from a copy of it."""
    place = tmp_path / "begun.db"
    with ConversationStore.open(f"sqlite:///{place}") as store:
        thread_id = store.threads.create().id
        say(store, thread_id, "before")
    return place, thread_id


def dies(path, thread_id, n, when, told):
    """Append in a child that dies at its n-th call, and return whether it died.

    If it did not, it writes down the id that it was told, and the calls.
    """
    faults = Faults()

    def act():
        store = ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args)
        with faults.at(n, die, when=when) as calls:
            made = say(store, thread_id, "new", idempotency_key="k")
        told.write_text(json.dumps([made.id, calls]))

    return Child(act).wait() == -signal.SIGKILL


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_call_of_an_append_it_is_there_wholly_or_not_at_all(tmp_path, begun, when):
    place, thread_id = begun
    told = tmp_path / "told"
    there: list[bool] = []
    calls: list[str] = []
    for n in range(1, CALLS_MAX):
        path = tmp_path / f"{n}.db"
        shutil.copy(place, path)
        died = dies(path, thread_id, n, when, told)
        with ConversationStore.open(f"sqlite:///{path}") as store:
            found = texts(store, thread_id)
            assert found in (["before"], ["before", "new"]), "half of it"
            assert store.projections.compare().findings == ()
            assert [e.version for e in store.events.read(thread_id)] == [*range(1, len(found) + 2)]
            there.append("new" in found)
            again = say(store, thread_id, "new", idempotency_key="k")
            assert texts(store, thread_id) == ["before", "new"], "the retry was not recognised"
            assert again.version == 3
            if not died:
                acknowledged, calls = json.loads(told.read_text())
                assert again.id == acknowledged, "acknowledged and lost"
        assert_whole(path)
        if not died:
            break
    assert calls[-1] == "COMMIT"
    assert len(there) == len(calls) + 1 > 8
    assert there == [False] * (len(calls) - 1) + [when == "after", True]


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "failing"])
def test_stopped_at_any_byte_that_commit_writes_it_is_there_wholly_or_not_at_all(
    tmp_path, begun, killed
):
    """The kernel stops the write of the log at a limit of the file's size, in the middle of COMMIT.

    By a signal that kills, or by an error that SQLite reports as SQLITE_IOERR.
    """
    place, thread_id = begun
    outcomes: set[int] = set()
    for limit in range(0, 40_000, 1_500):
        path = tmp_path / f"{limit}.db"
        shutil.copy(place, path)

        def act(path=path, limit=limit):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if killed else signal.SIG_IGN)
            store = ConversationStore.open(f"sqlite:///{path}")
            say(store, thread_id, "second")  # the log is there and open
            wal = Path(f"{path}-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (wal + limit, resource.RLIM_INFINITY))
            told = outcome(lambda: say(store, thread_id, "new", idempotency_key="k"))
            resource.setrlimit(
                resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
            )
            if isinstance(told, Exception):
                assert isinstance(told, OutcomeUnknown | StoreUnavailable), told
                assert not isinstance(told, StoreUnavailable) or told.reason in {
                    "io_error",
                    "disk_full",
                }
                say(store, thread_id, "new", idempotency_key="k")
            assert texts(store, thread_id) == ["before", "second", "new"]
            os._exit(10 if isinstance(told, Exception) else 11)

        code = Child(act).wait()
        outcomes.add(code)
        assert code in ({-signal.SIGXFSZ, 11} if killed else {10, 11})
        with ConversationStore.open(f"sqlite:///{path}") as store:
            found = texts(store, thread_id)
            if code == -signal.SIGXFSZ:
                assert found in (["before", "second"], ["before", "second", "new"])
                say(store, thread_id, "new", idempotency_key="k")
            assert texts(store, thread_id) == ["before", "second", "new"]
            assert store.projections.compare().findings == ()
        assert_whole(path)
        if code == 11:
            break
    assert len(outcomes) == 2, "the limit was never met, or always"
