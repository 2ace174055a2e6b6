"""What goes wrong on a server: each with a clear error, and nothing lost.

It is told by codes that all versions share, so the newest is enough.
"""

import asyncio
import threading
from contextlib import contextmanager, suppress

import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    OutcomeUnknown,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.api.operations.operation import Maintenance, Write
from eventstore.testing.postgres_server import PostgresServer
from tests.postgres.bad_days import open_at, say, texts, unavailable
from tests.postgres.proxy import Proxy

pytestmark = pytest.mark.newest_postgres

SECONDS = 30
COMMIT = b"COMMIT\0"
"""As it is sent: READ COMMITTED, which every transaction begins with, is another thing."""


# -- writing ---------------------------------------------------------------------------------------


@contextmanager
def striking(admin, body):
    """Have every insert of an event run some PL/pgSQL first."""
    admin.execute(
        f"CREATE FUNCTION strike() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN {body}; RETURN NEW; END $$;"
        " CREATE TRIGGER strike BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION strike()"
    )
    yield
    admin.execute("DROP TRIGGER strike ON events; DROP FUNCTION strike()")


REFUSALS = {
    "53100": (StoreUnavailable, "disk is full"),
    "53200": (StoreUnavailable, "out of memory"),
    "57014": (StoreBusy, "statement_timeout"),
    "40P01": (StoreBusy, "deadlock"),
    "40001": (StoreBusy, "serialize"),
    "XX000": (StoreUnavailable, "XX000"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_what_the_server_refuses_is_told_and_leaves_nothing(url, admin, way, code):
    kind, told = REFUSALS[code]
    with open_at(url, way) as store:
        thread = store.threads.create()
        say(store, thread.id, "before")
        with (
            striking(admin, f"RAISE EXCEPTION 'sesame' USING ERRCODE = '{code}'"),
            pytest.raises(kind, match=told) as caught,
        ):
            say(store, thread.id, "open sesame")
        assert "sesame" not in str(caught.value)
        say(store, thread.id, "after")
        assert texts(store, thread.id) == ["before", "after"]
        assert store.projections.compare().findings == ()


def test_a_statement_that_takes_too_long(server, migrated, admin, way):
    admin.execute(
        sql.SQL("ALTER DATABASE {} SET statement_timeout = '200ms'").format(
            sql.Identifier(migrated)
        )
    )
    with open_at(server.url(database=migrated), way) as store:
        thread = store.threads.create()
        with (
            striking(admin, "PERFORM pg_sleep(30)"),
            pytest.raises(StoreBusy, match="statement_timeout"),
        ):
            say(store, thread.id, "slow")
        say(store, thread.id, "quick")
        assert texts(store, thread.id) == ["quick"]


def test_a_thread_that_is_held_is_told_of_and_holds_up_nobody_else(url, way):
    engine = create_engine(url)
    with open_at(url, way, busy_timeout_seconds=0.3) as store:
        held, free = store.threads.create(), store.threads.create()
        with ConversationStore.open(url, durability="as_is") as other, engine.begin() as mine:
            say(other, held.id, "mine", connection=mine)
            say(store, free.id, "goes on")
            with pytest.raises(StoreBusy, match="connection="):
                say(store, held.id, "has to wait")
            say(store, free.id, "and on")
        say(store, held.id, "now")
        assert texts(store, held.id) == ["mine", "now"]
        assert texts(store, free.id) == ["goes on", "and on"]
    engine.dispose()


def test_a_thread_that_is_let_go_in_time_is_written_to(url, admin, way):
    engine = create_engine(url)
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store:
        held, free = store.threads.create(), store.threads.create()
        connection = engine.connect()
        mine = connection.begin()
        with ConversationStore.open(url, durability="as_is") as other:
            say(other, held.id, "first", connection=connection)
        told = []
        waiting = threading.Thread(target=lambda: told.append(say(store, held.id, "second")))
        waiting.start()
        while admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
            assert waiting.is_alive()
        assert say(store, free.id, "not held up").version == 2
        mine.commit()
        waiting.join(SECONDS)
        assert [message.text for message in told] == ["second"]
        assert texts(store, held.id) == ["first", "second"]
        connection.close()
    engine.dispose()


def test_a_write_whose_connection_dies_while_it_waits_wrote_nothing(url, admin, way):
    engine = create_engine(url)
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store, engine.connect() as mine:
        held = store.threads.create()
        mine.exec_driver_sql("SELECT * FROM streams FOR UPDATE")
        told = []

        def wait():
            with pytest.raises(StoreUnavailable) as caught:
                say(store, held.id, "lost")
            told.append(caught.value.reason)

        waiting = threading.Thread(target=wait)
        waiting.start()
        ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"
        while not admin.execute(ended).fetchall():
            assert waiting.is_alive()
        waiting.join(SECONDS)
        assert told == ["connection_lost"]
        mine.rollback()
        say(store, held.id, "after")
        assert texts(store, held.id) == ["after"]
    engine.dispose()


def test_lost_connections_are_made_again_for_a_write_that_waits(url, admin, way):
    engine = create_engine(url)
    with open_at(url, way, busy_timeout_seconds=SECONDS) as store:
        held = store.threads.create()
        for _ in range(5):
            store.threads.get(held.id)
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with engine.connect() as mine:
            mine.exec_driver_sql("SELECT * FROM streams FOR UPDATE")
            waiting = threading.Thread(target=say, args=(store, held.id, "in the end"))
            waiting.start()
            while not admin.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchall():
                assert waiting.is_alive()
            mine.rollback()
            waiting.join(SECONDS)
        assert texts(store, held.id) == ["in the end"]
    engine.dispose()


def test_an_error_that_is_passed_over_inside_a_transaction_is_told_of(url, way):
    """The server answers COMMIT with ROLLBACK then, and that is no error to a driver."""
    with open_at(url, way) as store:

        def passing_over(tx):
            with suppress(Exception):
                tx.run("SELECT 1 / 0")

        with pytest.raises(StoreUnavailable, match="was swallowed"):
            store.perform(Write(Maintenance(passing_over)))
        store.threads.create()


def test_two_transactions_that_wait_for_each_other_are_told(url):
    """The application locks two threads in one order and in the other: one of them must lose."""
    engine = create_engine(url)
    with ConversationStore.open(url, durability="as_is") as store:
        a, b = store.threads.create().id, store.threads.create().id
        met = threading.Barrier(2, timeout=SECONDS)
        told = []

        def both(first, second):
            try:
                with engine.begin() as connection:
                    say(store, first, "1", connection=connection)
                    met.wait()
                    say(store, second, "2", connection=connection)
            except StoreBusy as error:
                told.append(error)

        threads = [threading.Thread(target=both, args=pair) for pair in [(a, b), (b, a)]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS)
        assert len(told) == 1
        assert "deadlock" in str(told[0])
        assert sorted(len(texts(store, one)) for one in (a, b)) == [1, 1]
    engine.dispose()


@contextmanager
def connected(url):
    """Lend a connection of an engine that is the application's."""
    engine = create_engine(url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def test_a_connection_of_another_database_is_refused(url):
    with ConversationStore.open("sqlite://") as there, open_at(url, "psycopg") as here:
        for store, other in ((here, "sqlite://"), (there, url)):
            with connected(other) as connection, pytest.raises(InvalidInput, match="runs on anot"):
                store.threads.create(connection=connection)
            store.threads.create()


def test_a_connection_of_another_driver_is_refused(url):
    async def attempt():
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
        async with AsyncConversationStore.open(url, durability="as_is") as store:
            async with engine.connect() as connection:
                with pytest.raises(InvalidInput, match="of postgresql with asyncpg"):
                    await store.threads.create(connection=connection)
            await store.threads.create()
        await engine.dispose()

    asyncio.run(attempt())


def test_an_application_that_serializes_is_told_when_it_cannot(url):
    engine = create_engine(url, isolation_level="SERIALIZABLE")
    with ConversationStore.open(url, durability="as_is") as store:
        thread = store.threads.create()
        with engine.connect() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM threads")
            say(store, thread.id, "meanwhile")
            with pytest.raises(StoreBusy, match="serialize"):
                say(store, thread.id, "too late", connection=connection)
        assert texts(store, thread.id) == ["meanwhile"]
    engine.dispose()


def test_a_connection_on_which_nothing_can_belong_to_a_transaction_is_refused(url):
    with ConversationStore.open(url, durability="as_is") as store, connected(url) as connection:
        with pytest.raises(ProgrammingError):
            connection.exec_driver_sql("SELECT 1 FROM nowhere")
        with pytest.raises(StoreUnavailable, match="failed earlier") as caught:
            store.threads.create(connection=connection)
        unavailable(caught, "transaction_failed")
        connection.rollback()
        alone = connection.execution_options(isolation_level="AUTOCOMMIT")
        with pytest.raises(InvalidInput, match="AUTOCOMMIT"):
            store.threads.create(connection=alone)


# -- a server that goes ----------------------------------------------------------------------------


@pytest.fixture
def proxied(url):
    port = make_url(url).port
    assert port is not None
    with Proxy(port) as proxy:
        yield proxy, make_url(url).set(port=proxy.port)


def test_a_connection_that_breaks_before_commit_wrote_nothing(proxied, way):
    proxy, url = proxied
    with open_at(url, way) as store:
        thread = store.threads.create()
        proxy.cut_after(b"nextval")
        with pytest.raises(StoreUnavailable) as caught:
            say(store, thread.id, "lost")
        unavailable(caught, "connection_lost")
        assert proxy.cuts == 1
        say(store, thread.id, "after")
        assert texts(store, thread.id) == ["after"]


def test_an_answer_that_was_lost_is_not_taken_for_a_no(proxied, way):
    proxy, url = proxied
    with open_at(url, way) as store:
        thread = store.threads.create()
        proxy.cut_after(COMMIT)
        with pytest.raises(OutcomeUnknown):
            say(store, thread.id, "kept all the same")
        assert proxy.cuts == 1
        assert texts(store, thread.id) == ["kept all the same"]
        assert store.projections.compare().findings == ()


def test_with_its_key_a_write_whose_answer_was_lost_is_recognised(proxied, way):
    proxy, url = proxied
    with open_at(url, way) as store:
        thread = store.threads.create()
        proxy.cut_after(COMMIT)
        with pytest.raises(OutcomeUnknown):
            say(store, thread.id, "once", idempotency_key="k")
        again = say(store, thread.id, "once", idempotency_key="k")
        assert (again.text, again.version) == ("once", 2)
        assert texts(store, thread.id) == ["once"]


def test_an_answer_lost_while_many_write_is_told_to_each_of_them(proxied):
    proxy, url = proxied

    async def main():
        made = make_url(url).set(drivername="postgresql+asyncpg")
        async with AsyncConversationStore.open(made, durability="as_is") as store:
            thread = await store.threads.create()

            async def one(n):
                return await store.messages.create(
                    thread.id, role="user", content=str(n), idempotency_key=str(n)
                )

            proxy.cut_after(COMMIT)
            told = await asyncio.gather(*map(one, range(20)), return_exceptions=True)
            unknown = [answer for answer in told if isinstance(answer, OutcomeUnknown)]
            assert unknown
            assert len(set(map(id, unknown))) == len(unknown)
            await asyncio.gather(*map(one, range(20)))
            found = [message.text for message in await store.messages.list(thread.id, limit=None)]
            assert sorted(found, key=int) == [str(n) for n in range(20)]

    asyncio.run(main())


def test_a_connection_that_was_lost_while_idle_is_made_again(url, admin, way):
    with open_at(url, way) as store:
        thread = store.threads.create()
        for text in ("one", "two"):
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            say(store, thread.id, text)
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert texts(store, thread.id) == ["one", "two"]


def test_a_server_that_was_killed_and_came_back_has_all_that_was_acknowledged(way):
    with PostgresServer(durable=True) as server, open_at(server.url(), way) as store:
        thread = store.threads.create()
        kept = [say(store, thread.id, str(n)).id for n in range(20)]
        server.kill()
        with pytest.raises((StoreUnavailable, OutcomeUnknown)):
            say(store, thread.id, "nobody there")
        server.restart()
        kept.append(say(store, thread.id, "back").id)
        assert [message.id for message in store.messages.list(thread.id, limit=None)] == kept
        assert store.projections.compare().findings == ()


def test_a_server_that_only_reads_says_so(admin, migrated, url, way):
    with open_at(url, way):
        pass
    admin.execute(
        sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(
            sql.Identifier(migrated)
        )
    )
    with open_at(url, way, migrate="check") as store:
        with pytest.raises(StoreUnavailable) as caught:
            store.threads.create()
        unavailable(caught, "read_only")
        assert list(store.threads.list()) == []
