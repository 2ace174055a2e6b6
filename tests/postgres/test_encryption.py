"""Encryption on PostgreSQL: every way of running it passes the same suite."""

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.testing.conformance import blocking, within
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
