"""What a purge leaves in a file, read by somebody who has only the file."""

import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore
from eventstore.read_models import MessageSearch
from eventstore.threads import folding
from tests.conformance.purging import talk
from tests.storage.lives import ask, full_life
from tests.storage.tables_of_threads import OF_THREADS

SECRET = "nobody may ever read this"


@pytest.fixture
def store(path):
    with ConversationStore.open(f"sqlite:///{path}") as opened:
        yield opened


def columns_of_threads(path):
    """Every table and column that holds the id of a thread or stream."""
    for (table,) in ask(path, "SELECT name FROM sqlite_master WHERE type = 'table'"):
        names = [row[1] for row in ask(path, f"PRAGMA table_info({table})")]
        yield from ((table, name) for name in names if name in {"thread", "stream"})


def found_in(path):
    """The files in which the words stand."""
    files = sorted(path.parent.glob(f"{path.name}*"))
    return [file.name for file in files if SECRET.encode() in file.read_bytes()]


def left_of(path, thread):
    key = bytes.fromhex(thread.removeprefix("thread_"))
    found = columns_of_threads(path)
    return {
        table for table, name in found if ask(path, f"SELECT 1 FROM {table} WHERE {name} = ?", key)
    }


def test_nothing_is_left_in_any_table(store, path, monkeypatch):
    one, fork, second = full_life(store)
    monkeypatch.setattr(folding, "EVENTS_MAX", 3)
    monkeypatch.setattr(folding, "size_of", lambda _: 0)
    for thread in (one, fork, second):
        store.replay.state(thread)  # leaves snapshots, which the next write takes along
    store.threads.create()
    written = {"events", "streams", "idempotency_keys"} | OF_THREADS
    assert left_of(path, one) >= written - {"tombstones", "leases"}  # a run is held in no purge
    store.privacy.purge(one, forks="purge")
    for thread in (one, fork, second):
        assert left_of(path, thread) == {"tombstones"}
    assert ask(path, "SELECT count(*) FROM purging") == [(0,)]


def test_the_words_are_gone_from_the_file(store, path):
    """Pages are overwritten when they are freed, and the write-ahead log is cut off."""
    thread, _ = talk(store, SECRET, title=SECRET, metadata={"user": SECRET})
    fork = store.threads.fork(thread).id
    store.messages.create(fork, role="user", content=f"{SECRET}, in the fork")
    assert found_in(path)
    made = store.privacy.purge(thread, forks="purge")
    assert (made.pending, made.remains) == (False, ())
    assert found_in(path) == []


def test_a_reader_keeps_them_in_the_log_and_asking_again_finishes_it(store, path):
    thread, _ = talk(store, SECRET)
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM events").fetchone()
        made = store.privacy.purge(thread)
        assert made.pending
        assert "write-ahead log" in made.remains[0]
        assert found_in(path) == [f"{path.name}-wal"]
    again = store.privacy.purge(thread)
    assert again == made.model_copy(update={"pending": False, "remains": ()})
    assert found_in(path) == []


def test_a_projection_that_has_not_heard_of_it_is_named(store, path):
    store.projections.register(MessageSearch())
    thread, _ = talk(store, SECRET)
    store.projections.catch_up()
    made = store.privacy.purge(thread)
    assert (made.pending, made.remains) == (
        True,
        ("the projection search, until it has caught up",),
    )
    store.projections.catch_up()
    assert store.privacy.purge(thread).remains == ()
    assert found_in(path) == []


def test_events_are_not_deleted_by_hand_before_or_after(store, path):
    thread, _ = talk(store, "one")
    talk(store, "two")
    store.privacy.purge(thread)
    with (
        closing(sqlite3.connect(path)) as database,
        pytest.raises(sqlite3.IntegrityError, match="never deleted"),
    ):
        database.execute("DELETE FROM events")
