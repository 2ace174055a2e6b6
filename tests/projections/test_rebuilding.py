"""A rebuild makes every table what the events say, and leaves alone what says so already."""

import pytest

from eventstore import ConversationStore
from tests.projections.vandals import TABLES, contents, vandal
from tests.storage.lives import full_life

OURS = "tenant = (SELECT id FROM tenants WHERE name = '')"
"""What the store's own rebuild is asked for; another tenant's threads stand in the same tables."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def store(path):
    """A store in which every table has rows, of threads and forks."""
    with ConversationStore.open(f"sqlite:///{path}") as opened:
        full_life(opened)
        yield opened


@pytest.mark.parametrize("table", TABLES)
def test_rows_that_were_lost_come_back(store, path, table):
    before = contents(path)
    assert before[table]
    with vandal(path) as connection:
        connection.execute(f"DELETE FROM {table} WHERE {OURS}")
    assert not store.projections.compare().ok
    store.projections.rebuild()
    assert contents(path) == before
    assert store.projections.compare().ok


CHANGES = {
    "threads": "archived = 1 - archived",
    "messages": "revision = revision + 7",
    "segments": "ordinal = ordinal + 7",
    "branch_points": "children = children + 7",
    "runs": "steps = steps + 7",
    "steps": "status = 1 - status",
    "labels": "label = 'other'",
    "touches": "version = version + 100",
    "thread_metadata": "value = 's:other'",
    "external_ids": "external_id = 'other'",
    "streams": "summary = zeroblob(16)",
}


@pytest.mark.parametrize("table", CHANGES)
def test_rows_that_were_changed_are_mended(store, path, table):
    before = contents(path)
    where = "summary IS NOT NULL" if table == "streams" else "true"
    with vandal(path) as connection:
        connection.execute(f"UPDATE {table} SET {CHANGES[table]} WHERE {OURS} AND {where}")
    assert contents(path) != before
    store.projections.rebuild()
    assert contents(path) == before


ADDED = {
    "messages": {"depth": "depth + 1000", "message": "randomblob(16)"},
    "segments": {"segment": "segment + 1000"},
    "branch_points": {"depth": "depth + 1000"},
    "runs": {"run": "randomblob(16)"},
    "steps": {"step": "randomblob(16)"},
    "labels": {"message": "randomblob(16)"},
    "touches": {"version": "version + 1000"},
    "thread_metadata": {"key": "key || '?'"},
    "external_ids": {"external_id": "external_id || '?'"},
}


@pytest.mark.parametrize("table", ADDED)
def test_rows_that_no_event_made_go(store, path, table):
    before = contents(path)
    with vandal(path) as connection:
        columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
        values = ", ".join(ADDED[table].get(name, name) for name in columns)
        connection.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE {OURS} LIMIT 1")
    assert contents(path) != before
    store.projections.rebuild()
    assert contents(path) == before


def test_what_is_right_is_not_written_again(store, path):
    pages = path.with_name("chat.db-wal").stat().st_size
    report = store.projections.rebuild()
    assert report.threads > 1
    assert report.rows > report.threads
    assert path.with_name("chat.db-wal").stat().st_size == pages


def test_of_a_table_only_the_threads_that_differ_are_written(store, path):
    right = f"x'{store.threads.create(title='right').id.removeprefix('thread_')}'"
    with vandal(path) as connection:
        connection.execute(
            f"CREATE TRIGGER kept BEFORE DELETE ON threads WHEN OLD.thread = {right}"
            " BEGIN SELECT RAISE(ABORT, 'nothing is wrong with it'); END"
        )
        connection.execute(f"UPDATE threads SET archived = 1 WHERE thread <> {right}")
    store.projections.rebuild()
    assert store.projections.compare().ok
