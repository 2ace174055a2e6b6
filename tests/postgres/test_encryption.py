"""Encryption on PostgreSQL: every way of running it passes the same suite."""

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking, within
from eventstore.testing.postgres_server import PostgresServer
from tests.encryption.raw_bytes import found_in
from tests.encryption.test_raw_bytes import lived
from tests.encryption.vaults import in_a_file, in_the_database
from tests.postgres.test_conformance import AS_IS, OnPostgres


class Sealed(OnPostgres):
    vault: Path
    """Where the class keeps its keys, since its tests share a database."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _vault(cls, tmp_path_factory):
        cls.vault = tmp_path_factory.mktemp("vault")


@pytest.mark.long
@pytest.mark.newest_postgres
class TestSyncWithKeysInAFile(Sealed):
    def opened(self, place):  # noqa: ARG002
        return ConversationStore.open(self.url, encryption=in_a_file(self.vault), **AS_IS)


@pytest.mark.long
@pytest.mark.newest_postgres
class TestAsyncpgWithKeysInAFile(Sealed):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        encryption = in_a_file(self.vault)
        return blocking(
            partial(AsyncConversationStore.open, self.url, encryption=encryption, **AS_IS)
        )


@pytest.mark.long
@pytest.mark.newest_postgres
class TestSyncWithKeysInTheDatabase(Sealed):
    def opened(self, place):  # noqa: ARG002
        return ConversationStore.open(self.url, encryption=in_the_database(), **AS_IS)


@pytest.mark.long
@pytest.mark.newest_postgres
class TestAsyncpgWithKeysInTheDatabase(Sealed):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        encryption = in_the_database()
        return blocking(
            partial(AsyncConversationStore.open, self.url, encryption=encryption, **AS_IS)
        )


@pytest.mark.long
@pytest.mark.newest_postgres
class TestWithinTheApplicationsTransactions(Sealed):
    @contextmanager
    def opened(self, place):  # noqa: ARG002
        engine = create_engine(self.url)
        encryption = in_the_database()
        with ConversationStore.open(self.url, encryption=encryption, **AS_IS) as store:
            yield within(store, engine.begin)
        engine.dispose()


@pytest.mark.long
@pytest.mark.newest_postgres
class TestAsyncWithinTheApplicationsTransactions(Sealed):
    driver = "asyncpg"

    def opened(self, place):  # noqa: ARG002
        encryption = in_a_file(self.vault)

        @asynccontextmanager
        async def opening():
            engine = create_async_engine(self.url)
            async with AsyncConversationStore.open(
                self.url, encryption=encryption, **AS_IS
            ) as store:
                yield within(store, engine.begin)
            await engine.dispose()

        return blocking(opening)


@pytest.mark.long
@pytest.mark.newest_postgres
@pytest.mark.parametrize("keys", ["file", "table"])
def test_no_word_stands_in_tables_indexes_or_the_log(server, tmp_path, keys):
    """On a server of its own: what others said in a shared one stands in the same log."""
    with PostgresServer(major=server.major, durable=False) as own:
        url = own.url(database=own.create_database())
        encryption = in_a_file(tmp_path) if keys == "file" else in_the_database()
        ConversationStore.open(url, **AS_IS).close()
        with psycopg.connect(own.dsn()) as connection:
            [(folder,)] = connection.execute("SHOW data_directory").fetchall()
        empty = everything_in(folder)
        with ConversationStore.open(url, encryption=encryption, **AS_IS) as store:
            words = {word for word in lived(store) if word.encode() not in empty}
        with psycopg.connect(own.dsn(), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        assert len(words) > 40
        assert found_in(folder, words) == set()


def everything_in(folder):
    """Return the bytes of all files below a folder."""
    return b"".join(path.read_bytes() for path in Path(folder).rglob("*") if path.is_file())
