"""The tables of the tree over the log: leaves, nodes and signed heads."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, Table, Text

from eventstore.storage.tables.columns import given, key

__all__ = ["add_tree_tables"]


def add_tree_tables(metadata: MetaData, prefix: str) -> None:
    """Add them."""
    Table(
        f"{prefix}tree_leaves",
        metadata,
        key("number", BigInteger),
        given("tenant", Integer),
        given("category", Integer),
        given("stream", LargeBinary),
        given("version", BigInteger),
        given("hash", LargeBinary),
        Index(f"{prefix}tree_leaves_by_stream", "tenant", "category", "stream", "version"),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}tree_nodes",
        metadata,
        key("level"),
        key("number", BigInteger),
        given("hash", LargeBinary),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}tree_heads",
        metadata,
        key("number", BigInteger),
        given("size", BigInteger),
        given("root", LargeBinary),
        given("issued_at", BigInteger),
        given("key_id", Text),
        given("signature", LargeBinary),
        given("epoch", Integer),
        given("xid", BigInteger),
        given("position", BigInteger),
        sqlite_with_rowid=False,
    )
