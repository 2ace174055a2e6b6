"""The tables of runs, and of the assistants that they execute."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from eventstore.storage.tables.columns import given, key, maybe, thread_table

__all__ = ["RUN_TABLES", "add_run_tables"]


def _runs(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}runs",
        metadata,
        key("run", LargeBinary),
        given("version", BigInteger),
        given("status", Integer),
        given("changed", BigInteger),
        maybe("assistant", LargeBinary),
        maybe("regenerates", LargeBinary),
        given("started", Integer),
        maybe("started_head", LargeBinary),
        maybe("last_message", LargeBinary),
        maybe("pending_calls", Text),
        given("steps", Integer),
        maybe("writing", LargeBinary),
        given("created_position", BigInteger),
        given("updated_at", BigInteger),
        maybe("queue", Text),
        maybe("holder", Text),
        maybe("fence", BigInteger),
        given("taken_over", Integer),
        maybe("subject", LargeBinary),
        Index(f"{prefix}runs_by_version", "tenant", "thread", "version"),
        # The few runs of a tenant that have not ended, without looking at the many that have.
        Index(f"{prefix}runs_by_status", "tenant", "status", "created_position"),
    )


def _leases(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}leases",
        metadata,
        key("run", LargeBinary),
        # A row that is made again knows no time: such a lease has ended.
        Column("ends_at", BigInteger, nullable=False, server_default=text("0")),
    )


def _steps(metadata: MetaData, prefix: str) -> None:
    thread_table(
        f"{prefix}steps",
        metadata,
        key("step", LargeBinary),
        given("run", LargeBinary),
        given("version", BigInteger),
        given("status", Integer),
        Index(f"{prefix}steps_by_run", "tenant", "thread", "run", "version"),
    )


def _run_chunks(metadata: MetaData, prefix: str) -> None:
    # With rowids on SQLite, for the same reason as `blobs`.
    thread_table(
        f"{prefix}run_chunks",
        metadata,
        key("message", LargeBinary),
        key("begins", BigInteger),
        given("ends", BigInteger),
        given("text", LargeBinary),
        with_rowid=True,
    )


def _assistants(metadata: MetaData, prefix: str) -> None:
    Table(
        f"{prefix}assistants",
        metadata,
        key("tenant"),
        key("assistant", LargeBinary),
        given("version", BigInteger),
        given("created_position", BigInteger),
        given("created_at", BigInteger),
        given("updated_at", BigInteger),
        given("deleted", Integer),
        Index(f"{prefix}assistants_by_creation", "tenant", "created_position", "assistant"),
        sqlite_with_rowid=False,
    )


_TABLES: Final = {
    "runs": _runs,
    "leases": _leases,
    "steps": _steps,
    "run_chunks": _run_chunks,
    "assistants": _assistants,
}
RUN_TABLES: Final = tuple(_TABLES)
"""Their names."""


def add_run_tables(metadata: MetaData, prefix: str) -> None:
    """Add them to the metadata."""
    for add in _TABLES.values():
        add(metadata, prefix)
