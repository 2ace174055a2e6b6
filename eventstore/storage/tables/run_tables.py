"""The tables of runs, and of the assistants that they execute."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text, text

from eventstore.storage.tables.columns import Tables, given, key, maybe

__all__ = ["RUN_TABLES", "add_run_tables"]

RUN_TABLES: Final = ("runs", "leases", "steps", "run_chunks", "assistants")
"""Their names."""


def add_run_tables(tables: Tables) -> None:
    """Add them."""
    _runs(tables)
    tables.of_thread(
        "leases",
        key("run", LargeBinary),
        # A row that is made again knows no time: such a lease has ended.
        Column("ends_at", BigInteger, nullable=False, server_default=text("0")),
    )
    tables.of_thread(
        "steps",
        key("step", LargeBinary),
        given("run", LargeBinary),
        given("version", BigInteger),
        given("status", Integer),
        tables.index("steps_by_run", ["tenant", "thread", "run", "version"]),
    )
    # With rowids on SQLite, for the same reason as `blobs`.
    tables.of_thread(
        "run_chunks",
        key("message", LargeBinary),
        key("begins", BigInteger),
        given("ends", BigInteger),
        given("text", LargeBinary),
        rowid=True,
    )
    tables.add(
        "assistants",
        key("tenant"),
        key("assistant", LargeBinary),
        given("version", BigInteger),
        given("created_position", BigInteger),
        given("created_at", BigInteger),
        given("updated_at", BigInteger),
        given("deleted", Integer),
        tables.index("assistants_by_creation", ["tenant", "created_position", "assistant"]),
    )


def _runs(tables: Tables) -> None:
    tables.of_thread(
        "runs",
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
        tables.index("runs_by_version", ["tenant", "thread", "version"]),
        # The few runs of a tenant that have not ended, without looking at the many that have.
        tables.index("runs_by_status", ["tenant", "status", "created_position"]),
    )
