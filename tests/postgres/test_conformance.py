"""Every way of running a store on PostgreSQL passes the same suite as those on SQLite."""

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import ConformanceSuite, blocking, within

AS_IS: dict[str, Any] = {"durability": "as_is"}
"""The server is started without fsync, which a store refuses otherwise."""
NAMED: dict[str, Any] = {**AS_IS, "schema": "Chat", "prefix": "my_"}


class OnPostgres(ConformanceSuite):
    driver = "psycopg"
    url: str

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, server, databases):
        with databases(server).one() as name:
            cls.url = server.url(driver=cls.driver, database=name)
            yield

    def prepare(self):
        """Do what an administrator does before a store can be opened on an empty database."""

    def test_an_empty_database_is_given_its_tables(self, server, database, tmp_path):
        self.url = server.url(driver=self.driver, database=database)
        self.prepare()
        with self.opened(tmp_path) as store:
            made = store.threads.create(title="the first one")
            assert store.threads.get(made.id) == made


class TestSyncWithPsycopg(OnPostgres):
    def opened(self, place):  # noqa: ARG002 (a database of the class's own)
        return ConversationStore.open(self.url, **AS_IS)


@pytest.mark.newest_postgres
class TestAsyncWithPsycopg(OnPostgres):
    def opened(self, place):  # noqa: ARG002
        return blocking(partial(AsyncConversationStore.open, self.url, **AS_IS))


@pytest.mark.newest_postgres
class TestAsyncWithAsyncpg(OnPostgres):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        return blocking(partial(AsyncConversationStore.open, self.url, **AS_IS))


@pytest.mark.newest_postgres
class TestInASchemaWithAPrefix(OnPostgres):
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, server, databases):
        with databases(server, schema="Chat", prefix="my_").one() as name:
            cls.url = server.url(database=name)
            yield

    def prepare(self):
        engine = create_engine(self.url)
        with engine.begin() as connection:
            connection.exec_driver_sql('CREATE SCHEMA "Chat"')
        engine.dispose()

    def opened(self, place):  # noqa: ARG002
        return ConversationStore.open(self.url, **NAMED)


@pytest.mark.newest_postgres
class TestSyncOnAnOwnedEngine(OnPostgres):
    @contextmanager
    def opened(self, place):  # noqa: ARG002
        engine = create_engine(self.url)
        with ConversationStore.open(engine, **AS_IS) as store:
            yield store
        engine.dispose()


@pytest.mark.newest_postgres
class TestAsyncOnAnOwnedEngineOfAsyncpg(OnPostgres):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        @asynccontextmanager
        async def opening():
            engine = create_async_engine(self.url)
            async with AsyncConversationStore.open(engine, **AS_IS) as store:
                yield store
            await engine.dispose()

        return blocking(opening)


@pytest.mark.newest_postgres
class TestAsyncOnAnOwnedEngineOfPsycopg(TestAsyncOnAnOwnedEngineOfAsyncpg):
    driver = "psycopg"


@pytest.mark.newest_postgres
class TestSyncWithinTheApplicationsTransactions(OnPostgres):
    @contextmanager
    def opened(self, place):  # noqa: ARG002
        engine = create_engine(self.url)
        with ConversationStore.open(self.url, **AS_IS) as store:
            yield within(store, engine.begin)
        engine.dispose()


@pytest.mark.newest_postgres
class TestAsyncWithinTheApplicationsTransactions(OnPostgres):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        @asynccontextmanager
        async def opening():
            engine = create_async_engine(self.url)
            async with AsyncConversationStore.open(self.url, **AS_IS) as store:
                yield within(store, engine.begin)
            await engine.dispose()

        return blocking(opening)
