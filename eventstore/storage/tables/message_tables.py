"""The tables of messages and of their tree."""

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

__all__ = ["MESSAGE_TABLES", "add_message_tables"]


def _messages(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}messages",
        metadata,
        key("hop"),
        key("segment", BigInteger),
        key("depth", BigInteger),
        given("message", LargeBinary),
        given("version", BigInteger),
        given("role", Integer),
        maybe("parent", LargeBinary),
        given("status", Integer),
        maybe("queued_version", BigInteger),
        maybe("replaces", LargeBinary),
        maybe("run", LargeBinary),
        maybe("open_calls", Text),
        maybe("removed", BigInteger),
        maybe("changed", BigInteger),
        given("revision", Integer),
        maybe("said", Text),
        # The id comes first: ids increase with time, so the new entries of all threads go to the
        # same few pages. Tenant first would dirty a page for each thread that is written.
        Index(f"{prefix}messages_by_id", "message", "tenant", "thread", unique=True),
        # A fork's rows hold little about what it inherits, where the depth alone names a message.
        Index(
            f"{prefix}messages_inherited",
            "thread",
            "depth",
            sqlite_where=text("hop > 0"),
            postgresql_where=text("hop > 0"),
        ),
        Index(
            f"{prefix}messages_removed",
            "thread",
            "hop",
            "segment",
            "depth",
            sqlite_where=text("removed IS NOT NULL"),
            postgresql_where=text("removed IS NOT NULL"),
        ),
        Index(
            f"{prefix}messages_removed_below",
            "thread",
            "parent",
            "hop",
            "segment",
            sqlite_where=text("removed IS NOT NULL"),
            postgresql_where=text("removed IS NOT NULL"),
        ),
        # What was removed at an earlier version may have been restored since.
        Index(
            f"{prefix}messages_changed",
            "thread",
            "changed",
            sqlite_where=text("changed IS NOT NULL"),
            postgresql_where=text("changed IS NOT NULL"),
        ),
    )


def _segments(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}segments",
        metadata,
        key("hop"),
        key("segment", BigInteger),
        given("parent_hop", Integer),
        given("parent_segment", BigInteger),
        given("parent_depth", BigInteger),
        given("ordinal", Integer),
        Index(
            f"{prefix}segments_by_parent",
            "tenant",
            "thread",
            "parent_hop",
            "parent_segment",
            "parent_depth",
            "segment",
        ),
    )


def _branch_points(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}branch_points",
        metadata,
        key("hop"),
        key("segment", BigInteger),
        key("depth", BigInteger),
        given("children", Integer),
        given("removed", Integer),
        maybe("active_hop", Integer),
        maybe("active_segment", BigInteger),
        Index(
            f"{prefix}branch_points_inherited",
            "thread",
            "depth",
            sqlite_where=text("hop > 0"),
            postgresql_where=text("hop > 0"),
        ),
    )


def _labels(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}labels",
        metadata,
        key("message", LargeBinary),
        maybe("label", Text),
        Index(f"{prefix}labels_by_label", "tenant", "thread", "label"),
    )


def _touches(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}touches",
        metadata,
        key("subject", LargeBinary),
        key("version", BigInteger),
    )


_TABLES: Final = {
    "messages": _messages,
    "segments": _segments,
    "branch_points": _branch_points,
    "labels": _labels,
    "touches": _touches,
}
MESSAGE_TABLES: Final = tuple(_TABLES)
"""Their names."""


def add_message_tables(metadata: MetaData, prefix: str) -> None:
    """Add them to the metadata."""
    for add in _TABLES.values():
        add(metadata, prefix)
