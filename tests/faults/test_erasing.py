"""The database fails, or the process dies, at every call of an erasure: half of it is never there.

Half would be an event that says content is gone while it is there, content that is gone while no
event says so, or a fork that still says what its source has forgotten.
"""

import gc
import shutil
import signal
from functools import partial

import pytest

from eventstore import ConversationStore, Erasure
from eventstore.testing.faults import Faults, die, failing
from tests.concurrency.schedules import Child, outcome
from tests.storage.lives import ask

CALLS_MAX = 200
WORD = "blackbird"
LONG = "and sings " * 4_000
"""Stands in a table of its own."""


@pytest.fixture
def faults():
    return Faults()


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
    told = ask(path, "SELECT stream, count(*) FROM events WHERE type = 'ContentErased' GROUP BY 1")
    gone = ask(path, "SELECT stream, count(*) FROM events WHERE commitment IS NOT NULL GROUP BY 1")
    there = "SELECT count(*) FROM events WHERE instr(content, ?) > 0"
    apart = "SELECT count(*) FROM blobs WHERE instr(content, ?) > 0"
    left = [*ask(path, there, WORD), *ask(path, apart, WORD)]
    labels = ask(path, "SELECT count(*) FROM labels WHERE label IS NOT NULL")
    digests = ask(path, "SELECT count(*) FROM idempotency_keys WHERE length(digest) > 0")
    done = bool(told)
    assert sorted(count for _, count in told) == ([1, 1] if done else [])
    assert sorted(count for _, count in gone) == ([1, 3] if done else [])
    assert (left, labels, digests) == (
        ([(0,), (0,)], [(0,)], [(0,)]) if done else ([(2,), (2,)], [(1,)], [(1,)])
    )
    return done


def certificate(store, thread, said):
    """Erase; None if that failed."""
    told = outcome(partial(store.audit.erase, thread, said))
    return told if isinstance(told, Erasure) else None


@pytest.mark.parametrize(("when", "code"), [("before", "SQLITE_BUSY"), ("after", "SQLITE_IOERR")])
def test_a_call_that_fails_leaves_no_half(tmp_path, begun, when, code):
    place, thread, said = begun
    made, calls, wiping = None, [], 0
    for n in range(1, CALLS_MAX):
        path, faults = tmp_path / f"{n}.db", Faults()
        shutil.copy(place, path)
        with ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args) as store:
            with faults.at(n, failing(code), when=when) as calls:
                made = certificate(store, thread, said)
            committed = "COMMIT" in calls[: n if when == "after" else n - 1]
            if n <= len(calls):
                assert is_done(path) is committed, calls[n - 1]
            if n <= len(calls) and "COMMIT" in calls[: n - 1]:
                wiping += 1
                assert made is not None
                assert made.pending, calls[n - 1]
                assert "write-ahead log" in made.remains[0]
            if made is None and when == "after":
                gc.collect()  # the statement that was struck, which would still read the log
            again = store.audit.erase(thread, said)
            assert (again.pending, len(again.erased)) == (False, 4)
            assert is_done(path)
            assert store.projections.compare().findings == ()
        if n > len(calls):
            break
    assert 20 < n < CALLS_MAX
    assert made is not None
    assert wiping, "what fails after the commit is told of"


def test_killed_after_every_call_it_is_done_wholly_or_not_at_all(tmp_path, begun):
    """Killed before a call, the file is what it was after the call before it."""
    place, thread, said = begun
    told, done = tmp_path / "told", []

    def dies(path, n):
        faults = Faults()

        def act():
            store = ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args)
            with faults.at(n, die, when="after") as calls:
                store.audit.erase(thread, said)
            told.write_text("\n".join(calls))

        return Child(act).wait() == -signal.SIGKILL

    for n in range(1, CALLS_MAX):
        path = tmp_path / f"{n}.db"
        shutil.copy(place, path)
        died = dies(path, n)
        with ConversationStore.open(f"sqlite:///{path}") as store:
            done.append(is_done(path))
            assert store.projections.compare().findings == ()
            assert store.messages.get(thread, said).erased is done[-1]
            store.audit.erase(thread, said)
            assert is_done(path)
        if not died:
            break
    calls = told.read_text().split("\n")
    first = calls.index("COMMIT")
    assert done == [False] * first + [True] * (len(calls) + 1 - first)
