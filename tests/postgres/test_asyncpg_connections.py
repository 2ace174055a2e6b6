"""How many connections a store on asyncpg has, and when it has none any more."""

import asyncio
import threading
from contextlib import contextmanager

import psycopg
import pytest

from eventstore import AsyncConversationStore, StoreClosed
from eventstore.api.operations.operation import Read
from eventstore.storage.transaction import only_row
from tests.concurrency.schedules import SECONDS
from tests.subscriptions.ways import until

pytestmark = pytest.mark.newest_postgres

READERS = 3
COUNT = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture
def connections(server, database):
    """Counts them, from outside."""
    with psycopg.connect(server.dsn(database=database), autocommit=True) as admin:
        yield lambda: admin.execute(COUNT).fetchall()[0][0]


@pytest.fixture
def opening(server, database):
    url = server.url("asyncpg", database=database)
    return lambda: AsyncConversationStore.open(url, durability="as_is", readers=READERS)


@contextmanager
def another_loop():
    """An event loop that runs in a thread of its own, and ends with the block."""
    loop, left = asyncio.new_event_loop(), threading.Event()

    def run():
        loop.run_forever()
        left.wait(SECONDS)
        loop.run_until_complete(loop.shutdown_asyncgens())  # as asyncio.run() does
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield loop
    finally:
        stand_still(loop)
        left.set()
        thread.join(SECONDS)


def stand_still(loop):
    if loop.is_running():
        loop.call_soon_threadsafe(loop.stop)
    until(lambda: not loop.is_running())


async def in_loop(loop, work):
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


async def test_no_more_read_at_once_than_was_said(opening, connections):
    async with opening() as store:
        await store.threads.create()
        read = Read(lambda tx: only_row(tx, "SELECT pg_backend_pid()")[0])
        readers = await asyncio.gather(*[store.perform(read) for _ in range(50)])
        assert len(set(readers)) <= READERS
        assert connections() <= READERS + 1  # and the one that writes


async def test_a_reader_that_is_cancelled_as_it_waits_leaves_room_for_others(opening):
    async with opening() as store:
        thread = await store.threads.create()
        reads = [asyncio.ensure_future(store.threads.get(thread.id)) for _ in range(20)]
        await asyncio.sleep(0)
        for one in reads[::2]:
            one.cancel()
        found = await asyncio.gather(*reads, return_exceptions=True)
        assert [one for one in found[1::2] if one != thread] == []
        assert await store.threads.get(thread.id) == thread


async def test_closing_closes_the_connections_of_every_loop_that_runs(opening, connections):
    with another_loop() as loop:
        store = await opening()
        thread = await in_loop(loop, store.threads.create())
        assert await store.threads.get(thread.id) == thread
        assert connections() >= 2
        await store.close()
        until(lambda: connections() == 0)
        with pytest.raises(StoreClosed):
            await in_loop(loop, store.threads.create())


async def test_closing_while_another_loop_connects_leaves_nothing_of_it(
    opening, connections, server, database
):
    store = await opening()
    with (
        another_loop() as loop,
        psycopg.connect(server.dsn(database=database), autocommit=True) as holder,
    ):
        holder.execute("SELECT pg_advisory_lock(111559182283891)")  # who connects, migrates
        creating = asyncio.ensure_future(in_loop(loop, store.threads.create()))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        await asyncio.to_thread(until, lambda: holder.execute(waiting).fetchone() != (0,))
        await store.close()
        holder.execute("SELECT pg_advisory_unlock_all()")
        with pytest.raises(StoreClosed):
            await creating
        until(lambda: connections() == 1)  # the holder's


async def test_a_loop_that_stands_still_holds_up_no_closing(opening, connections):
    store = await opening()
    with another_loop() as loop:
        await in_loop(loop, store.threads.create())
        stand_still(loop)
        await store.close()
        assert connections() == 1
    until(lambda: connections() == 0)
