"""The tables, as SQLAlchemy sees them: for tooling, and to check the migrations against.

Every table that belongs to a thread has tenant and thread in its primary key and in every unique
index, and no unique constraint spans threads, so the schema can be distributed or partitioned by
thread. The one exception is forced: a row of SQLite is found fastest by its number, ``position``.
Ids are 16 bytes, tenants and categories interned integers, times microseconds since 1970 in UTC.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Text, UniqueConstraint

from eventstore.storage.tables.columns import Tables, given, key, maybe
from eventstore.storage.tables.key_tables import add_key_tables
from eventstore.storage.tables.log_tables import add_log
from eventstore.storage.tables.message_tables import MESSAGE_TABLES, add_message_tables
from eventstore.storage.tables.run_tables import RUN_TABLES, add_run_tables
from eventstore.storage.tables.thread_tables import THREAD_TABLES, add_thread_tables
from eventstore.storage.tables.tree_tables import add_tree_tables

__all__ = ["POSTGRES_ALONE", "TABLES", "Dialect", "metadata_for"]

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
"""The supported databases, as SQLAlchemy calls them."""

TABLES: Final = (
    *("store", "tenants", "categories"),
    *("events", "blobs", "streams", "idempotency_keys", "erasing", "purging"),
    *THREAD_TABLES,
    *MESSAGE_TABLES,
    *RUN_TABLES,
    *("projections", "tree_leaves", "tree_nodes", "tree_heads"),
    *("data_keys", "retired_keys", "key_stores"),
)
"""Names that SQL may use in braces."""

POSTGRES_ALONE: Final = ("epochs", "events_position_seq")
"""A table and a sequence that order needs on PostgreSQL; also in braces."""


def metadata_for(
    prefix: str = "", schema: str | None = None, dialect: Dialect = "sqlite"
) -> MetaData:
    """Return the tables of a store on one kind of database, with its prefix and schema."""
    tables = Tables(MetaData(schema=schema), prefix)
    tables.add("store", key("id", LargeBinary))
    for name in ("tenants", "categories"):
        number = Column("id", Integer, primary_key=True, nullable=False)
        tables.add(name, number, given("name", Text), UniqueConstraint("name"), rowid=True)
    add_log(tables, dialect)
    add_thread_tables(tables)
    add_message_tables(tables)
    add_run_tables(tables)
    _add_projections(tables)
    add_tree_tables(tables)
    add_key_tables(tables)
    return tables.metadata


def _add_projections(tables: Tables) -> None:
    tables.add(
        "projections",
        key("name", Text),
        key("generation"),
        given("version", BigInteger),
        given("status", Text),
        given("tables", Text),
        given("epoch", Integer),
        given("xid", BigInteger),
        given("position", BigInteger),
        maybe("holder", Text),
        given("renewed_at", BigInteger),
        given("lease_us", BigInteger),
        given("token", BigInteger),
        given("renewals", BigInteger),
        maybe("failed_stream", Text),
        maybe("failed_version", BigInteger),
        maybe("failed_type", Text),
        maybe("error", Text),
    )
