"""The tables of encryption: data keys, those that were retired, and where the keys are kept."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, Text

from eventstore.storage.tables.columns import Tables, given, key, maybe

__all__ = ["add_key_tables"]


def add_key_tables(tables: Tables) -> None:
    """Add them."""
    tables.add(
        "data_keys",
        key("key_id", LargeBinary),
        given("tenant", Text),
        given("kind", Text),
        given("owner", LargeBinary),
        given("generation", BigInteger),
        given("master", Text),
        maybe("wrapped", LargeBinary),
        given("uses", BigInteger),
        tables.index("data_keys_by_owner", ["tenant", "kind", "owner", "generation"], unique=True),
    )
    tables.add(
        "retired_keys",
        key("tenant"),
        key("kind", Text),
        key("owner", LargeBinary),
        given("generation", BigInteger),
    )
    tables.add("key_stores", key("id", LargeBinary))
