"""The tables of the log: events, heads of streams, large content, idempotency keys, erasures."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from eventstore.storage.tables.columns import given, key, maybe, stream_table

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


def _by_subject(prefix: str) -> Index:
    """Return the index of what was written in the name of a person: others do not pay for it."""
    named = "subject IS NOT NULL"
    return Index(
        f"{prefix}events_by_subject",
        *("tenant", "subject", "category", "stream", "version"),
        sqlite_where=text(named),
        postgresql_where=text(named),
    )


def _sqlite_log(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}events",
        metadata,
        Column("position", Integer, primary_key=True, nullable=False),
        given("epoch", Integer),
        given("xid", BigInteger),
        given("tenant", Integer),
        given("category", Integer),
        given("stream", LargeBinary),
        given("version", BigInteger),
        *_event(),
        Index(f"{prefix}events_by_version", "tenant", "category", "stream", "version", unique=True),
        _by_subject(prefix),
    )


def _postgres_log(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}events",
        metadata,
        given("position", BigInteger),
        given("epoch", Integer),
        given("xid", BigInteger),
        key("tenant"),
        key("category"),
        key("stream", LargeBinary),
        key("version", BigInteger),
        *_event(),
        Index(f"{prefix}events_in_order", "epoch", "xid", "position"),
        _by_subject(prefix),
    )
    Table(f"{prefix}epochs", metadata, key("epoch"))


_EVENTS: Final = {"sqlite": _sqlite_log, "postgresql": _postgres_log}


def _blobs(metadata: MetaData, prefix: str) -> None:
    # With rowids on SQLite: without, such large rows would stand in the inner nodes of the table.
    Table(
        f"{prefix}blobs",
        metadata,
        key("tenant"),
        key("category"),
        key("stream", LargeBinary),
        key("version", BigInteger),
        given("content", LargeBinary),
    )


def _streams(metadata: MetaData, prefix: str) -> None:
    stream_table(
        f"{prefix}streams",
        metadata,
        given("version", BigInteger),
        given("recorded_at", BigInteger),
        given("hash", LargeBinary),
        given("epoch", Integer),
        given("xid", BigInteger),
        maybe("summary", LargeBinary),
    )


def _idempotency_keys(metadata: MetaData, prefix: str) -> None:
    stream_table(
        f"{prefix}idempotency_keys",
        metadata,
        key("key", Text),
        given("salt", LargeBinary),
        given("digest", LargeBinary),
        given("first_version", BigInteger),
        given("last_version", BigInteger),
        maybe("ends", LargeBinary),
    )


def _erasing(metadata: MetaData, prefix: str) -> None:
    stream_table(
        f"{prefix}erasing",
        metadata,
        key("version", BigInteger),
        key("part"),
        given("versions", LargeBinary),
        given("keys", LargeBinary),
    )


def _purging(metadata: MetaData, prefix: str) -> None:
    stream_table(
        f"{prefix}purging",
        metadata,
    )


def add_log(metadata: MetaData, prefix: str, dialect: str) -> None:
    """Add the tables, of which one differs by database."""
    _EVENTS[dialect](metadata, prefix)
    for add in (_blobs, _streams, _idempotency_keys, _erasing, _purging):
        add(metadata, prefix)
