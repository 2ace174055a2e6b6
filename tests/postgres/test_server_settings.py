"""Databases and roles that are set up in another way than most are."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore, StoreUnavailable
from eventstore.testing.conformance import blocking
from tests.concurrency.schedules import SECONDS
from tests.postgres.bad_days import WAYS, open_at, unavailable

pytestmark = pytest.mark.newest_postgres

OPENS = 9
ENGINES = ["engine", "async engine"]


def open_on_engine(url, way, **options):
    """Open a store on an engine of the application's."""
    given = {"durability": "as_is", **options}
    if way == "engine":

        @contextmanager
        def opening():
            engine = create_engine(url)
            try:
                with ConversationStore.open(engine, **given) as store:
                    yield store
            finally:
                engine.dispose()

        return opening()

    async def opened():
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
        try:
            async with AsyncConversationStore.open(engine, **given) as store:
                yield store
        finally:
            await engine.dispose()

    return blocking(asynccontextmanager(opened))


def open_any(url, way):
    return open_on_engine(url, way) if way in ENGINES else open_at(url, way)


@pytest.mark.parametrize("isolation", ["serializable", "repeatable read"])
def test_many_open_at_once_whatever_isolation_is_the_default(server, database, isolation):
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        default = "ALTER DATABASE {} SET default_transaction_isolation = {}"
        admin.execute(sql.SQL(default).format(sql.Identifier(database), sql.Literal(isolation)))
    url, start = server.url(database=database), threading.Barrier(OPENS)
    ways = [*WAYS, *ENGINES]

    def work(number):
        start.wait(SECONDS)
        with open_any(url, ways[number % len(ways)]) as store:
            thread = store.tenant(f"t{number}").threads.create(metadata={"number": number})
            return store.tenant(f"t{number}").threads.get(thread.id).metadata

    with ThreadPoolExecutor(OPENS) as pool:
        made = list(pool.map(work, range(OPENS), timeout=SECONDS))
    assert made == [{"number": number} for number in range(OPENS)]


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def foreign(server, request):
    """A database that keeps text in an encoding without most scripts."""
    name = f"in_{request.param.lower()}_{os.getpid()}"
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        made = "CREATE DATABASE {} ENCODING {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        admin.execute(sql.SQL(made).format(sql.Identifier(name), sql.Literal(request.param)))
    yield server.url(database=name), request.param
    server.drop_database(name)


@pytest.mark.parametrize("anyway", [*WAYS, *ENGINES])
def test_a_database_in_another_encoding_is_refused(foreign, anyway):
    url, encoding = foreign
    with (
        pytest.raises(StoreUnavailable, match=rf"the database .* {encoding},.* 'UTF8'") as caught,
        open_any(url, anyway),
    ):
        pass
    unavailable(caught, "encoding")


@pytest.mark.parametrize("anyway", ["psycopg", "psycopg async", "engine"])
def test_a_connection_in_another_encoding_is_refused(server, database, anyway, monkeypatch):
    """(asyncpg asks for UTF8 whatever is set.)"""
    with psycopg.connect(server.dsn(), autocommit=True) as admin:
        setting = sql.SQL("ALTER DATABASE {} SET client_encoding = LATIN1")
        admin.execute(setting.format(sql.Identifier(database)))
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with (
        pytest.raises(StoreUnavailable, match=r"the connection .* LATIN1") as caught,
        open_any(server.url(database=database), anyway),
    ):
        pass
    unavailable(caught, "encoding")
