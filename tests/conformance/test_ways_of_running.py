"""Every way of running a store passes the same suite."""

from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from eventstore import AsyncConversationStore, ConversationStore, StoreUnavailable
from eventstore.testing.conformance import ConformanceSuite, blocking, within


def safe(driver, _):
    """What a connection needs that an application makes itself."""
    cursor = driver.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "busy_timeout=30000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def engine_at(url, **options):
    engine = create_engine(url, **options)
    event.listen(engine, "connect", safe)
    yield engine
    engine.dispose()


@asynccontextmanager
async def async_engine_at(url):
    engine = create_async_engine(url)
    event.listen(engine.sync_engine, "connect", safe)
    yield engine
    await engine.dispose()


class TestSyncOnAFile(ConformanceSuite):
    def opened(self, place):
        return ConversationStore.open(f"sqlite:///{place}/chat.db")


class TestSyncInMemory(ConformanceSuite):
    lasting = False

    def opened(self, place):  # noqa: ARG002 (in memory)
        return ConversationStore.open("sqlite://")


class TestAsyncOnAFile(ConformanceSuite):
    def opened(self, place):
        return blocking(lambda: AsyncConversationStore.open(f"sqlite:///{place}/chat.db"))


async def test_a_url_that_names_aiosqlite_is_the_file_all_the_same(tmp_path):
    async with AsyncConversationStore.open(f"sqlite+aiosqlite:///{tmp_path}/chat.db") as store:
        made = await store.threads.create(title="the first one")
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        assert await store.threads.get(made.id) == made


class TestAsyncInMemory(ConformanceSuite):
    lasting = False

    def opened(self, place):  # noqa: ARG002 (in memory)
        return blocking(lambda: AsyncConversationStore.open("sqlite://"))


class TestSyncOnAnOwnedEngine(ConformanceSuite):
    @contextmanager
    def opened(self, place):
        with (
            engine_at(f"sqlite:///{place}/chat.db") as engine,
            ConversationStore.open(engine) as store,
        ):
            yield store


class TestSyncOnAnOwnedEngineInMemory(ConformanceSuite):
    lasting = False

    @contextmanager
    def opened(self, place):  # noqa: ARG002 (in memory)
        one = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        with engine_at("sqlite://", **one) as engine, ConversationStore.open(engine) as store:
            yield store


class TestSyncOnAnEngineThatBeginsByItself(ConformanceSuite):
    """As SQLAlchemy's pages advise, so that SELECT begins a transaction, too."""

    @contextmanager
    def opened(self, place):
        with engine_at(f"sqlite:///{place}/chat.db") as engine:
            event.listen(
                engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None)
            )
            event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
            with ConversationStore.open(engine) as store:
                yield store


class TestAsyncOnAnOwnedEngine(ConformanceSuite):
    def opened(self, place):
        @asynccontextmanager
        async def opening():
            async with (
                async_engine_at(f"sqlite+aiosqlite:///{place}/chat.db") as engine,
                AsyncConversationStore.open(engine) as store,
            ):
                yield store

        return blocking(opening)


class TestAsyncOnAnOwnedEngineInMemory(ConformanceSuite):
    lasting = False

    def opened(self, place):  # noqa: ARG002 (in memory)
        @asynccontextmanager
        async def opening():
            async with (
                async_engine_at("sqlite+aiosqlite://") as engine,
                AsyncConversationStore.open(engine) as store,
            ):
                yield store

        return blocking(opening)


class TestSyncWithinTheApplicationsTransactions(ConformanceSuite):
    @contextmanager
    def opened(self, place):
        url = f"sqlite:///{place}/chat.db"
        with engine_at(url) as engine, ConversationStore.open(url) as store:
            yield within(store, engine.begin)


class TestAsyncWithinTheApplicationsTransactions(ConformanceSuite):
    def opened(self, place):
        @asynccontextmanager
        async def opening():
            async with (
                async_engine_at(f"sqlite+aiosqlite:///{place}/chat.db") as engine,
                AsyncConversationStore.open(engine) as store,
            ):
                yield within(store, engine.begin)

        return blocking(opening)


async def test_an_engine_whose_settings_nobody_made_safe_is_taken_as_it_is(tmp_path):
    """From there on it is any engine: only what is asked of its connections differs."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/chat.db?timeout=30")
    with pytest.raises(StoreUnavailable):
        await AsyncConversationStore.open(engine)
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        made = await store.threads.create(title="the first one")
        assert await store.threads.get(made.id) == made
    await engine.dispose()


def test_the_suite_has_to_be_told_how_to_open_a_store(tmp_path):
    with pytest.raises(NotImplementedError):
        ConformanceSuite().opened(tmp_path)
