"""The tables, as SQLAlchemy sees them: for tooling, and to check the migrations against.

Every table that belongs to a thread has tenant and thread in its primary key and in every unique
index, and no unique constraint spans threads, so the schema can be distributed or partitioned by
thread. The one exception is forced: a row of SQLite is found fastest by its number, ``position``.
Ids are 16 bytes, tenants and categories interned integers, times microseconds since 1970 in UTC.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

__all__ = ["POSTGRES_ALONE", "TABLES", "Dialect", "metadata_for"]

Dialect: TypeAlias = Literal["sqlite", "postgresql"]
"""The supported databases, as SQLAlchemy calls them."""

TABLES: Final = (
    "store",
    "tenants",
    "categories",
    "events",
    "blobs",
    "streams",
    "idempotency_keys",
    "erasing",
    "purging",
    "threads",
    "messages",
    "segments",
    "branch_points",
    "runs",
    "leases",
    "steps",
    "run_chunks",
    "labels",
    "touches",
    "tombstones",
    "thread_metadata",
    "external_ids",
    "assistants",
    "projections",
)
"""Names that SQL may use in braces."""

POSTGRES_ALONE: Final = ("epochs", "events_position_seq")
"""A table and a sequence that order needs on PostgreSQL; also in braces."""


def _key(
    name: str, kind: type[Integer | BigInteger | LargeBinary | Text] = Integer
) -> Column[object]:
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def _given(
    name: str, kind: type[Integer | BigInteger | LargeBinary | Text | Boolean]
) -> Column[object]:
    return Column(name, kind, nullable=False)


def _maybe(name: str, kind: type[Integer | BigInteger | LargeBinary | Text]) -> Column[object]:
    return Column(name, kind, nullable=True)


def metadata_for(
    prefix: str = "", schema: str | None = None, dialect: Dialect = "sqlite"
) -> MetaData:
    """Return the tables of a store on one kind of database, with its prefix and schema."""
    metadata = MetaData(schema=schema)
    _names(metadata, prefix)
    _LOG[dialect](metadata, prefix)
    _log(metadata, prefix)
    _threads(metadata, prefix)
    _runs(metadata, prefix)
    _projections(metadata, prefix)
    return metadata


def _names(metadata: MetaData, prefix: str) -> None:
    Table(f"{prefix}store", metadata, _key("id", LargeBinary), sqlite_with_rowid=False)
    for name in ("tenants", "categories"):
        Table(
            f"{prefix}{name}",
            metadata,
            Column("id", Integer, primary_key=True, nullable=False),
            _given("name", Text),
            UniqueConstraint("name"),
        )


def _event() -> list[Column[object]]:
    return [
        _given("event_id", LargeBinary),
        _given("type", Text),
        _given("schema_version", Integer),
        _given("recorded_at", BigInteger),
        _given("data", LargeBinary),
        _maybe("content", LargeBinary),
        _maybe("salt", LargeBinary),
        _maybe("commitment", LargeBinary),
        _maybe("subject", LargeBinary),
        _maybe("metadata", LargeBinary),
        _given("hash", LargeBinary),
    ]


def _sqlite_log(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}events",
        metadata,
        Column("position", Integer, primary_key=True, nullable=False),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _given("tenant", Integer),
        _given("category", Integer),
        _given("stream", LargeBinary),
        _given("version", BigInteger),
        *_event(),
        Index(f"{prefix}events_by_version", "tenant", "category", "stream", "version", unique=True),
    )


def _postgres_log(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}events",
        metadata,
        _given("position", BigInteger),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _key("tenant"),
        _key("category"),
        _key("stream", LargeBinary),
        _key("version", BigInteger),
        *_event(),
        Index(f"{prefix}events_in_order", "epoch", "xid", "position"),
    )
    Table(f"{prefix}epochs", metadata, _key("epoch"))


_LOG: Final = {"sqlite": _sqlite_log, "postgresql": _postgres_log}


def _log(metadata: MetaData, prefix: str) -> None:
    # With rowids on SQLite: without, such large rows would stand in the inner nodes of the table.
    Table(
        f"{prefix}blobs",
        metadata,
        _key("tenant"),
        _key("category"),
        _key("stream", LargeBinary),
        _key("version", BigInteger),
        _given("content", LargeBinary),
    )
    Table(
        f"{prefix}streams",
        metadata,
        _key("tenant"),
        _key("category"),
        _key("stream", LargeBinary),
        _given("version", BigInteger),
        _given("recorded_at", BigInteger),
        _given("hash", LargeBinary),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _maybe("summary", LargeBinary),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}idempotency_keys",
        metadata,
        _key("tenant"),
        _key("category"),
        _key("stream", LargeBinary),
        _key("key", Text),
        _given("salt", LargeBinary),
        _given("digest", LargeBinary),
        _given("first_version", BigInteger),
        _given("last_version", BigInteger),
        _maybe("ends", LargeBinary),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}erasing",
        metadata,
        _key("tenant"),
        _key("category"),
        _key("stream", LargeBinary),
        _key("version", BigInteger),
        _key("part"),
        _given("versions", LargeBinary),
        _given("keys", LargeBinary),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}purging",
        metadata,
        _key("tenant"),
        _key("category"),
        _key("stream", LargeBinary),
        sqlite_with_rowid=False,
    )


def _threads(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}threads",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _given("created_position", BigInteger),
        _given("created_at", BigInteger),
        _given("archived", Integer),
        _given("deleted", Integer),
        _given("changed", Integer),
        _given("open_runs", Integer),
        _given("queued_messages", Integer),
        _given("removed_messages", Integer),
        _maybe("fork_thread", LargeBinary),
        _maybe("fork_message", LargeBinary),
        _maybe("fork_hop", Integer),
        _maybe("fork_segment", BigInteger),
        _maybe("fork_depth", BigInteger),
        _maybe("fork_version", BigInteger),
        _given("projection_version", Integer),
        Index(f"{prefix}threads_by_creation", "tenant", "created_position", "thread"),
        # Few threads are forks, so the others do not pay for this one.
        Index(
            f"{prefix}threads_by_source",
            "fork_thread",
            sqlite_where=text("fork_thread IS NOT NULL"),
            postgresql_where=text("fork_thread IS NOT NULL"),
        ),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}messages",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("hop"),
        _key("segment", BigInteger),
        _key("depth", BigInteger),
        _given("message", LargeBinary),
        _given("version", BigInteger),
        _given("role", Integer),
        _maybe("parent", LargeBinary),
        _given("status", Integer),
        _maybe("queued_version", BigInteger),
        _maybe("replaces", LargeBinary),
        _maybe("run", LargeBinary),
        _maybe("open_calls", Text),
        _maybe("removed", BigInteger),
        _maybe("changed", BigInteger),
        _given("revision", Integer),
        _maybe("said", Text),
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
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}segments",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("hop"),
        _key("segment", BigInteger),
        _given("parent_hop", Integer),
        _given("parent_segment", BigInteger),
        _given("parent_depth", BigInteger),
        _given("ordinal", Integer),
        Index(
            f"{prefix}segments_by_parent",
            "tenant",
            "thread",
            "parent_hop",
            "parent_segment",
            "parent_depth",
            "segment",
        ),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}branch_points",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("hop"),
        _key("segment", BigInteger),
        _key("depth", BigInteger),
        _given("children", Integer),
        _given("removed", Integer),
        _maybe("active_hop", Integer),
        _maybe("active_segment", BigInteger),
        Index(
            f"{prefix}branch_points_inherited",
            "thread",
            "depth",
            sqlite_where=text("hop > 0"),
            postgresql_where=text("hop > 0"),
        ),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}labels",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("message", LargeBinary),
        _maybe("label", Text),
        Index(f"{prefix}labels_by_label", "tenant", "thread", "label"),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}touches",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("subject", LargeBinary),
        _key("version", BigInteger),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}tombstones",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _given("version", BigInteger),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}thread_metadata",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("key", Text),
        _given("value", Text),
        _given("created_position", BigInteger),
        # In the order in which threads are listed, so that a page of many costs a page.
        Index(f"{prefix}thread_metadata_by_value", "tenant", "key", "value", "created_position"),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}external_ids",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("external_id", Text),
        _key("message", LargeBinary),
        sqlite_with_rowid=False,
    )


def _runs(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}runs",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("run", LargeBinary),
        _given("version", BigInteger),
        _given("status", Integer),
        _given("changed", BigInteger),
        _maybe("assistant", LargeBinary),
        _maybe("regenerates", LargeBinary),
        _given("started", Integer),
        _maybe("started_head", LargeBinary),
        _maybe("last_message", LargeBinary),
        _maybe("pending_calls", Text),
        _given("steps", Integer),
        _maybe("writing", LargeBinary),
        _given("created_position", BigInteger),
        _given("updated_at", BigInteger),
        _maybe("queue", Text),
        _maybe("holder", Text),
        _maybe("fence", BigInteger),
        _given("taken_over", Integer),
        Index(f"{prefix}runs_by_version", "tenant", "thread", "version"),
        # The few runs of a tenant that have not ended, without looking at the many that have.
        Index(f"{prefix}runs_by_status", "tenant", "status", "created_position"),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}leases",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("run", LargeBinary),
        # A row that is made again knows no time: such a lease has ended.
        Column("ends_at", BigInteger, nullable=False, server_default=text("0")),
        sqlite_with_rowid=False,
    )
    Table(
        f"{prefix}steps",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("step", LargeBinary),
        _given("run", LargeBinary),
        _given("version", BigInteger),
        _given("status", Integer),
        Index(f"{prefix}steps_by_run", "tenant", "thread", "run", "version"),
        sqlite_with_rowid=False,
    )
    # With rowids on SQLite, for the same reason as `blobs`.
    Table(
        f"{prefix}run_chunks",
        metadata,
        _key("tenant"),
        _key("thread", LargeBinary),
        _key("message", LargeBinary),
        _key("begins", BigInteger),
        _given("ends", BigInteger),
        _given("text", LargeBinary),
    )
    Table(
        f"{prefix}assistants",
        metadata,
        _key("tenant"),
        _key("assistant", LargeBinary),
        _given("version", BigInteger),
        _given("created_position", BigInteger),
        _given("created_at", BigInteger),
        _given("updated_at", BigInteger),
        _given("deleted", Integer),
        Index(f"{prefix}assistants_by_creation", "tenant", "created_position", "assistant"),
        sqlite_with_rowid=False,
    )


def _projections(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}projections",
        metadata,
        _key("name", Text),
        _key("generation"),
        _given("version", BigInteger),
        _given("status", Text),
        _given("tables", Text),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _given("position", BigInteger),
        _maybe("holder", Text),
        _given("renewed_at", BigInteger),
        _given("lease_us", BigInteger),
        _given("token", BigInteger),
        _given("renewals", BigInteger),
        _maybe("failed_stream", Text),
        _maybe("failed_version", BigInteger),
        _maybe("failed_type", Text),
        _maybe("error", Text),
        sqlite_with_rowid=False,
    )
