"""A task that writes alone is served in the thread of its own event loop, while that is quick.

The loop never waits there for another process, and what it does is done once, whatever strikes.
"""

# ruff: noqa: SLF001 (schedules are made by looking at the queue)

import asyncio
import sqlite3
import threading
from contextlib import closing
from random import Random
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import AsyncConversationStore
from eventstore.errors import ConversationStoreError
from eventstore.execution import pace, shared_writer, tickets
from eventstore.execution.connections import Connections
from eventstore.execution.pace import DISTRUST, QUICK_SECONDS, AtOnce, Pace
from eventstore.execution.shared_writer import SharedWriter
from eventstore.execution.url import UrlExecutor
from tests.concurrency.schedules import SECONDS, until_queued
from tests.concurrency.striking import NEVER, Strikes, Struck, StruckAgain

SAMPLE = 60
LOST = "Leader._turn_ended"
"""An interrupt on its way into this callback is like one in the loop's own code: it is gone."""
WORKER = "eventstore-writer"


@pytest.fixture
def quick(monkeypatch):
    """Count every transaction as quick, however busy the disk is."""
    monkeypatch.setattr(pace, "QUICK_SECONDS", 1000.0)
    for module in (shared_writer, tickets):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


@pytest.fixture
def threads(monkeypatch):
    """Names of the threads that ran the transactions."""
    names = []
    write = Connections.write

    def noted(self, requests, *, patient=True):
        names.append(threading.current_thread().name)
        return write(self, requests, patient=patient)

    monkeypatch.setattr(Connections, "write", noted)
    return names


@pytest.fixture
async def store(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as made:
        yield made


def say(store, thread_id, text="hello"):
    return store.messages.create(thread_id, role="user", content=text)


def here():
    return threading.current_thread().name


# -- who leads -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
async def test_a_lone_task_is_served_by_its_own_loop_once_transactions_are_quick(store, threads):
    thread_id = (await store.threads.create()).id
    for _ in range(3):
        await say(store, thread_id)
    assert threads == [WORKER, here(), here(), here()]


async def test_a_slow_transaction_sends_the_next_ones_to_the_worker(store, threads, monkeypatch):
    monkeypatch.setattr(pace, "QUICK_SECONDS", -1.0)  # nothing is quick
    thread_id = (await store.threads.create()).id
    for _ in range(3):
        await say(store, thread_id)
    assert set(threads) == {WORKER}
    monkeypatch.setattr(pace, "QUICK_SECONDS", 1000.0)
    for _ in range(DISTRUST + 1):
        await say(store, thread_id)
    assert threads[-2:] == [WORKER, here()]


@pytest.mark.usefixtures("quick")
async def test_tasks_that_write_together_share_a_commit_of_the_worker(store, threads):
    thread_id = (await store.threads.create()).id
    await say(store, thread_id)
    threads.clear()
    await asyncio.gather(*[say(store, thread_id) for _ in range(5)])
    assert threads == [WORKER]


@pytest.mark.usefixtures("quick")
async def test_long_requests_go_to_the_worker(store, threads):
    thread_id = (await store.threads.create()).id
    said = await say(store, thread_id)
    threads.clear()
    await store.messages.create_many(thread_id, [{"role": "user", "content": "a"}] * 9)
    await store.privacy.erase(message_id=said.id, thread_id=thread_id)
    await store.threads.fork(thread_id)
    assert set(threads) == {WORKER}


@pytest.mark.usefixtures("quick")
async def test_a_few_commands_at_once_are_brief(store, threads):
    thread_id = (await store.threads.create()).id
    threads.clear()
    await store.messages.create_many(thread_id, [{"role": "user", "content": "a"}] * 3)
    assert threads == [here()]


@pytest.mark.usefixtures("quick")
async def test_a_brief_read_needs_no_other_thread(store, monkeypatch):
    handed_on = []
    in_readers = UrlExecutor._in_readers

    async def noted(self, act):
        handed_on.append(act)
        return await in_readers(self, act)

    monkeypatch.setattr(UrlExecutor, "_in_readers", noted)
    thread_id = (await store.threads.create()).id
    run = await store.runs.create(thread_id)
    await store.runs.cancel(thread_id, run.id)
    assert (await store.runs.wait(thread_id, run.id)).status == "cancelled"
    assert not handed_on
    await store.messages.list(thread_id)
    assert handed_on


@pytest.mark.usefixtures("quick")
async def test_a_store_in_memory_never_holds_up_its_loop(threads):
    """A reader's thread may have its one connection."""
    async with AsyncConversationStore.open("sqlite://") as store:
        thread_id = (await store.threads.create()).id
        for _ in range(3):
            await say(store, thread_id)
    assert set(threads) == {WORKER}


@given(st.lists(st.booleans(), max_size=60))
def test_a_loop_may_lead_after_as_many_quick_transactions_as_it_distrusts(slow):
    since, made = DISTRUST - 1, Pace()
    for one in slow:
        made.note(2 * QUICK_SECONDS if one else QUICK_SECONDS / 2)
        since = 0 if one else since + 1
        assert made.quick == (since >= DISTRUST)


# -- waiting ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
async def test_a_loop_goes_on_while_another_process_has_the_lock(store, threads, tmp_path):
    thread_id = (await store.threads.create()).id
    await say(store, thread_id, "before")
    threads.clear()
    began = monotonic()
    with closing(sqlite3.connect(tmp_path / "chat.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(say(store, thread_id, "while it was locked"))
        async with asyncio.timeout(SECONDS):
            while threads != [here(), WORKER]:  # noqa: ASYNC110 (the loop itself is tested)
                await asyncio.sleep(0)
        assert not writing.done()
        other.execute("ROLLBACK")  # if the loop had waited, nobody would have come here
        await writing
    assert monotonic() - began < SECONDS
    texts = [one.text for one in await store.messages.list(thread_id)]
    assert texts == ["before", "while it was locked"]
    await say(store, thread_id, "after")
    assert threads[-1] == here()


class Late:
    """The lead, before which somebody comes between."""

    def __init__(self, comes):
        self.lock, self.comes = threading.Lock(), comes
        self.locked = self.lock.locked

    def __enter__(self):
        if here() != WORKER:
            self.comes()
        return self.lock.__enter__()

    def __exit__(self, *raised):
        self.lock.__exit__(*raised)


@pytest.mark.usefixtures("quick")
async def test_a_loop_takes_nothing_that_came_after_it_decided_to_lead():
    """For example an erasure of another thread, which may take long."""
    led: list[tuple[str, str]] = []

    def perform(requests):
        led.extend((request, here()) for request in requests)
        return [*requests]

    def comes():
        writer._leading = lead.lock
        other.start()
        until_queued(writer, 2)

    other = threading.Thread(target=lambda: writer.submit("long"))
    brief = AtOnce(perform, lambda request: request == "brief")
    writer = SharedWriter(perform, queue_max=9, patience_seconds=SECONDS, at_once=brief)
    await writer.submit_async("first")
    lead = Late(comes)
    writer._leading = lead  # type: ignore[assignment]
    assert await writer.submit_async("brief") == "brief"
    other.join(SECONDS)
    assert led == [("first", WORKER), ("brief", WORKER), ("long", WORKER)]
    writer.close()


@pytest.mark.usefixtures("quick")
async def test_a_loop_never_waits_for_a_worker_that_leads():
    """The worker may be woken by another loop once too often, and then wait for the database."""
    busy, free = threading.Event(), threading.Event()

    def perform(requests):
        busy.set()
        assert free.wait(SECONDS)
        return [*requests]

    async def wake():
        busy.clear()
        writer._wakes.put(None)
        assert busy.wait(SECONDS)

    free.set()
    at_once: AtOnce[str, str] = AtOnce(list, lambda _: True)
    writer = SharedWriter(perform, queue_max=9, patience_seconds=SECONDS, at_once=at_once)
    await writer.submit_async("first")
    free.clear()
    acts = writer.submit_async("one"), wake(), writer.submit_async("two")
    begun = [asyncio.create_task(act) for act in acts]
    for _ in range(5):
        await asyncio.sleep(0)
    assert not begun[0].done()
    free.set()
    assert await asyncio.gather(*begun) == ["one", None, "two"]
    writer.close()


# -- interrupts ------------------------------------------------------------------------------------


class Scene:
    """A store whose event loop an interrupt may stop at any moment of a write."""

    def __init__(self, path):
        self.loop = asyncio.new_event_loop()
        self.path = path
        self.store = self.run(opened(path))
        self.thread_id = self.run(self.store.threads.create()).id
        self.version = 1
        self.say("begun")

    def run(self, awaitable):
        return self.loop.run_until_complete(asyncio.wait_for(awaitable, SECONDS))

    def say(self, text):
        made = self.run(say(self.store, self.thread_id, text))
        self.version += 1
        assert made.version == self.version

    def struck(self, number, first, second=NEVER):
        text = f"struck {number}"
        writing = self.loop.create_task(say(self.store, self.thread_id, text))
        strikes = Strikes(first, second)
        try:
            with strikes:
                self.loop.run_until_complete(writing)
        except (Struck, StruckAgain, ConversationStoreError):
            assert strikes.struck
        if strikes.struck < 2 and LOST not in strikes.where:
            self.run(asyncio.wait([writing]))  # nobody else writes: somebody leads all the same
        with closing(sqlite3.connect(self.path, timeout=SECONDS, isolation_level=None)) as beside:
            beside.execute("BEGIN IMMEDIATE")
        self.run(asyncio.sleep(0.02))  # LOOK_SECONDS: then the next request takes up what is left
        self.run(say(self.store, self.thread_id, "next"))
        self.run(asyncio.wait([writing]))
        writing.exception()
        texts = [m.text for m in self.run(collected(self.store, self.thread_id))]
        assert texts.count(text) <= 1
        self.version += 1 + texts.count(text)
        versions = [e.version for e in self.run(logged(self.store, self.thread_id))]
        assert versions == list(range(1, self.version + 1))
        return strikes

    def close(self):
        assert self.run(self.store.projections.compare()).ok
        self.run(self.store.close())
        self.loop.close()


async def opened(path):
    return await AsyncConversationStore.open(f"sqlite:///{path}")


async def collected(store, thread_id):
    return list(await store.messages.list(thread_id, limit=1000))


async def logged(store, thread_id):
    return [event async for event in store.events.read(thread_id)]


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_of_a_loop_that_leads_leaves_nothing_behind(tmp_path, threads):
    random = Random("a lone task")
    scene = Scene(tmp_path / "chat.db")
    count = NEVER - scene.struck(0, NEVER).left
    assert count > 100
    assert here() in threads
    twice = 0
    for number in range(1, SAMPLE):
        second = random.randint(1, 40) if number % 3 == 0 else NEVER
        twice += scene.struck(number, random.randint(1, count), second).struck == 2
    assert twice > SAMPLE / 20
    scene.close()


@pytest.mark.long
@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_moment_of_a_loop_that_leads_leaves_nothing_behind(tmp_path):
    scene = Scene(tmp_path / "chat.db")
    first = 1
    while scene.struck(first, first).struck:
        first += 1
    assert first > 100
    scene.close()
