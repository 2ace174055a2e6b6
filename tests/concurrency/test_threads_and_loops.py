"""One store, many threads and event loops: everything lands once, in one order."""

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    StoreBusy,
    StoreClosed,
    WrongExpectedHead,
    WrongExpectedVersion,
)
from eventstore.api.operations.operation import Maintenance, Wipe
from eventstore.execution.owned_async import OwnedAsyncEngine
from eventstore.execution.url import UrlExecutor
from tests.concurrency.schedules import SECONDS, Gate, at_once, outcome, thread


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/chat.db"


@pytest.fixture(params=["url", "owned engine"])
async def async_store(request, tmp_path):
    if request.param == "url":
        async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
            yield store
        return
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/chat.db")
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        yield store
    await engine.dispose()


def say(store, thread_id, text, **options):
    return store.messages.create(thread_id, role="user", content=text, **options)


def assert_in_order(store, thread_id, made):
    """Every message that was made is there once, in the order of versions."""
    listed = [(m.id, m.version) for m in store.messages.list(thread_id)]
    assert listed == sorted(((m.id, m.version) for m in made), key=lambda pair: pair[1])
    versions = [event.version for event in store.events.read(thread_id)]
    assert versions == list(range(1, len(made) + 2))
    assert store.projections.compare().findings == ()


class Held:
    """A write that stands inside its transaction until it is let go.

    On a URL the writer's thread waits; on an owned engine the transaction is a task of the loop.
    """

    def __init__(self, store):
        self.executor = store._executor  # noqa: SLF001 (no public write takes so long)
        self._gate = Gate()
        self._reached, self._opened = asyncio.Event(), asyncio.Event()

    def _act(self, _):
        if isinstance(self.executor, OwnedAsyncEngine):
            self._reached.set()
            await_only(self._opened.wait())
        else:
            self._gate()

    def write(self):
        return asyncio.create_task(self.executor.write_async(Maintenance(self._act)))

    async def reached(self):
        if isinstance(self.executor, OwnedAsyncEngine):
            await asyncio.wait_for(self._reached.wait(), SECONDS)
        else:
            await asyncio.to_thread(self._gate.wait)

    def let_go(self):
        self._opened.set()
        self._gate.open()


# -- many at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["file", "memory"])
def test_sixty_four_threads_write_to_one_thread(url, where):
    with ConversationStore.open(url if where == "file" else "sqlite://") as store:
        thread_id = store.threads.create().id

        def work(number):
            return [say(store, thread_id, f"{number}.{n}") for n in range(10)]

        made = [message for written in at_once(64, work) for message in written]
        assert_in_order(store, thread_id, made)


def test_several_loops_in_several_threads_share_one_async_store(url):
    async def opened():
        store = await AsyncConversationStore.open(url)
        return store, (await store.threads.create()).id

    store, thread_id = asyncio.run(opened())

    def work(number):
        async def tasks():
            return await asyncio.gather(
                *(say(store, thread_id, f"{number}.{n}") for n in range(40))
            )

        return asyncio.run(tasks())

    made = [message for written in at_once(6, work) for message in written]
    asyncio.run(store.close())
    with ConversationStore.open(url) as again:
        assert_in_order(again, thread_id, made)


def test_stores_of_both_faces_on_one_file_take_turns(url):
    with ConversationStore.open(url) as one, ConversationStore.open(url) as other:
        thread_id = one.threads.create().id

        def work(number):
            if number % 3:
                return [
                    say((one, other)[number % 2], thread_id, f"{number}.{n}") for n in range(20)
                ]

            async def tasks():
                async with AsyncConversationStore.open(url) as store:
                    return await asyncio.gather(
                        *(say(store, thread_id, f"{number}.{n}") for n in range(20))
                    )

            return asyncio.run(tasks())

        made = [message for written in at_once(9, work) for message in written]
        assert_in_order(one, thread_id, made)


async def test_another_loop_than_the_one_of_an_owned_engine_is_told_so(tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/chat.db")
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        creating: Any = store.threads.create()
        with pytest.raises(InvalidInput, match="event loop"):
            await asyncio.to_thread(asyncio.run, creating)
    await engine.dispose()


# -- races that one writer wins --------------------------------------------------------------------


@pytest.mark.parametrize("guard", ["expected_head", "expected_version"])
def test_of_all_who_saw_the_same_thread_exactly_one_writes(url, guard):
    error = {"expected_head": WrongExpectedHead, "expected_version": WrongExpectedVersion}[guard]
    with ConversationStore.open(url) as one, ConversationStore.open(url) as other:
        thread_id = one.threads.create().id
        last = say(one, thread_id, "0")
        for _ in range(10):
            seen: Any = {guard: last.id if guard == "expected_head" else last.version}

            def attempt(number, seen=seen):
                return outcome(lambda: say((one, other)[number % 2], thread_id, "next", **seen))

            results = at_once(16, attempt)
            (last,) = [result for result in results if not isinstance(result, Exception)]
            assert [type(r) for r in results if r is not last] == [error] * 15
        assert len(one.messages.list(thread_id)) == 11


async def test_of_tasks_who_saw_the_same_head_exactly_one_writes(async_store):
    thread_id = (await async_store.threads.create()).id
    head = await say(async_store, thread_id, "head")
    results = await asyncio.gather(
        *(say(async_store, thread_id, str(n), expected_head=head.id) for n in range(50)),
        return_exceptions=True,
    )
    lost = [result for result in results if isinstance(result, WrongExpectedHead)]
    assert len(lost) == 49
    assert len(await async_store.messages.list(thread_id)) == 2


def test_a_key_sent_by_all_at_once_is_written_once(url):
    with ConversationStore.open(url) as one, ConversationStore.open(url) as other:
        thread_id = one.threads.create().id
        made = at_once(
            16, lambda n: say((one, other)[n % 2], thread_id, "once", idempotency_key="k")
        )
        assert len({(message.id, message.version) for message in made}) == 1
        assert len(one.messages.list(thread_id)) == 1


# -- one moment ------------------------------------------------------------------------------------


@pytest.mark.parametrize("owned", [False, True], ids=["url", "owned engine"])
def test_whatever_is_committed_meanwhile_a_read_sees_one_moment(url, owned):
    engine = create_engine(url)
    options: Any = {"durability": "as_is"} if owned else {}
    with (
        ConversationStore.open(url) as other,
        ConversationStore.open(engine if owned else url, **options) as store,
    ):
        thread_id = other.threads.create().id

        def look(tx):
            before = tx.one("SELECT count(*) FROM {events}")[0]
            say(other, thread_id, "meanwhile")
            return before, tx.one("SELECT count(*) FROM {events}")[0]

        assert store._executor.read(look) == (1, 1)  # noqa: SLF001 (no public read waits halfway)
        assert store._executor.read(look) == (2, 2)  # noqa: SLF001
    engine.dispose()


# -- cancellation ----------------------------------------------------------------------------------


async def test_a_write_cancelled_while_it_waits_is_not_written(async_store):
    thread_id = (await async_store.threads.create()).id
    held = Held(async_store)
    holding = held.write()
    await held.reached()
    waiting = asyncio.create_task(say(async_store, thread_id, "never"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    held.let_go()
    await holding
    await say(async_store, thread_id, "after")
    assert [m.text for m in await async_store.messages.list(thread_id)] == ["after"]


async def test_a_write_cancelled_once_it_was_taken_is_written_once(async_store):
    held = Held(async_store)
    task = held.write()
    await held.reached()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done(), "its transaction is still running"
    held.let_go()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await async_store.threads.create()).version == 1, "the store goes on"


async def test_a_time_limit_does_not_lose_what_it_interrupts(async_store):
    thread_id = (await async_store.threads.create()).id
    held = Held(async_store)
    holding = held.write()
    await held.reached()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await say(async_store, thread_id, "never")
    held.let_go()
    await holding
    await say(async_store, thread_id, "after")
    assert [m.text for m in await async_store.messages.list(thread_id)] == ["after"]


@pytest.mark.parametrize("read", ["list", "wipe"])
async def test_a_read_that_is_cancelled_leaves_the_connection_it_was_lent(read):
    """In memory the connection is the database."""
    engine = create_async_engine("sqlite+aiosqlite://")
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        thread_id = (await store.threads.create()).id
        said = await say(store, thread_id, "kept")
        for turns in range(12):
            task = asyncio.ensure_future(
                store.messages.list(thread_id)
                if read == "list"
                else store.perform(Wipe(lambda left: left))
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert [message.id for message in await store.messages.list(thread_id)] == [said.id]
    await engine.dispose()


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    owned=st.booleans(),
    schedule=st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=30),
)
def test_in_a_storm_of_cancellations_what_was_acknowledged_is_there_once(
    tmp_path_factory, owned, schedule
):
    url = f"sqlite:///{tmp_path_factory.mktemp('storm')}/chat.db"

    async def storm(store):
        thread_id = (await store.threads.create()).id
        tasks = []
        for number, (turns, cancelled) in enumerate(schedule):
            tasks.append(asyncio.create_task(say(store, thread_id, str(number))))
            for _ in range(turns):
                await asyncio.sleep(0)
            if cancelled:
                tasks[-1].cancel()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), SECONDS)
        listed = [message.text for message in await store.messages.list(thread_id)]
        assert (await store.projections.compare()).findings == ()
        return done, listed

    async def main():
        if not owned:
            async with AsyncConversationStore.open(url) as store:
                return await storm(store)
        engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
        async with AsyncConversationStore.open(engine, durability="as_is") as store:
            found = await storm(store)
        await engine.dispose()
        return found

    done, listed = asyncio.run(main())
    assert len(listed) == len(set(listed)), "written twice"
    for number, result in enumerate(done):
        if isinstance(result, asyncio.CancelledError):
            assert schedule[number][1]
        else:
            assert result.text == str(number)
            assert str(number) in listed


@pytest.mark.parametrize("owned", [False, True], ids=["url", "owned engine"])
def test_a_loop_that_ends_while_a_write_is_under_way_ends(tmp_path, owned):
    """asyncio.run() cancels every task when its main one is done, the store's own included."""
    url = f"sqlite:///{tmp_path}/chat.db"
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
    options: Any = {"durability": "as_is"} if owned else {}

    async def main():
        store = await AsyncConversationStore.open(engine if owned else url, **options)
        held = Held(store)
        left = held.write()
        await held.reached()
        asyncio.get_running_loop().call_soon(held.let_go)
        return store, left

    ended = []
    with thread(lambda: ended.append(asyncio.run(main()))):
        pass
    ((store, left),) = ended
    assert left.cancelled()

    async def close():
        if owned:
            await engine.dispose()
        else:
            await store.close()

    asyncio.run(close())


# -- backpressure ----------------------------------------------------------------------------------


@pytest.mark.parametrize("owned", [False, True], ids=["url", "owned engine"])
async def test_writers_wait_for_room_and_then_are_told_that_the_store_is_busy(tmp_path, owned):
    url = f"sqlite:///{tmp_path}/chat.db"
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
    options: Any = {"durability": "as_is"} if owned else {}
    async with AsyncConversationStore.open(
        engine if owned else url, queue_max=4, busy_timeout_seconds=0.2, **options
    ) as store:
        thread_id = (await store.threads.create()).id
        held = Held(store)
        holding = held.write()
        await held.reached()
        tasks = [asyncio.create_task(say(store, thread_id, str(n))) for n in range(12)]
        busy, waiting = await asyncio.wait(tasks, timeout=SECONDS, return_when="FIRST_EXCEPTION")
        while len(busy) < 8:
            busy, waiting = await asyncio.wait(
                waiting | busy, timeout=0.05, return_when="ALL_COMPLETED"
            )
        assert all(isinstance(task.exception(), StoreBusy) for task in busy)
        held.let_go()
        await asyncio.gather(holding, *waiting)
        listed = [message.text for message in await store.messages.list(thread_id)]
        assert listed == [task.result().text for task in tasks if task in waiting]
        made = await asyncio.gather(*(say(store, thread_id, "later") for _ in range(4)))
        assert len(made) == 4
    await engine.dispose()


@pytest.mark.parametrize("owned", [False, True], ids=["url", "owned engine"])
async def test_with_patience_everybody_gets_through_a_small_queue(tmp_path, owned):
    url = f"sqlite:///{tmp_path}/chat.db"
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
    options: Any = {"durability": "as_is"} if owned else {}
    async with AsyncConversationStore.open(
        engine if owned else url, queue_max=3, **options
    ) as store:
        thread_id = (await store.threads.create()).id
        await asyncio.gather(*(say(store, thread_id, str(n)) for n in range(100)))
        listed = [message.text for message in await store.messages.list(thread_id)]
        assert sorted(map(int, listed)) == list(range(100))
    await engine.dispose()


# -- closing ---------------------------------------------------------------------------------------


async def test_closing_finishes_what_waits(async_store):
    thread_id = (await async_store.threads.create()).id
    held = Held(async_store)
    holding = held.write()
    await held.reached()
    tasks = [asyncio.create_task(say(async_store, thread_id, str(n))) for n in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(async_store.close())
    held.let_go()
    await asyncio.wait_for(asyncio.gather(closing, holding, *tasks), SECONDS)
    assert [task.result().version for task in tasks] == [2, 3, 4, 5, 6]
    with pytest.raises(StoreClosed):
        await say(async_store, thread_id, "late")


async def test_closing_finishes_reads_that_were_accepted(url):
    async with AsyncConversationStore.open(url, readers=1) as store:
        await store.threads.create()
        gate = Gate()
        first = asyncio.create_task(store._executor.read_async(lambda _: gate()))  # noqa: SLF001
        await asyncio.to_thread(gate.wait)
        second = asyncio.create_task(store.health())
        await asyncio.sleep(0)
        closing = asyncio.create_task(store.close())
        await asyncio.sleep(0)
        gate.open()
        await asyncio.wait_for(asyncio.gather(first, second, closing), SECONDS)


def test_closing_in_one_thread_while_others_write(url):
    """Whoever is not told that the store is closed was written."""
    for _ in range(5):
        store = ConversationStore.open(url)
        thread_id = store.threads.create().id

        def act(n, store=store, thread_id=thread_id):
            return store.close() if n == 4 else outcome(lambda: say(store, thread_id, str(n)))

        results = at_once(9, act)
        kept = [result for n, result in enumerate(results) if n != 4]
        kept = [result for result in kept if not isinstance(result, StoreClosed)]
        with ConversationStore.open(url) as again:
            listed = [message.id for message in again.messages.list(thread_id)]
            assert sorted(listed) == sorted(message.id for message in kept)


def test_closing_twice_at_once_waits_for_the_same_end(url):
    store = ConversationStore.open(url)
    executor = store._executor  # noqa: SLF001 (whether a connection is still out)
    assert isinstance(executor, UrlExecutor)
    engine = executor._connections.engine  # noqa: SLF001
    at_once(8, lambda _: outcome(store.close))
    assert "Current Checked out connections: 0" in engine.pool.status()


async def test_a_bound_store_closes_the_store_it_is_bound_to(async_store):
    await async_store.tenant("t").acting(actor="a").close()
    with pytest.raises(StoreClosed):
        await async_store.threads.create()
    await async_store.close()


async def test_an_error_inside_the_block_closes_the_store_and_is_not_hidden(url):
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 (leaving the block is what is looked at)
        async with AsyncConversationStore.open(url) as store:
            thread_id = (await store.threads.create()).id
            await say(store, thread_id, "kept")
            raise ZeroDivisionError
    with pytest.raises(StoreClosed):
        await store.threads.get(thread_id)
    with ConversationStore.open(url) as again:
        assert [message.text for message in again.messages.list(thread_id)] == ["kept"]
