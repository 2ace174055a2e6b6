"""The database fails, or the process dies, at each kind of call of an erasure: never half of it.

Half would be an event that says content is gone while it is there, content that is gone while no
event says so, or a fork that still says what its source has forgotten.
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


def is_done(path):
    """Look with SQL alone whether an erasure happened as a whole; half of one fails."""
    with closing(sqlite3.connect(path)) as file:

        def ask(sql, *parameters):
            return file.execute(sql, parameters).fetchall()

        told = ask("SELECT count(*) FROM events WHERE type = 'ContentErased' GROUP BY stream")
        gone = ask("SELECT count(*) FROM events WHERE commitment IS NOT NULL GROUP BY stream")
        left = ask("SELECT count(*) FROM events WHERE instr(content, ?) > 0", WORD)
        apart = ask("SELECT count(*) FROM blobs WHERE instr(content, ?) > 0", WORD)
        labels = ask("SELECT count(*) FROM labels WHERE label IS NOT NULL")
        digests = ask("SELECT count(*) FROM idempotency_keys WHERE length(digest) > 0")
    done = bool(told)
    assert sorted(told) == ([(1,), (1,)] if done else [])
    assert sorted(gone) == ([(1,), (3,)] if done else [])
    assert (left, apart, labels, digests) == (
        ([(0,)], [(0,)], [(0,)], [(0,)]) if done else ([(2,)], [(2,)], [(1,)], [(1,)])
    )
    return done


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
        assert is_done(path)
    assert made.count("COMMIT") == 1
    return made


@pytest.mark.parametrize(("when", "code"), [("before", "SQLITE_BUSY"), ("after", "SQLITE_IOERR")])
def test_a_call_that_fails_leaves_no_half(tmp_path, begun, calls, when, code):
    place, thread, said = begun
    struck, commit = by_kind(calls), calls.index("COMMIT") + 1
    assert {commit - 1, commit, commit + 1} < set(struck)
    for n in struck:
        path, faults = tmp_path / f"{n}.db", Faults()
        shutil.copy(place, path)
        with ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args) as store:
            with faults.at(n, failing(code), when=when) as met:
                made = certificate(store, thread, said)
            assert met[:n] == calls[:n]
            assert is_done(path) is (n > commit or (n == commit and when == "after")), met[n - 1]
            if n > commit:
                assert made is not None
                assert made.pending, met[n - 1]
                assert "write-ahead log" in made.remains[0]
            if made is None and when == "after":
                gc.collect()  # the statement that was struck, which would still read the log
            again = store.privacy.erase(thread, said)
            assert (again.pending, len(again.erased)) == (False, 4)
            assert is_done(path)
            assert store.projections.compare().findings == ()


def test_killed_after_a_call_it_is_done_wholly_or_not_at_all(tmp_path, begun, calls):
    """Killed before a call, the file is what it was after the call before it."""
    place, thread, said = begun

    def dies(path, n):
        faults = Faults()

        def act():
            store = ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args)
            with faults.at(n, die, when="after"):
                store.privacy.erase(thread, said)

        return Child(act).wait() == -signal.SIGKILL

    last, done = len(calls), {}
    for n in [*by_trace(calls), last + 1]:
        path = tmp_path / f"{n}.db"
        shutil.copy(place, path)
        assert dies(path, n) is (n <= last)
        with ConversationStore.open(f"sqlite:///{path}") as store:
            done[n] = is_done(path)
            assert store.projections.compare().findings == ()
            assert store.messages.get(thread, said).erased is done[n]
            store.privacy.erase(thread, said)
            assert is_done(path)
    commit = calls.index("COMMIT") + 1
    assert {commit - 1, commit, commit + 1} < set(done)
    assert done == {n: n >= commit for n in done}
