"""A backup takes the place of a database while stores have it open: each connection is a new one.

Nothing that a store remembered of the database before may be used on the one after.
"""

import logging

import psycopg
import pytest
from sqlalchemy import create_engine

from eventstore import ConversationStore
from tests.postgres.bad_days import open_at

pytestmark = pytest.mark.newest_postgres

GONE = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE datname = %s AND pid <> pg_backend_pid()
"""


@pytest.fixture
def place(server):
    """A database of its own, and what takes a backup of it and puts that in its place."""
    name = server.create_database()
    with psycopg.connect(server.dsn(), autocommit=True) as admin:

        def back_up():
            admin.execute(GONE, (name,))
            return server.create_database(template=name)

        def restore(backup):
            server.drop_database(name)
            server.create_database(name, template=backup)

        yield server.url(database=name), back_up, restore
    server.drop_database(name)


def say(store, tenant, text):
    bound = store.tenant(tenant)
    thread = bound.threads.create(title=text)
    bound.messages.create(thread.id, role="user", content=text)
    return thread.id


def said(store, tenant):
    bound = store.tenant(tenant)
    threads = bound.threads.list()
    words = {message.text for one in threads for message in bound.messages.list(one.id)}
    assert words == {one.title for one in threads}
    return words


@pytest.mark.parametrize("first", ["a write", "a read"])
def test_nobody_reads_anothers_words_after_an_older_backup_took_its_place(
    place, way, first, caplog
):
    url, back_up, restore = place
    with open_at(url, way) as store, ConversationStore.open(url, durability="as_is") as other:
        say(store, "first", "first")
        backup = back_up()
        say(store, "alice", "lost")
        assert said(store, "alice") == {"lost"}
        restore(backup)
        say(other, "bob", "bob's")  # gets the number that was Alice's
        caplog.clear()
        if first == "a write":
            say(store, "alice", "after")
        assert said(store, "alice") == ({"after"} if first == "a write" else set())
        assert [one.name for one in caplog.records] == ["eventstore.postgres"]
        assert said(store, "bob") == {"bob's"}
        assert said(store, "first") == {"first"}


def test_a_name_that_was_only_read_is_forgotten_too(place, way):
    """The events that were there when its connection was made are in the backup."""
    url, back_up, restore = place
    with open_at(url, way) as reader, ConversationStore.open(url, durability="as_is") as writer:
        say(writer, "first", "first")
        backup = back_up()
        assert said(reader, "first") == {"first"}
        say(writer, "alice", "lost")
        assert said(reader, "alice") == {"lost"}
        restore(backup)
        say(writer, "bob", "bob's")
        assert said(reader, "alice") == set()
        assert said(reader, "bob") == {"bob's"}


def test_an_engine_of_the_application_notices_too(place):
    url, back_up, restore = place
    engine = create_engine(url)
    with (
        ConversationStore.open(engine, durability="as_is") as store,
        ConversationStore.open(url, durability="as_is") as other,
    ):
        say(store, "first", "first")
        engine.dispose()
        backup = back_up()
        say(store, "alice", "lost")
        engine.dispose()
        restore(backup)
        say(other, "bob", "bob's")
        assert said(store, "alice") == set()
        say(store, "alice", "after")
        assert said(store, "alice") == {"after"}
        assert said(store, "bob") == {"bob's"}
    engine.dispose()


def test_a_new_connection_to_the_same_database_forgets_nothing(url, way, admin, caplog):
    with open_at(url, way) as store, ConversationStore.open(url, durability="as_is") as other:
        say(store, "alice", "one")
        other.tenant("alice").privacy.purge(say(store, "alice", "gone"))
        say(other, "bob", "bob's")
        admin.execute(GONE.replace("%s", "current_database()"))
        assert said(store, "alice") == {"one"}
        say(store, "alice", "two")
        assert said(store, "alice") == {"one", "two"}
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]
