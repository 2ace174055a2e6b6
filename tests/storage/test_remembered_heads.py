"""What the writer remembers of a stream's end is held against the database before anything follows.

The memory is made wrong by hand here. A mistake in it is never written: the transaction is done
again on what the database says.
"""
# ruff: noqa: SLF001 (the memory is reached into)

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from msgspec.structs import replace

from eventstore import ConversationStore
from eventstore.api.operations import messages
from eventstore.storage import sqlite_ordering
from eventstore.storage.ordering import HeadMoved, HeadRow, Moved
from eventstore.storage.sqlite_ordering import SqliteOrdering

MISTAKES = {
    "ahead": lambda row: replace(row, version=row.version + 1),
    "behind": lambda row: replace(row, version=row.version - 1),
    "of another history": lambda row: replace(row, hash=bytes(32)),
}
MANY = 45
"""Heads of one transaction: several statements, of several sizes."""


def heads(store):
    return store._executor._connections._writing.tx.cache["heads of streams"]


def mistake(store, thread_id, change):
    """Let the writer remember another end of a thread than it has."""
    [head] = [head for key, head in heads(store).items() if key.text == thread_id]
    head.row = head.stored = change(head.row)


def confirm(store, thread_id, texts):
    assert [message.text for message in store.messages.list(thread_id)] == texts
    versions = [event.version for event in store.events.read(thread_id)]
    assert versions == list(range(1, len(texts) + 2))
    assert store.projections.compare().ok


def begun(store):
    thread_id = store.threads.create().id
    store.messages.create(thread_id, role="user", content="one")
    return thread_id


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db" if request.param == "file" else "sqlite://"
    with ConversationStore.open(url) as opened:
        yield opened


@pytest.mark.parametrize("change", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_memory_is_not_written(store, change):
    thread_id = begun(store)
    mistake(store, thread_id, change)
    made = store.messages.create(thread_id, role="user", content="two")
    assert made.version == 3
    confirm(store, thread_id, ["one", "two"])


@pytest.mark.parametrize("count", [2, MANY])
def test_one_mistake_among_many_heads_is_not_written(store, count):
    threads = [begun(store) for _ in range(count)]
    mistake(store, threads[-1], MISTAKES["ahead"])
    writes = [
        messages.create(store.scope, thread_id, role="user", content="two").request
        for thread_id in threads
    ]
    outcomes = store._executor._connections.write(writes)
    assert [outcome.version for outcome in outcomes] == [3] * count
    for thread_id in threads:
        confirm(store, thread_id, ["one", "two"])


def head(version):
    return HeadRow(version, 7, bytes([version]) * 32, 0, 0)


class Table:
    """Streams 0 … 69 at version 1, as a transaction sees them."""

    def __init__(self, db):
        self.db = db
        db.execute(
            "CREATE TABLE streams (tenant, category, stream, version, recorded_at, hash, epoch,"
            " xid, summary, PRIMARY KEY (tenant, category, stream))"
        )
        row = head(1)
        for number in range(70):
            values = (1, 1, bytes([number]), row.version, row.recorded_at_us, row.hash, 0, 0, None)
            db.execute(f"INSERT INTO streams VALUES ({', '.join('?' * 9)})", values)

    def run(self, sql, parameters):
        return self.db.execute(sql.format(streams="streams"), parameters).rowcount

    def rows(self):
        return self.db.execute(
            "SELECT version, hash, summary FROM streams ORDER BY stream"
        ).fetchall()


@pytest.mark.parametrize("at_once", [32, 1], ids=["from", "no from"])
@pytest.mark.parametrize("count", [1, 2, 3, 31, 70])
@pytest.mark.parametrize("wrong", [False, True])
def test_heads_are_moved_from_where_they_are_alone(monkeypatch, count, wrong, at_once):
    """Also by a SQLite that is too old for UPDATE FROM."""
    monkeypatch.setattr(sqlite_ordering, "_AT_ONCE", at_once)
    before = [head(1)] * (count - 1) + [head(2 if wrong else 1)]
    moved = [
        Moved(row, head(9), None if number % 2 else b"s", (1, 1, bytes([number])))
        for number, row in enumerate(before)
    ]
    with closing(sqlite3.connect(":memory:")) as db:
        table: Any = Table(db)
        if wrong:
            with pytest.raises(HeadMoved):
                SqliteOrdering().move(table, moved)
            return
        SqliteOrdering().move(table, moved)
        went = [(9, head(9).hash, None if number % 2 else b"s") for number in range(count)]
        assert table.rows() == went + [(1, head(1).hash, None)] * (70 - count)
