"""The tables of the log: events, heads of streams, large content, idempotency keys, erasures."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Text

from eventstore.storage.tables.columns import Tables, given, key, maybe

__all__ = ["add_log"]


def _event() -> list[Column[object]]:
    return [
        given("event_id", LargeBinary),
        given("type", Text),
        given("schema_version", Integer),
        given("recorded_at", BigInteger),
        given("data", LargeBinary),
        maybe("content", LargeBinary),
        maybe("salt", LargeBinary),
        maybe("commitment", LargeBinary),
        maybe("subject", LargeBinary),
        maybe("metadata", LargeBinary),
        given("hash", LargeBinary),
    ]


def _sqlite_log(tables: Tables) -> None:
    tables.add(
        "events",
        Column("position", Integer, primary_key=True, nullable=False),
        given("epoch", Integer),
        given("xid", BigInteger),
        given("tenant", Integer),
        given("category", Integer),
        given("stream", LargeBinary),
        given("version", BigInteger),
        *_event(),
        tables.index("events_by_version", ["tenant", "category", "stream", "version"], unique=True),
        _by_subject(tables),
        rowid=True,
    )


def _postgres_log(tables: Tables) -> None:
    tables.add(
        "events",
        given("position", BigInteger),
        given("epoch", Integer),
        given("xid", BigInteger),
        key("tenant"),
        key("category"),
        key("stream", LargeBinary),
        key("version", BigInteger),
        *_event(),
        tables.index("events_in_order", ["epoch", "xid", "position"]),
        _by_subject(tables),
        rowid=True,
    )
    tables.add("epochs", key("epoch"), rowid=True)


_EVENTS: Final = {"sqlite": _sqlite_log, "postgresql": _postgres_log}


def _by_subject(tables: Tables) -> Index:
    """Return the index of what was written in the name of a person: others do not pay for it."""
    columns = ["tenant", "subject", "category", "stream", "version"]
    return tables.index("events_by_subject", columns, where="subject IS NOT NULL")


def add_log(tables: Tables, dialect: str) -> None:
    """Add the tables, of which one differs by database."""
    _EVENTS[dialect](tables)
    # With rowids on SQLite: without, such large rows would stand in the inner nodes of the table.
    tables.of_stream("blobs", key("version", BigInteger), given("content", LargeBinary), rowid=True)
    tables.of_stream(
        "streams",
        given("version", BigInteger),
        given("recorded_at", BigInteger),
        given("hash", LargeBinary),
        given("epoch", Integer),
        given("xid", BigInteger),
        maybe("summary", LargeBinary),
    )
    tables.of_stream(
        "idempotency_keys",
        key("key", Text),
        given("salt", LargeBinary),
        given("digest", LargeBinary),
        given("first_version", BigInteger),
        given("last_version", BigInteger),
        maybe("ends", LargeBinary),
    )
    tables.of_stream(
        "erasing",
        key("version", BigInteger),
        key("part"),
        given("versions", LargeBinary),
        given("keys", LargeBinary),
    )
    tables.of_stream("purging")
