"""A database that goes from test to test: the next one finds nothing of the one before."""

import psycopg
import pytest
from psycopg import sql

from eventstore import ConversationStore
from tests.postgres.databases import OTHERS, Databases


@pytest.fixture(scope="module")
def pool(newest):
    made = Databases(newest)
    yield made
    made.close()


def told_by_a_first_write(server, name):
    with ConversationStore.open(server.url(database=name), durability="as_is") as store:
        before = len(list(store.events.read_all()))
        store.threads.create(title="t")
        [event] = store.events.read_all()
        return before, event.position.sequence


def test_what_was_written_is_gone_and_counting_begins_anew(newest, pool):
    with pool.one() as first:
        assert told_by_a_first_write(newest, first) == (0, 1)
    with pool.one() as second:
        assert second == first
        assert told_by_a_first_write(newest, second) == (0, 1)


def test_tables_of_a_test_are_gone(newest, pool):
    with pool.one() as first, psycopg.connect(newest.dsn(database=first)) as connection:
        connection.execute("CREATE TABLE mine (x serial PRIMARY KEY)")
    with pool.one() as second, psycopg.connect(newest.dsn(database=second)) as connection:
        assert second == first
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_who_is_still_connected_does_not_hold_it_up(newest, pool):
    with pool.one() as first:
        left = psycopg.connect(newest.dsn(database=first))
        left.execute("LOCK events")
    with pool.one() as second:
        assert second == first
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()


def test_who_empties_it_may_be_sent_away_meanwhile(newest, pool):
    with pool.one() as first, psycopg.connect(newest.dsn(database=first)) as connection:
        connection.execute(OTHERS)
    with pool.one() as second:
        assert second == first


@pytest.mark.parametrize(
    "change",
    [
        "CREATE VIEW mine AS SELECT * FROM events",
        "DROP TABLE idempotency_keys",
        "ALTER TABLE events ADD COLUMN mine text",
        "ALTER TABLE events ALTER COLUMN content SET NOT NULL",
        "ALTER TABLE events DISABLE TRIGGER events_no_truncate",
        "CREATE INDEX mine ON events (recorded_at)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql RETURN 1",
        "GRANT SELECT ON events TO PUBLIC",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        "ALTER SEQUENCE events_position_seq INCREMENT BY 2",
        "UPDATE epochs SET epoch = 2",
        "DELETE FROM eventstore_revision",
    ],
)
def test_one_that_is_no_longer_as_it_was_made_is_not_lent_again(newest, pool, change):
    with pool.one() as first, psycopg.connect(newest.dsn(database=first)) as connection:
        connection.execute(sql.SQL(change).format(sql.Identifier(first)))
    with pool.one() as second:
        assert second != first
        assert told_by_a_first_write(newest, second)[0] == 0
    with psycopg.connect(newest.dsn()) as connection:
        there = connection.execute("SELECT FROM pg_database WHERE datname = %s", [first])
        assert there.fetchone() is None
