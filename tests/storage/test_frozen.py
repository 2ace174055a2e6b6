"""Databases of every released schema open, migrate, and tell the same as when they were made."""

import json
import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore
from eventstore.storage.migrations import HEAD, REVISIONS
from tests.storage.frozen.make import HERE, dump, restore, states_of
from tests.storage.lives import ask, environment, full_life

FROZEN = sorted(HERE.glob("*.sql"))

every_frozen = pytest.mark.parametrize("frozen", FROZEN, ids=lambda file: file.stem)


@pytest.fixture
def opened(frozen, path):
    """The frozen database, migrated by opening it."""
    restore(frozen.read_text(encoding="utf-8"), path)
    with ConversationStore.open(f"sqlite:///{path}") as store:
        yield store


def test_there_is_one_of_every_schema():
    assert [file.stem for file in FROZEN] == list(REVISIONS), "python -m tests.storage.frozen.make"


@every_frozen
def test_it_opens_and_tells_the_same(frozen, opened):
    told = json.loads(frozen.with_suffix(".json").read_text(encoding="utf-8"))
    assert states_of(opened) == told


@every_frozen
def test_its_tables_are_what_its_events_say(frozen, opened, path):  # noqa: ARG001
    assert opened.projections.compare().ok
    opened.projections.rebuild()
    assert opened.projections.compare().ok
    assert ask(path, "SELECT version_num FROM eventstore_revision") == [(HEAD,)]


@every_frozen
def test_it_can_be_written_to(frozen, opened):  # noqa: ARG001
    for thread in opened.threads.list().iter():
        said = opened.messages.create(thread.id, role="user", content="Still here?")
        assert said.version == thread.version + 1
    assert opened.projections.compare().ok


@every_frozen
def test_migrating_changes_no_event(frozen, opened, path):  # noqa: ARG001
    untouched = path.with_name("untouched.db")
    restore(frozen.read_text(encoding="utf-8"), untouched)
    with closing(sqlite3.connect(untouched)) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(events)")]
    sql = f"SELECT {', '.join(names)} FROM events ORDER BY position"
    assert ask(path, sql) == ask(untouched, sql)


def test_the_newest_one_is_what_would_be_made_today(tmp_path):
    """Until it is released it may be made again; after that a difference is a mistake."""
    with ConversationStore.open(
        f"sqlite:///{tmp_path / 'now.db'}", environment=environment()
    ) as store:
        full_life(store)
    newest = (HERE / f"{HEAD}.sql").read_text(encoding="utf-8")
    assert dump(tmp_path / "now.db") == newest
