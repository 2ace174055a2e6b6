"""The tables of the tree over the log: leaves, nodes and signed heads."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, LargeBinary, Text

from eventstore.storage.tables.columns import Tables, given, key

__all__ = ["add_tree_tables"]


def add_tree_tables(tables: Tables) -> None:
    """Add them."""
    tables.add(
        "tree_leaves",
        key("number", BigInteger),
        given("tenant", Integer),
        given("category", Integer),
        given("stream", LargeBinary),
        given("version", BigInteger),
        given("hash", LargeBinary),
        tables.index("tree_leaves_by_stream", ["tenant", "category", "stream", "version"]),
    )
    tables.add("tree_nodes", key("level"), key("number", BigInteger), given("hash", LargeBinary))
    tables.add(
        "tree_heads",
        key("number", BigInteger),
        given("size", BigInteger),
        given("root", LargeBinary),
        given("issued_at", BigInteger),
        given("key_id", Text),
        given("signature", LargeBinary),
        given("epoch", Integer),
        given("xid", BigInteger),
        given("position", BigInteger),
    )
