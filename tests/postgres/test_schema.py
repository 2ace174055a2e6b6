"""The schema on PostgreSQL: what the migrations make, what the code believes, what is kept."""

from contextlib import contextmanager

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from eventstore import ConversationStore, SchemaTooNew, StoreUnavailable
from eventstore.storage.tables import TABLES, metadata_for
from tests.concurrency.schedules import Child, signals
from tests.storage.tables_of_threads import OF_THREADS

PROCESSES = 10
OF_TREE = {"tree_leaves", "tree_nodes", "tree_heads"}
"""One tree for all streams, of which a head covers the whole store: no node has one of its own."""
OF_STREAMS = {"events", "blobs", "streams", "idempotency_keys", "purging", "erasing"}


@pytest.fixture
def url(server, database):
    return server.url(database=database)


@pytest.fixture
def dsn(server, database):
    return server.dsn(database=database)


def opened(url, **options):
    return ConversationStore.open(url, durability="as_is", **options)


@contextmanager
def engine_at(url):
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("prefix", ["", "chat_"])
def test_a_migrated_database_has_the_tables_that_the_code_believes_in(url, prefix):
    opened(url, prefix=prefix).close()
    options = {"compare_type": True, "version_table": f"{prefix}eventstore_revision"}
    with engine_at(url) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata_for(prefix, dialect="postgresql")) == []


def test_no_key_spans_threads_so_that_tables_can_be_partitioned_by_thread(url):
    """Hash partitioning asks for the thread in every unique index."""
    opened(url).close()
    with engine_at(url) as engine:
        schema = inspect(engine)
        for table in OF_THREADS | OF_STREAMS:
            column = "thread" if table in OF_THREADS else "stream"
            keys = [schema.get_pk_constraint(table)["constrained_columns"]]
            keys += [
                index["column_names"] for index in schema.get_indexes(table) if index["unique"]
            ]
            keys += [one["column_names"] for one in schema.get_unique_constraints(table)]
            assert keys, table
            assert all(column in key for key in keys), (table, keys)
            assert schema.get_foreign_keys(table) == [], table


def test_every_table_is_either_of_threads_of_streams_of_the_tree_or_small():
    rest = set(TABLES) - OF_THREADS - OF_STREAMS - OF_TREE - {"run_chunks"}
    assert {"tenants", "categories", "assistants"} <= rest
    keys = {"data_keys", "retired_keys", "key_stores"}  # of encryption
    assert rest <= {"store", "tenants", "categories", "assistants", "projections", *keys}


# -- history is kept -------------------------------------------------------------------------------


@pytest.fixture
def lived(server, migrated):
    with opened(server.url(database=migrated)) as store:
        thread = store.threads.create(title="t")
        store.messages.create(thread.id, role="user", content="hello")
        store.messages.create(thread.id, role="user", content="hello " * 10_000)
    with psycopg.connect(server.dsn(database=migrated)) as connection:
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = 'x'",
        "UPDATE events SET version = version + 10",
        "UPDATE events SET xid = xid + 1",
        "UPDATE events SET content = 'other'",
        "UPDATE events SET content = NULL, salt = NULL",
        "UPDATE events SET content = NULL, salt = NULL, commitment = 'short'",
        "DELETE FROM events",
        "TRUNCATE events",
        "TRUNCATE events CASCADE",
        "INSERT INTO events SELECT * FROM events",
        (
            "INSERT INTO events SELECT * FROM events"
            " ON CONFLICT (tenant, category, stream, version) DO UPDATE SET data = 'x'"
        ),
        "UPDATE events SET content = ''",
        "UPDATE blobs SET content = 'x'",
        "UPDATE blobs SET version = version + 1",
        "DELETE FROM blobs",
        "TRUNCATE blobs",
        "TRUNCATE events, blobs CASCADE",
        "INSERT INTO blobs SELECT * FROM blobs",
        (
            "INSERT INTO blobs SELECT * FROM blobs"
            " ON CONFLICT (tenant, category, stream, version) DO UPDATE SET content = 'x'"
        ),
    ],
)
def test_history_cannot_be_changed(lived, statement):
    with pytest.raises(psycopg.Error) as caught:
        lived.execute(statement)
    assert caught.value.sqlstate in {"P0001", "23505"}
    lived.rollback()
    assert lived.execute("SELECT count(*) FROM events").fetchone() == (3,)
    assert lived.execute("SELECT length(content) FROM blobs").fetchall() == [(60_011,)]


def test_content_may_go_if_its_commitment_stays(lived):
    changed = lived.execute(
        "UPDATE events SET content = NULL, salt = NULL, commitment = sha256(content)"
    )
    assert changed.rowcount == 3
    assert lived.execute("DELETE FROM blobs").rowcount == 1


def test_a_stream_that_is_being_purged_may_go_its_blobs_last(lived):
    lived.execute("INSERT INTO purging SELECT tenant, category, stream FROM streams")
    with pytest.raises(psycopg.Error, match="goes after the content"), lived.transaction():
        lived.execute("DELETE FROM blobs")
    assert lived.execute("DELETE FROM events").rowcount == 3
    assert lived.execute("DELETE FROM blobs").rowcount == 1


# -- migrating -------------------------------------------------------------------------------------


@pytest.mark.newest_postgres
def test_ten_processes_that_start_at_once_migrate_once(url):
    with signals(2) as (ready, go):

        def act():
            ready.give()
            go.wait()
            with opened(url) as store:
                store.threads.create()

        children = [Child(act) for _ in range(PROCESSES)]
        for _ in children:
            ready.wait()
        for _ in children:
            go.give()
        assert [child.wait() for child in children] == [0] * PROCESSES
    with opened(url) as store:
        assert len(list(store.threads.list(limit=None))) == PROCESSES


def test_a_database_that_is_only_looked_at_is_not_migrated(url, dsn):
    with pytest.raises(StoreUnavailable) as caught:
        opened(url, migrate="check")
    assert caught.value.reason == "not_migrated"
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert found.fetchone() == (0,)
    opened(url).close()
    opened(url, migrate="check").close()


def test_tables_that_are_missing_are_named_when_nobody_looked(url):
    with opened(url, migrate="off") as store, pytest.raises(StoreUnavailable) as caught:
        store.threads.create()
    assert caught.value.reason == "not_migrated"


def test_a_database_of_a_newer_version_is_refused(url):
    opened(url).close()
    with engine_at(url) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE eventstore_revision SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew):
        opened(url)


def test_tables_of_somebody_else_are_not_taken(url, dsn):
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE TABLE messages (text text)")
    with pytest.raises(StoreUnavailable) as caught:
        opened(url)
    assert caught.value.reason == "names_taken"
    opened(url, prefix="mine_").close()
