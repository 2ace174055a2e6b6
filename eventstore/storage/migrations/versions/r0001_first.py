"""The first schema: the log, the decision tables, and the triggers that forbid changing history."""

from __future__ import annotations

from typing import Any, TypeAlias

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.types import TypeEngine, UserDefinedType

from eventstore.storage.migrations.triggers import create_triggers
from eventstore.storage.transaction import Naming

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_Kind: TypeAlias = TypeEngine[Any] | type[TypeEngine[Any]]
"""The type of a column."""


class _BigSerial(UserDefinedType[int]):
    """A number with a sequence of its own: Citus makes one on its nodes if a column owns it."""

    def get_col_spec(self, **_: object) -> str:
        return "BIGSERIAL"


def _serial(name: str) -> Column[Any]:
    return Column(name, Integer, primary_key=True, nullable=False)


def _key(name: str, kind: _Kind) -> Column[Any]:
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def _given(name: str, kind: _Kind) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _maybe(name: str, kind: _Kind) -> Column[Any]:
    return Column(name, kind, nullable=True)


def _event() -> list[Column[Any]]:
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


def _some(naming: Naming, name: str, table: str, columns: list[str], where: str) -> None:
    """Create an index of some rows of a table."""
    op.create_index(
        naming.plain(name),
        naming.plain(table),
        columns,
        unique=False,
        schema=naming.schema,
        sqlite_where=text(where),
        postgresql_where=text(where),
    )


def _sqlite_log(naming: Naming) -> None:
    op.create_table(
        naming.plain("events"),
        _serial("position"),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _given("tenant", Integer),
        _given("category", Integer),
        _given("stream", LargeBinary),
        _given("version", BigInteger),
        *_event(),
        schema=naming.schema,
    )
    op.create_index(
        naming.plain("events_by_version"),
        naming.plain("events"),
        ["tenant", "category", "stream", "version"],
        unique=True,
        schema=naming.schema,
    )


def _postgres_log(naming: Naming) -> None:
    op.create_table(
        naming.plain("events"),
        _given("position", _BigSerial()),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _key("tenant", Integer),
        _key("category", Integer),
        _key("stream", LargeBinary),
        _key("version", BigInteger),
        *_event(),
        schema=naming.schema,
    )
    op.create_index(
        naming.plain("events_in_order"),
        naming.plain("events"),
        ["epoch", "xid", "position"],
        unique=False,
        schema=naming.schema,
    )
    op.create_table(naming.plain("epochs"), _key("epoch", Integer), schema=naming.schema)
    op.execute(naming.sql("INSERT INTO {epochs} (epoch) VALUES (1)"))


_LOG = {"sqlite": _sqlite_log, "postgresql": _postgres_log}

_RANDOM_ID = {"sqlite": "randomblob(16)", "postgresql": "uuid_send(gen_random_uuid())"}
"""Drawn by the database: the SQL of a first migration is run again on the next empty database."""


def upgrade(naming: Naming) -> None:
    """Make everything; a single step, so it reads top to bottom as the schema does."""
    dialect = op.get_bind().dialect.name
    op.create_table(
        naming.plain("store"),
        _key("id", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.execute(naming.sql(f"INSERT INTO {{store}} (id) VALUES ({_RANDOM_ID[dialect]})"))
    op.create_table(
        naming.plain("tenants"),
        _serial("id"),
        _given("name", Text),
        UniqueConstraint("name"),
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("categories"),
        _serial("id"),
        _given("name", Text),
        UniqueConstraint("name"),
        schema=naming.schema,
    )
    _LOG[dialect](naming)
    theirs = ["tenant", "subject", "category", "stream", "version"]
    _some(naming, "events_by_subject", "events", theirs, "subject IS NOT NULL")
    op.create_table(
        naming.plain("blobs"),
        _key("tenant", Integer),
        _key("category", Integer),
        _key("stream", LargeBinary),
        _key("version", BigInteger),
        _given("content", LargeBinary),
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("streams"),
        _key("tenant", Integer),
        _key("category", Integer),
        _key("stream", LargeBinary),
        _given("version", BigInteger),
        _given("recorded_at", BigInteger),
        _given("hash", LargeBinary),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _maybe("summary", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("idempotency_keys"),
        _key("tenant", Integer),
        _key("category", Integer),
        _key("stream", LargeBinary),
        _key("key", Text),
        _given("salt", LargeBinary),
        _given("digest", LargeBinary),
        _given("first_version", BigInteger),
        _given("last_version", BigInteger),
        _maybe("ends", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("erasing"),
        _key("tenant", Integer),
        _key("category", Integer),
        _key("stream", LargeBinary),
        _key("version", BigInteger),
        _key("part", Integer),
        _given("versions", LargeBinary),
        _given("keys", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("purging"),
        _key("tenant", Integer),
        _key("category", Integer),
        _key("stream", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("threads"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _given("created_position", BigInteger),
        _given("created_at", BigInteger),
        _given("archived", Integer),
        _given("deleted", Integer),
        _maybe("title_version", BigInteger),
        _maybe("metadata_version", BigInteger),
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
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("threads_by_creation"),
        naming.plain("threads"),
        ["tenant", "created_position", "thread"],
        unique=False,
        schema=naming.schema,
    )
    _some(naming, "threads_by_source", "threads", ["fork_thread"], "fork_thread IS NOT NULL")
    op.create_table(
        naming.plain("messages"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("hop", Integer),
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
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("messages_by_id"),
        naming.plain("messages"),
        ["message", "tenant", "thread"],
        unique=True,
        schema=naming.schema,
    )
    inherited = ["thread", "depth"]
    _some(naming, "messages_inherited", "messages", inherited, "hop > 0")
    for name, columns, where in (
        ("messages_removed", ["thread", "hop", "segment", "depth"], "removed IS NOT NULL"),
        ("messages_removed_below", ["thread", "parent", "hop", "segment"], "removed IS NOT NULL"),
        ("messages_changed", ["thread", "changed"], "changed IS NOT NULL"),
    ):
        _some(naming, name, "messages", columns, where)
    op.create_table(
        naming.plain("segments"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("hop", Integer),
        _key("segment", BigInteger),
        _given("parent_hop", Integer),
        _given("parent_segment", BigInteger),
        _given("parent_depth", BigInteger),
        _given("ordinal", Integer),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("segments_by_parent"),
        naming.plain("segments"),
        ["tenant", "thread", "parent_hop", "parent_segment", "parent_depth", "segment"],
        unique=False,
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("branch_points"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("hop", Integer),
        _key("segment", BigInteger),
        _key("depth", BigInteger),
        _given("children", Integer),
        _given("removed", Integer),
        _maybe("active_hop", Integer),
        _maybe("active_segment", BigInteger),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    _some(naming, "branch_points_inherited", "branch_points", inherited, "hop > 0")
    op.create_table(
        naming.plain("labels"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("message", LargeBinary),
        _maybe("label", Text),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("labels_by_label"),
        naming.plain("labels"),
        ["tenant", "thread", "label"],
        unique=False,
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("touches"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("subject", LargeBinary),
        _key("version", BigInteger),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("snapshots"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("version", BigInteger),
        _given("hash", LargeBinary),
        _given("state", LargeBinary),
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("tombstones"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _given("version", BigInteger),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("thread_metadata"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("key", Text),
        _given("value", Text),
        _given("created_position", BigInteger),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("thread_metadata_by_value"),
        naming.plain("thread_metadata"),
        ["tenant", "key", "value", "created_position"],
        unique=False,
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("external_ids"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("external_id", Text),
        _key("message", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("runs"),
        _key("tenant", Integer),
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
        _maybe("subject", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("runs_by_version"),
        naming.plain("runs"),
        ["tenant", "thread", "version"],
        unique=False,
        schema=naming.schema,
    )
    op.create_index(
        naming.plain("runs_by_status"),
        naming.plain("runs"),
        ["tenant", "status", "created_position"],
        unique=False,
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("leases"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("run", LargeBinary),
        Column("ends_at", BigInteger, nullable=False, server_default=text("0")),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("steps"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("step", LargeBinary),
        _given("run", LargeBinary),
        _given("version", BigInteger),
        _given("status", Integer),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("steps_by_run"),
        naming.plain("steps"),
        ["tenant", "thread", "run", "version"],
        unique=False,
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("run_chunks"),
        _key("tenant", Integer),
        _key("thread", LargeBinary),
        _key("message", LargeBinary),
        _key("begins", BigInteger),
        _given("ends", BigInteger),
        _given("text", LargeBinary),
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("projections"),
        _key("name", Text),
        _key("generation", Integer),
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
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("assistants"),
        _key("tenant", Integer),
        _key("assistant", LargeBinary),
        _given("version", BigInteger),
        _given("created_position", BigInteger),
        _given("created_at", BigInteger),
        _given("updated_at", BigInteger),
        _given("deleted", Integer),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("assistants_by_creation"),
        naming.plain("assistants"),
        ["tenant", "created_position", "assistant"],
        unique=False,
        schema=naming.schema,
    )
    _tree(naming)
    _data_keys(naming)
    create_triggers(op.get_bind(), naming)


def _tree(naming: Naming) -> None:
    op.create_table(
        naming.plain("tree_leaves"),
        _key("number", BigInteger),
        _given("tenant", Integer),
        _given("category", Integer),
        _given("stream", LargeBinary),
        _given("version", BigInteger),
        _given("hash", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("tree_leaves_by_stream"),
        naming.plain("tree_leaves"),
        ["tenant", "category", "stream", "version"],
        unique=False,
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("tree_nodes"),
        _key("level", Integer),
        _key("number", BigInteger),
        _given("hash", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("tree_heads"),
        _key("number", BigInteger),
        _given("size", BigInteger),
        _given("root", LargeBinary),
        _given("issued_at", BigInteger),
        _given("key_id", Text),
        _given("signature", LargeBinary),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _given("position", BigInteger),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )


def _data_keys(naming: Naming) -> None:
    op.create_table(
        naming.plain("data_keys"),
        _key("key_id", LargeBinary),
        _given("tenant", Text),
        _given("kind", Text),
        _given("owner", LargeBinary),
        _given("generation", BigInteger),
        _given("master", Text),
        _maybe("wrapped", LargeBinary),
        _given("uses", BigInteger),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_index(
        naming.plain("data_keys_by_owner"),
        naming.plain("data_keys"),
        ["tenant", "kind", "owner", "generation"],
        unique=True,
        schema=naming.schema,
    )
    op.create_table(
        naming.plain("retired_keys"),
        _key("tenant", Integer),
        _key("kind", Text),
        _key("owner", LargeBinary),
        _given("generation", BigInteger),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )
    op.create_table(
        naming.plain("key_stores"),
        _key("id", LargeBinary),
        schema=naming.schema,
        sqlite_with_rowid=False,
    )


def downgrade(naming: Naming) -> None:
    """Refuse: history is not taken down."""
    message = f"the tables of {naming.prefix or 'the store'} hold history and are not dropped"
    raise NotImplementedError(message)
