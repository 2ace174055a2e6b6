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
from sqlalchemy.schema import SchemaItem
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


class _Maker:
    """Makes the tables and indexes of one store."""

    def __init__(self, naming: Naming) -> None:
        self._naming = naming

    def table(self, name: str, *columns: SchemaItem, rowid: bool = False) -> None:
        op.create_table(
            self._naming.plain(name),
            *columns,
            schema=self._naming.schema,
            sqlite_with_rowid=rowid,
        )

    def of_thread(self, name: str, *columns: SchemaItem, rowid: bool = False) -> None:
        began = _key("tenant", Integer), _key("thread", LargeBinary)
        self.table(name, *began, *columns, rowid=rowid)

    def of_stream(self, name: str, *columns: SchemaItem, rowid: bool = False) -> None:
        began = _key("tenant", Integer), _key("category", Integer), _key("stream", LargeBinary)
        self.table(name, *began, *columns, rowid=rowid)

    def index(
        self,
        name: str,
        table: str,
        columns: list[str],
        *,
        unique: bool = False,
        where: str | None = None,
    ) -> None:
        """Create an index of a table, or of those of its rows for which ``where`` holds."""
        some = None if where is None else text(where)
        op.create_index(
            self._naming.plain(name),
            self._naming.plain(table),
            columns,
            unique=unique,
            schema=self._naming.schema,
            sqlite_where=some,
            postgresql_where=some,
        )


def _sqlite_log(make: _Maker, _: Naming) -> None:
    make.table(
        "events",
        _serial("position"),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _given("tenant", Integer),
        _given("category", Integer),
        _given("stream", LargeBinary),
        _given("version", BigInteger),
        *_event(),
        rowid=True,
    )
    make.index(
        "events_by_version", "events", ["tenant", "category", "stream", "version"], unique=True
    )


def _postgres_log(make: _Maker, naming: Naming) -> None:
    make.table(
        "events",
        _given("position", _BigSerial()),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _key("tenant", Integer),
        _key("category", Integer),
        _key("stream", LargeBinary),
        _key("version", BigInteger),
        *_event(),
        rowid=True,
    )
    make.index("events_in_order", "events", ["epoch", "xid", "position"])
    make.table("epochs", _key("epoch", Integer), rowid=True)
    op.execute(naming.sql("INSERT INTO {epochs} (epoch) VALUES (1)"))


_LOG = {"sqlite": _sqlite_log, "postgresql": _postgres_log}

_RANDOM_ID = {"sqlite": "randomblob(16)", "postgresql": "uuid_send(gen_random_uuid())"}
"""Drawn by the database: the SQL of a first migration is run again on the next empty database."""


def upgrade(naming: Naming) -> None:
    """Make everything; a single step, so it reads top to bottom as the schema does."""
    make, dialect = _Maker(naming), op.get_bind().dialect.name
    make.table("store", _key("id", LargeBinary))
    op.execute(naming.sql(f"INSERT INTO {{store}} (id) VALUES ({_RANDOM_ID[dialect]})"))
    make.table("tenants", _serial("id"), _given("name", Text), UniqueConstraint("name"), rowid=True)
    make.table(
        "categories", _serial("id"), _given("name", Text), UniqueConstraint("name"), rowid=True
    )
    _LOG[dialect](make, naming)
    theirs = ["tenant", "subject", "category", "stream", "version"]
    make.index("events_by_subject", "events", theirs, where="subject IS NOT NULL")
    make.of_stream("blobs", _key("version", BigInteger), _given("content", LargeBinary), rowid=True)
    make.of_stream(
        "streams",
        _given("version", BigInteger),
        _given("recorded_at", BigInteger),
        _given("hash", LargeBinary),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _maybe("summary", LargeBinary),
    )
    make.of_stream(
        "idempotency_keys",
        _key("key", Text),
        _given("salt", LargeBinary),
        _given("digest", LargeBinary),
        _given("first_version", BigInteger),
        _given("last_version", BigInteger),
        _maybe("ends", LargeBinary),
    )
    make.of_stream(
        "erasing",
        _key("version", BigInteger),
        _key("part", Integer),
        _given("versions", LargeBinary),
        _given("keys", LargeBinary),
    )
    make.of_stream("purging")
    make.of_thread(
        "threads",
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
    )
    make.index("threads_by_creation", "threads", ["tenant", "created_position", "thread"])
    forks = "fork_thread IS NOT NULL"
    make.index("threads_by_source", "threads", ["fork_thread"], where=forks)
    make.of_thread(
        "messages",
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
    )
    make.index("messages_by_id", "messages", ["message", "tenant", "thread"], unique=True)
    make.index("messages_inherited", "messages", ["thread", "depth"], where="hop > 0")
    for name, columns, where in (
        ("messages_removed", ["thread", "hop", "segment", "depth"], "removed IS NOT NULL"),
        ("messages_removed_below", ["thread", "parent", "hop", "segment"], "removed IS NOT NULL"),
        ("messages_changed", ["thread", "changed"], "changed IS NOT NULL"),
    ):
        make.index(name, "messages", columns, where=where)
    make.of_thread(
        "segments",
        _key("hop", Integer),
        _key("segment", BigInteger),
        _given("parent_hop", Integer),
        _given("parent_segment", BigInteger),
        _given("parent_depth", BigInteger),
        _given("ordinal", Integer),
    )
    make.index(
        "segments_by_parent",
        "segments",
        ["tenant", "thread", "parent_hop", "parent_segment", "parent_depth", "segment"],
    )
    make.of_thread(
        "branch_points",
        _key("hop", Integer),
        _key("segment", BigInteger),
        _key("depth", BigInteger),
        _given("children", Integer),
        _given("removed", Integer),
        _maybe("active_hop", Integer),
        _maybe("active_segment", BigInteger),
    )
    make.index("branch_points_inherited", "branch_points", ["thread", "depth"], where="hop > 0")
    make.of_thread("labels", _key("message", LargeBinary), _maybe("label", Text))
    make.index("labels_by_label", "labels", ["tenant", "thread", "label"])
    make.of_thread("touches", _key("subject", LargeBinary), _key("version", BigInteger))
    make.of_thread(
        "snapshots",
        _key("version", BigInteger),
        _given("hash", LargeBinary),
        _given("state", LargeBinary),
        rowid=True,
    )
    make.of_thread("tombstones", _given("version", BigInteger))
    make.of_thread(
        "thread_metadata",
        _key("key", Text),
        _given("value", Text),
        _given("created_position", BigInteger),
    )
    make.index(
        "thread_metadata_by_value",
        "thread_metadata",
        ["tenant", "key", "value", "created_position"],
    )
    make.of_thread("external_ids", _key("external_id", Text), _key("message", LargeBinary))
    make.of_thread(
        "runs",
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
    )
    make.index("runs_by_version", "runs", ["tenant", "thread", "version"])
    make.index("runs_by_status", "runs", ["tenant", "status", "created_position"])
    make.of_thread(
        "leases",
        _key("run", LargeBinary),
        Column("ends_at", BigInteger, nullable=False, server_default=text("0")),
    )
    make.of_thread(
        "steps",
        _key("step", LargeBinary),
        _given("run", LargeBinary),
        _given("version", BigInteger),
        _given("status", Integer),
    )
    make.index("steps_by_run", "steps", ["tenant", "thread", "run", "version"])
    make.of_thread(
        "run_chunks",
        _key("message", LargeBinary),
        _key("begins", BigInteger),
        _given("ends", BigInteger),
        _given("text", LargeBinary),
        rowid=True,
    )
    make.table(
        "projections",
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
    )
    make.table(
        "assistants",
        _key("tenant", Integer),
        _key("assistant", LargeBinary),
        _given("version", BigInteger),
        _given("created_position", BigInteger),
        _given("created_at", BigInteger),
        _given("updated_at", BigInteger),
        _given("deleted", Integer),
    )
    make.index("assistants_by_creation", "assistants", ["tenant", "created_position", "assistant"])
    _tree(make)
    _data_keys(make)
    create_triggers(op.get_bind(), naming)


def _tree(make: _Maker) -> None:
    make.table(
        "tree_leaves",
        _key("number", BigInteger),
        _given("tenant", Integer),
        _given("category", Integer),
        _given("stream", LargeBinary),
        _given("version", BigInteger),
        _given("hash", LargeBinary),
    )
    make.index("tree_leaves_by_stream", "tree_leaves", ["tenant", "category", "stream", "version"])
    make.table(
        "tree_nodes",
        _key("level", Integer),
        _key("number", BigInteger),
        _given("hash", LargeBinary),
    )
    make.table(
        "tree_heads",
        _key("number", BigInteger),
        _given("size", BigInteger),
        _given("root", LargeBinary),
        _given("issued_at", BigInteger),
        _given("key_id", Text),
        _given("signature", LargeBinary),
        _given("epoch", Integer),
        _given("xid", BigInteger),
        _given("position", BigInteger),
    )


def _data_keys(make: _Maker) -> None:
    make.table(
        "data_keys",
        _key("key_id", LargeBinary),
        _given("tenant", Text),
        _given("kind", Text),
        _given("owner", LargeBinary),
        _given("generation", BigInteger),
        _given("master", Text),
        _maybe("wrapped", LargeBinary),
        _given("uses", BigInteger),
    )
    make.index(
        "data_keys_by_owner", "data_keys", ["tenant", "kind", "owner", "generation"], unique=True
    )
    make.table(
        "retired_keys",
        _key("tenant", Integer),
        _key("kind", Text),
        _key("owner", LargeBinary),
        _given("generation", BigInteger),
    )
    make.table("key_stores", _key("id", LargeBinary))


def downgrade(naming: Naming) -> None:
    """Refuse: history is not taken down."""
    message = f"the tables of {naming.prefix or 'the store'} hold history and are not dropped"
    raise NotImplementedError(message)
