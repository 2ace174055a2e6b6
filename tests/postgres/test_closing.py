"""What closing waits for, and what it leaves: on any driver and any engine, no connection.

A connection that is given back to a pool after its engine was closed or disposed of is nobody's:
nothing closes it any more.
"""

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore, StoreClosed
from tests.concurrency.schedules import SECONDS, outcome, thread
from tests.postgres.bad_days import say
from tests.subscriptions.ways import until

pytestmark = pytest.mark.newest_postgres

READS = 20
"""Of which two at once find a connection."""
PIDS = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND backend_type = 'client backend'"
)


class Server:
    """The database as its administrator sees it."""

    def __init__(self, url_of, admin, holder):
        self.url_of = url_of
        self._admin = admin
        self._holder = holder
        self._before = self._pids()

    def _pids(self, which=""):
        return {pid for (pid,) in self._admin.execute(f"{PIDS} {which}")}

    def until_nobody_is_connected(self):
        """But those who were there before, as the tests keep some."""
        until(lambda: self._pids() <= self._before)

    @contextmanager
    def held(self, what="SELECT * FROM streams FOR UPDATE"):
        """Hold every thread; gives how to wait until somebody waits for one."""
        with self._holder.transaction():
            self._holder.execute(what)
            yield lambda: until(lambda: self._pids("AND wait_event_type = 'Lock'"))


@pytest.fixture
def there(server, migrated):
    dsn = server.dsn(database=migrated)
    with (
        psycopg.connect(dsn, autocommit=True) as admin,
        psycopg.connect(dsn, autocommit=True) as holder,
    ):
        yield Server(lambda driver: server.url(driver, database=migrated), admin, holder)


@asynccontextmanager
async def opened(there, way):
    """A store of the async face with two connections that read, and how to close all of it."""
    kind, _, driver = way.partition(" ")
    url = there.url_of(driver)
    if kind == "url":
        store = await AsyncConversationStore.open(url, durability="as_is", readers=2)
        yield store, store.close
        return
    engine = create_async_engine(url, pool_size=2, max_overflow=0)
    store = await AsyncConversationStore.open(engine, durability="as_is")

    async def close():
        await store.close()
        await engine.dispose()

    yield store, close


@asynccontextmanager
async def waiting_write(there, store):
    """A write that waits for its thread, which somebody holds until the block ends."""
    made = await store.threads.create()
    with there.held() as somebody_waits:
        writing = asyncio.ensure_future(say(store, made.id, "held"))
        await asyncio.to_thread(somebody_waits)
        yield writing


ALL = ("url asyncpg", "url psycopg", "engine asyncpg", "engine psycopg")


@pytest.mark.parametrize("way", ALL)
async def test_closing_finishes_the_reads_that_wait_for_a_connection(there, way):
    async with opened(there, way) as (store, close):
        made = await store.threads.create()
        reads = [asyncio.ensure_future(store.threads.get(made.id)) for _ in range(READS)]
        await asyncio.sleep(0)
        await close()
        there.until_nobody_is_connected()
        assert await asyncio.gather(*reads) == [made] * READS
        there.until_nobody_is_connected()


@pytest.mark.parametrize("way", ["url asyncpg", "engine asyncpg", "engine psycopg"])
async def test_closing_finishes_a_write_that_waits_for_its_thread(there, way):
    async with opened(there, way) as (store, close):
        async with waiting_write(there, store) as writing:
            closing = asyncio.ensure_future(close())
            await asyncio.sleep(0)
        await closing
        there.until_nobody_is_connected()
        assert (await writing).text == "held"


async def test_closing_that_was_cancelled_goes_on_and_can_be_waited_for(there):
    async with opened(there, "url asyncpg") as (store, close):
        async with waiting_write(there, store) as writing:
            closing = asyncio.ensure_future(close())
            await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
        await close()
        there.until_nobody_is_connected()
        assert (await writing).text == "held"


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_opening_that_was_cancelled_leaves_no_connection(there, driver):
    """It waits for another process that migrates, and comes to its end in a thread of its own."""
    with there.held("SELECT pg_advisory_xact_lock(111559182283891)") as somebody_waits:
        store = AsyncConversationStore.open(there.url_of(driver), durability="as_is")
        opening = asyncio.ensure_future(store.__aenter__())
        await asyncio.to_thread(somebody_waits)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
    there.until_nobody_is_connected()


async def test_a_write_that_was_to_wait_when_the_store_was_closed_hears_of_it(there):
    """The loop stands still from before the write is put off until the store is closed."""
    async with opened(there, "url psycopg") as (store, _):
        made = await store.threads.create()
        with there.held():
            writing = asyncio.ensure_future(say(store, made.id, "held"))
            await asyncio.sleep(0)
            closing = threading.Thread(target=asyncio.run, args=(store.close(),))
            closing.start()
            closing.join()
            with pytest.raises(StoreClosed):
                await writing
        there.until_nobody_is_connected()


def in_use(pool: Any) -> int:
    return int(pool.checkedout())


def test_closing_waits_for_threads_that_use_an_engine_of_the_application(there):
    engine = create_engine(there.url_of("psycopg"))
    store = ConversationStore.open(engine, durability="as_is")
    made = store.threads.create()
    go, closing = threading.Event(), threading.Thread(target=store.close)
    with thread(lambda: (go.wait(SECONDS), say(store, made.id, "held"))):
        with there.held() as somebody_waits:
            go.set()
            somebody_waits()
            closing.start()
            until(lambda: isinstance(outcome(store.health), StoreClosed))
        closing.join()
        assert in_use(engine.pool) == 0
    engine.dispose()
