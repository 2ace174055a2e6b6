"""Interrupts that strike a write, once anywhere, or again while the first is dealt with.

Whatever strikes wherever: nothing is locked afterwards, the next write is done and numbered on,
tenants do not mix, the tables say what the events say, and the store can be closed.
"""

import asyncio
import sqlite3
from contextlib import closing, contextmanager
from random import Random
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.errors import ConversationStoreError
from eventstore.execution import shared_writer, tickets
from tests.concurrency.schedules import SECONDS, Thread
from tests.concurrency.striking import NEVER, Strikes, Struck, StruckAgain

SAMPLE = 60
"""Strikes of each kind that are drawn each time; ``make test-long`` makes all of them."""


class Scene:
    """A store, a thread that is written to, and what must be true of both after each strike."""

    def __init__(self, target, path=None):
        self.store = ConversationStore.open(target, durability="as_is")
        self.path = path
        self.number = 0
        self.begin()

    def begin(self):
        """Go on with another thread, whose rows are few."""
        self.thread_id = self.store.threads.create().id
        self.version = 1
        self.say("begun")

    def say(self, text):
        made = self.store.messages.create(self.thread_id, role="user", content=text)
        self.version += 1
        assert made.version == self.version

    def struck(self, first, second=NEVER):
        """Strike a write; return how many interrupts there were, 0 once the moments are over."""
        self.number += 1
        if self.number % 20 == 0:
            assert self.store.projections.compare(self.thread_id).ok
            self.begin()
        text = f"struck {self.number}"
        strikes = Strikes(first, second)
        try:
            with strikes:
                self.store.messages.create(self.thread_id, role="user", content=text)
        except (Struck, StruckAgain, ConversationStoreError):
            assert strikes.struck
        self.nothing_is_locked()
        texts = [one.text for one in self.store.messages.list(self.thread_id, limit=1000)]
        self.version += texts.count(text)
        self.say("next")
        assert [one.text for one in self.store.messages.list(self.thread_id)][-1] == "next"
        return strikes

    def first_write_struck(self, first, second=NEVER):
        """Strike the first write of a tenant; the next one is another tenant's first."""
        self.number += 1
        mine, others = f"mine {self.number}", f"others {self.number}"
        strikes = Strikes(first, second)
        tenant = self.store.tenant(mine)
        try:
            with strikes:
                tenant.threads.create(title=mine)
        except (Struck, StruckAgain, ConversationStoreError):
            assert strikes.struck
        self.nothing_is_locked()
        other = self.store.tenant(others)
        other.threads.create(title=others)
        assert [one.title for one in other.threads.list()] == [others]
        assert [one.title for one in tenant.threads.list()] in ([], [mine])
        tenant.threads.create(title=f"{mine} again")
        assert [one.title for one in other.threads.list()] == [others]
        return strikes

    def nothing_is_locked(self):
        if self.path is not None:
            with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as beside:
                beside.execute("BEGIN IMMEDIATE")

    def close(self):
        assert self.store.projections.compare().ok
        closing_it = Thread(target=self.store.close)
        closing_it.start()
        closing_it.join(SECONDS)
        assert not closing_it.is_alive(), "close() waits for somebody who is gone"


@contextmanager
def scene(where, tmp_path):
    path = tmp_path / "chat.db"
    engine = create_engine(f"sqlite:///{path}")
    targets = {"file": f"sqlite:///{path}", "memory": "sqlite://", "engine": engine}
    made = Scene(targets[where], None if where == "memory" else path)
    yield made
    made.close()
    engine.dispose()


WRITES = {"a write": Scene.struck, "a tenant's first": Scene.first_write_struck}


def moments(strike, made):
    """How many moments a write has at which it can be struck."""
    strike(made, NEVER)
    return NEVER - strike(made, NEVER).left


@pytest.mark.parametrize("where", ["file", "memory", "engine"])
@pytest.mark.parametrize("strike", WRITES.values(), ids=WRITES.keys())
def test_interrupts_at_moments_that_are_drawn_leave_nothing_behind(strike, where, tmp_path):
    random = Random(f"{where} {strike.__name__}")
    with scene(where, tmp_path) as made:
        count = moments(strike, made)
        assert count > 100
        twice = 0
        for number in range(SAMPLE):
            second = random.randint(1, 40) if number % 3 else NEVER
            twice += strike(made, random.randint(1, count), second).struck == 2
        assert twice > SAMPLE / 10


@pytest.mark.long
@pytest.mark.parametrize("where", ["file", "memory", "engine"])
@pytest.mark.parametrize("strike", WRITES.values(), ids=WRITES.keys())
def test_an_interrupt_at_any_moment_leaves_nothing_behind(strike, where, tmp_path):
    with scene(where, tmp_path) as made:
        first = 1
        while strike(made, first).struck:
            first += 1
        assert first > 100


@pytest.mark.long
@pytest.mark.parametrize("where", ["file", "memory"])
@pytest.mark.parametrize("strike", WRITES.values(), ids=WRITES.keys())
def test_a_second_interrupt_at_any_moment_after_the_first_leaves_nothing_behind(
    strike, where, tmp_path
):
    with scene(where, tmp_path) as made:
        for first in range(1, moments(strike, made)):
            second = 1
            while strike(made, first, second).struck == 2:
                second += 1


def test_whoever_waits_for_a_thread_that_was_struck_twice_goes_on(tmp_path, monkeypatch):
    """Others take up the lead, and a request that was taken is of unknown outcome."""
    for module in (shared_writer, tickets):
        monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    random = Random(7)
    with scene("file", tmp_path) as made:
        store, beside = made.store, made.store.threads.create().id
        count = moments(Scene.struck, made)
        done: list[Any] = []

        def others():
            for number in range(60):
                try:
                    store.messages.create(beside, role="user", content=f"{number}")
                except ConversationStoreError as error:
                    done.append(type(error))
                else:
                    done.append(number)

        threads = [Thread(target=others) for _ in range(2)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            try:
                with Strikes(random.randint(1, count), random.randint(1, 60)):
                    store.messages.create(made.thread_id, role="user", content="struck")
            except (Struck, StruckAgain, ConversationStoreError):
                continue
        assert len(done) == 120
        kept = [one.text for one in store.messages.list(beside, limit=1000)]
        for number in range(60):
            assert done.count(number) <= kept.count(f"{number}") <= 2
        versions = [one.version for one in store.events.read(made.thread_id)]
        assert versions == list(range(1, len(versions) + 1))


@pytest.mark.parametrize("where", ["url", "engine"])
async def test_a_task_that_is_cancelled_at_any_turn_leaves_nothing_behind(where, tmp_path):
    url = f"sqlite+aiosqlite:///{tmp_path}/chat.db"
    engine = create_async_engine(url)
    target = url if where == "url" else engine
    async with AsyncConversationStore.open(target, durability="as_is") as store:
        await hold_cancellations(store, 50)
    await engine.dispose()


async def hold_cancellations(store, turns):
    """Cancel a write after so many turns of the loop, up to ``turns``, and write on each time."""
    thread_id = (await store.threads.create()).id
    version = 1
    for turn in range(turns):
        writing = asyncio.ensure_future(
            store.messages.create(thread_id, role="user", content=f"cancelled {turn}")
        )
        for _ in range(turn):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.wait([writing])
        made = await store.messages.create(thread_id, role="user", content="next")
        texts = [one.text for one in await store.messages.list(thread_id, limit=1000)]
        kept = texts.count(f"cancelled {turn}")
        assert kept or writing.cancelled()
        version += 1 + kept
        assert made.version == version
    assert (await store.projections.compare()).ok
