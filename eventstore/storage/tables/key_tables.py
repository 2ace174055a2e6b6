"""The tables of encryption: data keys, those that were retired, and where the keys are kept."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, MetaData, Table, Text

from eventstore.storage.tables.columns import given, key, maybe

__all__ = ["add_key_tables"]


def add_key_tables(metadata: MetaData, prefix: str) -> None:
    """Add them to the metadata."""
    Table(
        f"{prefix}data_keys",
        metadata,
        key("key_id", LargeBinary),
        given("tenant", Text),
        given("kind", Text),
        given("owner", LargeBinary),
        given("generation", BigInteger),
        given("master", Text),
        maybe("wrapped", LargeBinary),
        given("uses", BigInteger),
        Index(f"{prefix}data_keys_by_owner", "tenant", "kind", "owner", "generation", unique=True),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}retired_keys",
        metadata,
        key("tenant"),
        key("kind", Text),
        key("owner", LargeBinary),
        given("generation", BigInteger),
        sqlite_with_rowid=False,
    )
    Table(f"{prefix}key_stores", metadata, key("id", LargeBinary), sqlite_with_rowid=False)
