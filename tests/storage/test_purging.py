"""What a purge leaves in a file, read by somebody who has only the file."""

import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore
from tests.conformance.purging import talk, texts
from tests.laws.purging import everything, known_in
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


def left_of(path, thread):
    key = bytes.fromhex(thread.removeprefix("thread_"))
    found = columns_of_threads(path)
    return {
        table for table, name in found if ask(path, f"SELECT 1 FROM {table} WHERE {name} = ?", key)
    }


def test_nothing_is_left_in_any_table(store, path):
    one, fork, second = full_life(store)
    written = {"events", "streams", "idempotency_keys"} | OF_THREADS
    assert left_of(path, one) >= written - {"copies", "tombstones"}
    for thread in (one, fork, second):
        store.audit.purge(thread, forks="copy")
        assert left_of(path, thread) == {"tombstones"}
    assert ask(path, "SELECT count(*) FROM purging") == [(0,)]


def test_the_copies_go_with_the_fork(store, path):
    thread, _ = talk(store, "one")
    fork = store.threads.fork(thread).id
    store.audit.purge(thread, forks="copy")
    assert "copies" in left_of(path, fork)
    store.audit.purge(fork)
    assert left_of(path, fork) == {"tombstones"}


def test_the_words_are_gone_from_the_file(store, path):
    """Pages are overwritten when they are freed, and the write-ahead log when it is reset."""
    thread, _ = talk(store, SECRET, title=SECRET, metadata={"user": SECRET})
    store.audit.purge(thread)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert SECRET.encode() not in path.read_bytes()


def test_events_are_not_deleted_by_hand_before_or_after(store, path):
    thread, _ = talk(store, "one")
    talk(store, "two")
    store.audit.purge(thread)
    with (
        closing(sqlite3.connect(path)) as database,
        pytest.raises(sqlite3.IntegrityError, match="never deleted"),
    ):
        database.execute("DELETE FROM events")


def erase(path, sql, *parameters):
    """Take the content of events away, as the triggers allow it."""
    with closing(sqlite3.connect(path)) as database:
        database.execute(
            "UPDATE events SET content = NULL, salt = NULL, commitment = zeroblob(32)"
            f" WHERE content IS NOT NULL AND {sql}",
            parameters,
        )
        database.commit()


@pytest.mark.parametrize("which", ["born", "amended", "both", "title"])
def test_what_was_erased_is_copied_as_erased(store, path, which):
    thread, (first, _) = talk(store, "one", "two", title="T", metadata={"user": "u"})
    store.messages.amend(thread, first, content="first")
    store.messages.update(thread, first, name="Ann")
    store.threads.update(thread, title="U")
    fork = store.threads.fork(thread).id
    key = bytes.fromhex(thread.removeprefix("thread_"))
    versions = {"born": (2, 2), "amended": (4, 4), "both": (2, 4), "title": (6, 6)}[which]
    erase(path, "stream = ? AND version BETWEEN ? AND ?", key, *versions)
    store.projections.rebuild()  # of what is found by words that are gone
    known = known_in(store)
    before = everything(store, fork, [1], known)
    assert before["thread"].title == ("T" if which == "title" else "U")
    assert before["messages"][first].erased == (which in {"amended", "both"})
    store.audit.purge(thread, forks="copy")
    assert everything(store, fork, [1], known) == before
    erased = ask(path, "SELECT content FROM events WHERE type = 'PrefixCopied'")
    assert erased.count((None,)) == {"born": 1, "amended": 1, "both": 3, "title": 0}[which]


def test_a_copy_can_be_erased_by_itself(store, path):
    thread, (first, _) = talk(store, "one", "two")
    fork = store.threads.fork(thread).id
    store.audit.purge(thread, forks="copy")
    key = bytes.fromhex(first.removeprefix("msg_"))
    versions = ask(path, "SELECT version FROM copies WHERE subject = ?", key)
    assert len(versions) == 1
    erase(path, "type = 'PrefixCopied' AND version = ?", *versions[0])
    assert texts(store, fork) == ["", "two"]
    assert store.messages.get(fork, first).erased
    assert store.replay.state(fork).messages == store.messages.list(fork).data


def test_copies_keep_whose_data_they_are(store, path):
    thread = store.threads.create().id
    store.messages.create(thread, role="user", content="one", subject="ann")
    store.messages.create(thread, role="user", content="two", subject="ben")
    subjects = ask(path, "SELECT subject FROM events WHERE type = 'MessageAdded' ORDER BY version")
    store.threads.fork(thread)
    store.audit.purge(thread, forks="copy")
    copied = "SELECT subject FROM events WHERE type = 'PrefixCopied' ORDER BY version"
    assert ask(path, copied) == [(None,), *subjects]
    assert len(set(subjects)) == 2
