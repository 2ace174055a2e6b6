"""The tables of messages and of their tree."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Integer, LargeBinary, Text

from eventstore.storage.tables.columns import Tables, given, key, maybe

__all__ = ["MESSAGE_TABLES", "add_message_tables"]

MESSAGE_TABLES: Final = ("messages", "segments", "branch_points", "labels", "touches")
"""Their names."""


def add_message_tables(tables: Tables) -> None:
    """Add them."""
    _messages(tables)
    tables.of_thread(
        "segments",
        key("hop"),
        key("segment", BigInteger),
        given("parent_hop", Integer),
        given("parent_segment", BigInteger),
        given("parent_depth", BigInteger),
        given("ordinal", Integer),
        tables.index(
            "segments_by_parent",
            ["tenant", "thread", "parent_hop", "parent_segment", "parent_depth", "segment"],
        ),
    )
    tables.of_thread(
        "branch_points",
        key("hop"),
        key("segment", BigInteger),
        key("depth", BigInteger),
        given("children", Integer),
        given("removed", Integer),
        maybe("active_hop", Integer),
        maybe("active_segment", BigInteger),
        tables.index("branch_points_inherited", ["thread", "depth"], where="hop > 0"),
    )
    tables.of_thread(
        "labels",
        key("message", LargeBinary),
        maybe("label", Text),
        tables.index("labels_by_label", ["tenant", "thread", "label"]),
    )
    tables.of_thread("touches", key("subject", LargeBinary), key("version", BigInteger))


def _messages(tables: Tables) -> None:
    tables.of_thread(
        "messages",
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
        tables.index("messages_by_id", ["message", "tenant", "thread"], unique=True),
        # A fork's rows hold little about what it inherits, where the depth alone names a message.
        tables.index("messages_inherited", ["thread", "depth"], where="hop > 0"),
        tables.index(
            "messages_removed", ["thread", "hop", "segment", "depth"], where="removed IS NOT NULL"
        ),
        tables.index(
            "messages_removed_below",
            ["thread", "parent", "hop", "segment"],
            where="removed IS NOT NULL",
        ),
        # What was removed at an earlier version may have been restored since.
        tables.index("messages_changed", ["thread", "changed"], where="changed IS NOT NULL"),
    )
