"""The schema: what the migrations make is what the code believes."""

import sqlite3
from contextlib import closing

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from eventstore import ConversationStore, StoreUnavailable
from eventstore.storage.migrations import HEAD, REVISIONS, remembered
from eventstore.storage.tables import TABLES, metadata_for
from tests.storage.lives import ask

PREFIXES = ["", "chat_", "_"]


def schema(path):
    return ask(path, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_migrated_database_has_the_tables_that_the_code_believes_in(path, prefix):
    ConversationStore.open(f"sqlite:///{path}", prefix=prefix).close()
    engine = create_engine(f"sqlite:///{path}")
    options = {"compare_type": True, "version_table": f"{prefix}eventstore_revision"}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata_for(prefix)) == []
    engine.dispose()


def test_tables_made_from_the_code_are_the_migrated_ones_to_the_letter(path, tmp_path):
    """Also what Alembic does not compare: keys, AUTOINCREMENT, WITHOUT ROWID."""
    ConversationStore.open(f"sqlite:///{path}").close()
    engine = create_engine(f"sqlite:///{tmp_path / 'made.db'}")
    metadata_for().create_all(engine)
    engine.dispose()

    def tables(file):
        sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
        found = {name: " ".join(text.split()) for name, text in ask(file, sql)}
        return {name: found[name] for name in TABLES}

    assert tables(path) == tables(tmp_path / "made.db")


@pytest.fixture
def nothing_remembered(monkeypatch):
    monkeypatch.setattr(remembered, "_ran", {})


@pytest.mark.usefixtures("nothing_remembered")
def test_the_next_databases_of_a_process_are_made_without_alembic_and_the_same(
    tmp_path, monkeypatch
):
    def made(name, prefix):
        ConversationStore.open(f"sqlite:///{tmp_path / name}", prefix=prefix).close()
        revision = f"SELECT version_num FROM {prefix}eventstore_revision"
        return schema(tmp_path / name), ask(tmp_path / name, revision)

    first = {prefix: made(f"first{prefix}.db", prefix) for prefix in PREFIXES}
    monkeypatch.setattr(MigrationContext, "run_migrations", None)
    assert {prefix: made(f"next{prefix}.db", prefix) for prefix in PREFIXES} == first


@pytest.mark.usefixtures("nothing_remembered")
def test_a_migration_that_failed_is_not_what_the_next_database_is_given(path, monkeypatch):
    def fail(context, **_):
        context.connection.exec_driver_sql("CREATE TABLE half (id INTEGER)")
        raise LookupError

    with monkeypatch.context() as failing:
        failing.setattr(MigrationContext, "run_migrations", fail)
        with pytest.raises(LookupError):
            ConversationStore.open(f"sqlite:///{path}")
    ConversationStore.open(f"sqlite:///{path}").close()
    assert set(ask(path, "SELECT name FROM sqlite_master WHERE name = 'half'")) == set()
    assert ask(path, "SELECT version_num FROM eventstore_revision") == [(HEAD,)]


def test_every_table_is_named_once_for_sql():
    assert sorted(table.name for table in metadata_for().sorted_tables) == sorted(TABLES)


def test_two_stores_with_prefixes_share_a_file_and_nothing_else(path):
    url = f"sqlite:///{path}"
    with (
        ConversationStore.open(url, prefix="a_") as a,
        ConversationStore.open(url, prefix="b_") as b,
    ):
        thread = a.threads.create()
        a.messages.create(thread.id, role="user", content="x")
        assert [*b.threads.list(), *b.events.read_all()] == []
        assert b.threads.create(thread_id=thread.id).version == 1
    triggers = {row[1] for row in schema(path) if row[0] == "trigger"}
    assert triggers == {
        f"{prefix}{trigger}"
        for prefix in ("a_", "b_")
        for trigger in (
            *[f"events_no_{verb}" for verb in ("replace", "update", "delete", "last_delete")],
            *[f"blobs_no_{verb}" for verb in ("replace", "update", "delete")],
        )
    }


def test_opening_again_changes_nothing(lived):
    before = schema(lived), ask(lived, "SELECT * FROM eventstore_revision")
    ConversationStore.open(f"sqlite:///{lived}").close()
    assert (schema(lived), ask(lived, "SELECT * FROM eventstore_revision")) == before
    assert before[1] == [(HEAD,)] == [(REVISIONS[-1],)]


def test_check_looks_and_makes_nothing(path):
    with pytest.raises(StoreUnavailable, match=f"'{HEAD}' is needed") as caught:
        ConversationStore.open(f"sqlite:///{path}", migrate="check")
    assert caught.value.reason == "not_migrated"
    assert schema(path) == []
    ConversationStore.open(f"sqlite:///{path}").close()
    ConversationStore.open(f"sqlite:///{path}", migrate="check").close()


def test_off_does_not_even_look(path):
    with ConversationStore.open(f"sqlite:///{path}", migrate="off") as store:
        assert schema(path) == []
        with pytest.raises(StoreUnavailable):
            store.threads.create()
    assert schema(path) == []


def test_tables_that_are_missing_are_named_when_nobody_looked(path):
    with (
        ConversationStore.open(f"sqlite:///{path}", migrate="off") as store,
        pytest.raises(StoreUnavailable) as caught,
    ):
        store.threads.create()
    assert caught.value.reason == "not_migrated"


def test_a_migration_that_fails_leaves_the_database_as_it_was(path):
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE other (x)")
        database.execute("CREATE VIEW assistants AS SELECT x FROM other")  # the last table's name
        database.commit()
    before = schema(path)
    with pytest.raises(StoreUnavailable):
        ConversationStore.open(f"sqlite:///{path}")
    assert schema(path) == before
