"""Opening a store on a server that does not let it, and on one that was restored from a dump.

Why a connection is refused stands in the server's own words, which each version may put in others.
"""

import subprocess
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from eventstore import StoreBusy, StoreUnavailable
from eventstore.testing.postgres_binaries import find_binaries
from eventstore.testing.postgres_process import PASSWORD_USER
from eventstore.testing.postgres_server import PostgresServer
from tests.postgres.bad_days import open_at, say, texts, unavailable
from tests.postgres.proxy import Proxy

TRANSACTIONS_AHEAD = 2_000


def test_a_wrong_password(server, migrated, way):
    url = server.url(database=migrated, user=PASSWORD_USER, password="open-sesame")
    with pytest.raises(StoreUnavailable) as caught, open_at(url, way):
        pass
    unavailable(caught, "password")


def test_no_such_database(server, way):
    with (
        pytest.raises(StoreUnavailable) as caught,
        open_at(server.url(database="nowhere"), way),
    ):
        pass
    unavailable(caught, "no_such_database")


def test_nobody_answers(url, way):
    with Proxy(0) as proxy:
        port = proxy.port
    nobody = make_url(url).set(port=port)
    with pytest.raises(StoreUnavailable) as caught, open_at(nobody, way):
        pass
    unavailable(caught, "connection_lost")


@contextmanager
def a_stranger_in(server, database):
    """The URL of a user who may connect and nothing else."""
    name = f"stranger_{database}"
    role = sql.Identifier(name)
    with psycopg.connect(server.dsn(database=database), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        admin.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        yield server.url(database=database, user=name)
        admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
        admin.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.fixture
def stranger(server, migrated):
    with a_stranger_in(server, migrated) as url:
        yield url


def test_no_permission_to_make_tables(server, database, way):
    with (
        a_stranger_in(server, database) as stranger,
        pytest.raises(StoreUnavailable) as caught,
        open_at(stranger, way),
    ):
        pass
    unavailable(caught, "no_permission")


def test_no_permission_to_write(url, stranger, admin, way):
    with open_at(url, way):
        pass
    who = sql.Identifier(str(make_url(stranger).username))
    admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(who))
    with open_at(stranger, way, migrate="check") as store:
        with pytest.raises(StoreUnavailable) as caught:
            store.threads.create()
        unavailable(caught, "no_permission")
        assert list(store.threads.list()) == []


def test_a_user_who_may_not_see_others_is_told_what_can_be_seen(url, stranger, admin, way):
    with open_at(url, way):
        pass
    who = sql.Identifier(str(make_url(stranger).username))
    admin.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}").format(who))
    with (
        psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string()) as other,
        open_at(stranger, way, migrate="check") as store,
    ):
        other.execute("SELECT pg_current_xact_id()")
        held = store.health().held_back_by
        assert held is not None
        assert (held.pid, held.since) == (other.info.backend_pid, None)


@pytest.fixture(scope="module")
def narrow():
    with PostgresServer(durable=False, max_connections=8) as server:
        yield server


def test_the_server_allows_no_more_connections(narrow, way):
    held = [psycopg.connect(narrow.dsn()) for _ in range(8)]
    with pytest.raises(StoreBusy, match="no more connections"), open_at(narrow.url(), way):
        pass
    for connection in held:
        connection.close()
    with open_at(narrow.url(), way) as store:
        store.threads.create()


@pytest.fixture(scope="module", params=["fsync", "synchronous_commit"])
def hasty(request):
    """A server that acknowledges what it has not synced, by one setting or the other."""
    with PostgresServer(settings={"fsync": "on", request.param: "off"}) as server:
        yield server, request.param


def test_a_server_that_acknowledges_too_early_is_refused(hasty, way):
    server, setting = hasty
    with (
        pytest.raises(StoreUnavailable, match=f"{setting} is off") as caught,
        open_at(server.url(), way, durability="full"),
    ):
        pass
    unavailable(caught, "unsafe_settings")
    with open_at(server.url(), way, durability="as_is"):
        pass


@pytest.fixture(scope="module")
def young(server):
    """Another server, on which hardly anything has happened yet."""
    with PostgresServer(major=server.major, durable=False) as new:
        yield new


def dump_and_restore(old, new, major):
    """Do what pg_dump and psql do: the schema, then the rows, then where sequences are."""
    binaries = next(found for found in find_binaries() if found.major == major)
    dumped = subprocess.run(
        [binaries.folder / "pg_dump", "--no-owner", old], check=True, capture_output=True
    )
    subprocess.run(
        [binaries.folder / "psql", "--quiet", "-v", "ON_ERROR_STOP=1", new],
        input=dumped.stdout,
        check=True,
        capture_output=True,
    )


def test_a_database_restored_from_a_dump_goes_on_in_order(server, young, migrated, url, way):
    """A new server counts transactions from the start: what is written now still comes later."""
    with psycopg.connect(server.dsn(database=migrated), autocommit=True) as connection:
        for _ in range(TRANSACTIONS_AHEAD):
            connection.execute("SELECT pg_current_xact_id()")
    with open_at(url, way) as store:
        thread = store.threads.create()
        say(store, thread.id, "before")
        seen = list(store.events.read_all())
    place = young.create_database()
    dump_and_restore(server.dsn(database=migrated), young.dsn(database=place), server.major)
    with open_at(young.url(database=place), way) as store:
        say(store, thread.id, "after")
        events = list(store.events.read_all())
        assert [event.version for event in events] == [1, 2, 3]
        assert events[:2] == seen
        [later] = store.events.read_all(after=seen[-1].position)
        assert later.version == 3
        assert later.position.epoch == seen[-1].position.epoch + 1
        assert later.position.transaction < seen[-1].position.transaction
        assert texts(store, thread.id) == ["before", "after"]
        assert store.projections.compare().findings == ()
