"""The tables of threads, and those that find them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Integer, LargeBinary, Text

from eventstore.storage.tables.columns import Tables, given, key, maybe

__all__ = ["THREAD_TABLES", "add_thread_tables"]

THREAD_TABLES: Final = ("threads", "tombstones", "snapshots", "thread_metadata", "external_ids")
"""Their names."""


def add_thread_tables(tables: Tables) -> None:
    """Add them."""
    _threads(tables)
    tables.of_thread("tombstones", given("version", BigInteger))
    # With rowids on SQLite, for the same reason as `blobs`.
    tables.of_thread(
        "snapshots",
        key("version", BigInteger),
        given("hash", LargeBinary),
        given("state", LargeBinary),
        rowid=True,
    )
    tables.of_thread(
        "thread_metadata",
        key("key", Text),
        given("value", Text),
        given("created_position", BigInteger),
        # In the order in which threads are listed, so that a page of many costs a page.
        tables.index("thread_metadata_by_value", ["tenant", "key", "value", "created_position"]),
    )
    tables.of_thread("external_ids", key("external_id", Text), key("message", LargeBinary))


def _threads(tables: Tables) -> None:
    tables.of_thread(
        "threads",
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
        tables.index("threads_by_creation", ["tenant", "created_position", "thread"]),
        # Few threads are forks, so the others do not pay for this one.
        tables.index("threads_by_source", ["fork_thread"], where="fork_thread IS NOT NULL"),
    )
