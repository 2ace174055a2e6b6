"""The tables of threads, and those that find them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    text,
)

from eventstore.storage.tables.columns import given, key, maybe, thread_table

__all__ = ["THREAD_TABLES", "add_thread_tables"]


def _threads(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}threads",
        metadata,
        given("created_position", BigInteger),
        given("created_at", BigInteger),
        given("archived", Integer),
        given("deleted", Integer),
        maybe("title_version", BigInteger),
        maybe("metadata_version", BigInteger),
        given("open_runs", Integer),
        given("queued_messages", Integer),
        given("removed_messages", Integer),
        maybe("fork_thread", LargeBinary),
        maybe("fork_message", LargeBinary),
        maybe("fork_hop", Integer),
        maybe("fork_segment", BigInteger),
        maybe("fork_depth", BigInteger),
        maybe("fork_version", BigInteger),
        given("projection_version", Integer),
        Index(f"{prefix}threads_by_creation", "tenant", "created_position", "thread"),
        # Few threads are forks, so the others do not pay for this one.
        Index(
            f"{prefix}threads_by_source",
            "fork_thread",
            sqlite_where=text("fork_thread IS NOT NULL"),
            postgresql_where=text("fork_thread IS NOT NULL"),
        ),
    )


def _tombstones(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}tombstones",
        metadata,
        given("version", BigInteger),
    )


def _snapshots(metadata: MetaData, prefix: str) -> None:
    # With rowids on SQLite, for the same reason as `blobs`.
    thread_table(
        f"{prefix}snapshots",
        metadata,
        key("version", BigInteger),
        given("hash", LargeBinary),
        given("state", LargeBinary),
        with_rowid=True,
    )


def _thread_metadata(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}thread_metadata",
        metadata,
        key("key", Text),
        given("value", Text),
        given("created_position", BigInteger),
        # In the order in which threads are listed, so that a page of many costs a page.
        Index(f"{prefix}thread_metadata_by_value", "tenant", "key", "value", "created_position"),
    )


def _external_ids(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}external_ids",
        metadata,
        key("external_id", Text),
        key("message", LargeBinary),
    )


_TABLES: Final = {
    "threads": _threads,
    "tombstones": _tombstones,
    "snapshots": _snapshots,
    "thread_metadata": _thread_metadata,
    "external_ids": _external_ids,
}
THREAD_TABLES: Final = tuple(_TABLES)
"""Their names."""


def add_thread_tables(metadata: MetaData, prefix: str) -> None:
    """Add them to the metadata."""
    for add in _TABLES.values():
        add(metadata, prefix)
