"""The database fails, or the process dies, at each kind of call of an erasure: never half of it.

Half would be an event that says content is gone while it can be read, content that is gone while no
event says so, or a fork that still says what its source has forgotten. What is listed to go, and
cannot be read, goes when the store is opened again, or with any later erasure.
"""

import gc
import shutil
import signal
import sqlite3
from contextlib import closing
from functools import partial

import pytest

from eventstore import ConversationStore, Erasure
from eventstore.testing.faults import Faults, die, failing
from tests.concurrency.schedules import Child, outcome
from tests.faults.choosing import by_kind, by_trace

WORD = "blackbird"
LONG = "and sings " * 4_000
"""Stands in a table of its own."""


@pytest.fixture
def begun(tmp_path):
    """A closed file with a message, and a fork that says something about it."""
    place = tmp_path / "begun.db"
    with ConversationStore.open(f"sqlite:///{place}") as store:
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", content=WORD, idempotency_key="k")
        store.messages.amend(thread, said.id, content=f"{WORD}, amended {LONG}")
        store.branches.label(thread, said.id, WORD)
        fork = store.threads.fork(thread).id
        store.messages.amend(fork, said.id, content=f"{WORD} in the fork {LONG}")
    return place, thread, said.id


def state_of(path):
    """Look with SQL alone how far an erasure is: not "begun", "listed" or "done"; else it fails."""
    with closing(sqlite3.connect(path)) as file:

        def ask(sql, *parameters):
            return file.execute(sql, parameters).fetchall()

        told = ask("SELECT count(*) FROM events WHERE type = 'ContentErased' GROUP BY stream")
        [(gone,)] = ask("SELECT count(*) FROM events WHERE commitment IS NOT NULL")
        [(left,)] = ask("SELECT count(*) FROM events WHERE instr(content, ?) > 0", WORD)
        [(apart,)] = ask("SELECT count(*) FROM blobs WHERE instr(content, ?) > 0", WORD)
        [(labels,)] = ask("SELECT count(*) FROM labels WHERE label IS NOT NULL")
        [(digests,)] = ask("SELECT count(*) FROM idempotency_keys WHERE length(digest) > 0")
        [(listed,)] = ask("SELECT count(*) FROM erasing")
    if not told:
        assert (gone, left, apart, labels, digests, listed) == (0, 2, 2, 1, 1, 0)
        return "begun"
    assert told == [(1,), (1,)]
    assert gone + left + apart == 4
    assert labels == 0
    if listed:
        assert left + apart > 0
        return "listed"
    assert (left, apart, digests) == (0, 0, 0)
    return "done"


def can_be_read(store, thread):
    """Whether anybody can still read the words, in the thread or in its fork."""
    found = [event.content for event in store.events.read_all() if event.content]
    past = [store.replay.state(thread, at_version=version).messages for version in (2, 3, 4)]
    shown = [one.text for messages in past for one in messages]
    return WORD in str(found) or WORD in str(shown)


def certificate(store, thread, said):
    """Erase; None if that failed."""
    told = outcome(partial(store.privacy.erase, thread, said))
    return told if isinstance(told, Erasure) else None


@pytest.fixture
def calls(begun, tmp_path):
    """The calls that an erasure makes when nothing strikes."""
    place, thread, said = begun
    path, faults = tmp_path / "whole.db", Faults()
    shutil.copy(place, path)
    with ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args) as store:
        with faults.watched() as made:
            assert certificate(store, thread, said) is not None
        assert state_of(path) == "done"
    assert made.count("COMMIT") == 3, "what goes is listed, then goes from either thread"
    return made


@pytest.mark.parametrize(("when", "code"), [("before", "SQLITE_BUSY"), ("after", "SQLITE_IOERR")])
def test_a_call_that_fails_leaves_no_half(tmp_path, begun, calls, when, code):
    place, thread, said = begun
    struck = by_kind(calls) if when == "before" else by_trace(calls)
    commit = calls.index("COMMIT") + 1
    last = len(calls) - calls[::-1].index("COMMIT")
    assert {commit, commit + 1} < set(struck)
    states = set()
    for n in {*struck, last - 1, last, last + 1}:
        path, faults = tmp_path / f"{n}.db", Faults()
        shutil.copy(place, path)
        with ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args) as store:
            with faults.at(n, failing(code), when=when) as met:
                made = certificate(store, thread, said)
            assert met[:n] == calls[:n]
            state = state_of(path)
            states.add(state)
            assert (state != "begun") is (n > commit or (n == commit and when == "after")), met
            assert store.messages.get(thread, said).erased is (state != "begun")
            assert can_be_read(store, thread) is (state == "begun")
            if n > last and calls[n - 1].startswith("PRAGMA"):
                assert made is not None
                assert made.pending, met[n - 1]
                assert "write-ahead log" in made.remains[0]
            if made is None and when == "after":
                gc.collect(1)  # the statement that was struck, which would still read the log
            again = store.privacy.erase(thread, said)
            assert (again.pending, len(again.erased)) == (False, 4)
            assert state_of(path) == "done"
            assert store.projections.compare().findings == ()
    assert states == {"begun", "listed", "done"}


def test_killed_after_a_call_it_is_never_half_done_and_finished_when_opened_again(
    tmp_path, begun, calls
):
    """Killed before a call, the file is what it was after the call before it."""
    place, thread, said = begun

    def dies(path, n):
        faults = Faults()

        def act():
            store = ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args)
            with faults.at(n, die, when="after"):
                store.privacy.erase(thread, said)

        return Child(act).wait() == -signal.SIGKILL

    last, commit, found = len(calls), calls.index("COMMIT") + 1, {}
    commits = [n for n, call in enumerate(calls, 1) if call == "COMMIT"]
    for n in {*by_trace(calls), *commits, last + 1}:
        path = tmp_path / f"{n}.db"
        shutil.copy(place, path)
        assert dies(path, n) is (n <= last)
        found[n] = state_of(path)
        with ConversationStore.open(f"sqlite:///{path}") as store:
            assert state_of(path) == ("begun" if n < commit else "done")
            assert store.projections.compare().findings == ()
            assert store.messages.get(thread, said).erased is (n >= commit)
            assert WORD not in str(path.with_name(f"{path.name}-wal").read_bytes()) or n < commit
            store.privacy.erase(thread, said)
            assert state_of(path) == "done"
    assert {commit, commit + 1} < set(found)
    expected = {
        n: "begun" if n < commit else "listed" if n < commits[-1] else "done" for n in found
    }
    assert found == expected
