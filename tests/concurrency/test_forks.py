"""Preloading servers open a store and fork. Parent and children go on, on a file that stays whole.

SQLite's library remembers in a child what locks the parent had, so a connection must not live
across a fork, not even an idle one; see ``execution/forks.py``.
"""

import asyncio
import os
import sqlite3
import threading
import weakref
from typing import Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore, StoreUnavailable
from eventstore.execution import forks
from eventstore.execution.signals import Signals
from tests.concurrency.schedules import (
    SECONDS,
    Child,
    Gate,
    at_once,
    outcome,
    signals,
    thread,
)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/chat.db"


def say(store, thread_id, text):
    return store.messages.create(thread_id, role="user", content=text)


def texts(store, thread_id):
    return [message.text for message in store.messages.list(thread_id)]


def assert_whole(tmp_path):
    connection = sqlite3.connect(tmp_path / "chat.db")
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_parent_and_children_all_write_and_read(url, tmp_path):
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        say(store, thread_id, "before")

        def act():
            for n in range(20):
                made = say(store, thread_id, f"{os.getpid()}.{n}")
                assert made.text in texts(store, thread_id)

        children = [Child(act) for _ in range(4)]
        act()
        assert [child.wait() for child in children] == [0] * 4
        assert len(set(texts(store, thread_id))) == 1 + 5 * 20
        versions = [event.version for event in store.events.read(thread_id)]
        assert versions == list(range(1, 2 + 1 + 5 * 20))
        assert store.projections.compare().findings == ()
    assert_whole(tmp_path)


def test_what_a_child_wrote_survives_the_parents_closing(url, tmp_path):
    """The parent's last connection deletes the log, unless the child's lock is a real one."""
    with signals(2) as (written, closed):
        store = ConversationStore.open(url)
        thread_id = store.threads.create().id

        def act():
            say(store, thread_id, "while the parent is open")
            written.give()
            closed.wait()
            say(store, thread_id, "acknowledged after it closed")

        child = Child(act)
        written.wait()
        store.close()
        closed.give()
        assert child.wait() == 0
    with ConversationStore.open(url) as again:
        kept = ["while the parent is open", "acknowledged after it closed"]
        assert texts(again, thread_id) == kept
    assert_whole(tmp_path)


def test_what_the_parent_wrote_survives_a_childs_closing(url, tmp_path):
    with signals(2) as (closed, written), ConversationStore.open(url) as store:
        thread_id = store.threads.create().id

        def act():
            say(store, thread_id, "child")
            store.close()
            closed.give()
            written.wait()

        child = Child(act)
        closed.wait()
        say(store, thread_id, "parent")
        written.give()
        assert child.wait() == 0
        assert texts(store, thread_id) == ["child", "parent"]
    assert_whole(tmp_path)


def test_forking_waits_for_transactions_of_other_threads(url, tmp_path):
    """Sixteen threads write while the process forks: nobody's transaction is open across it."""
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        stop = threading.Event()
        written = []

        def work():
            while not stop.is_set():
                written.append(say(store, thread_id, "from a thread").id)
                store.threads.get(thread_id)

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        try:
            children = [Child(lambda: say(store, thread_id, "child")) for _ in range(5)]
            assert [child.wait() for child in children] == [0] * 5
        finally:
            stop.set()
            for worker in workers:
                worker.join(SECONDS)
        found = store.messages.list(thread_id).data
        assert {m.id for m in found} >= set(written)
        assert [m.text for m in found].count("child") == 5
        assert store.projections.compare().findings == ()
    assert_whole(tmp_path)


def test_a_child_does_not_wait_for_a_thread_that_was_counting(url):
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        with store.scope.metrics._lock:  # noqa: SLF001 (held by a thread that is not in the child)
            child = Child(lambda: (say(store, thread_id, "child"), store.counters()))
        assert child.wait() == 0
        assert texts(store, thread_id) == ["child"]


def test_a_store_opened_while_the_process_forks_disturbs_nobody(url, tmp_path, monkeypatch):
    """Who is to be told of the fork is read from a set, which must not grow meanwhile."""
    opening: list[threading.Thread] = []
    late: list[Signals] = []

    class Watched(weakref.WeakSet[Any]):
        def __iter__(self):
            for one in super().__iter__():
                if not opening:
                    opening.append(threading.Thread(target=lambda: late.append(Signals())))
                    opening[0].start()
                    opening[0].join(0.05)  # it waits for the fork, or it was let in
                yield one

    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        monkeypatch.setattr(forks._hooks, "watched", Watched(forks._hooks.watched))  # noqa: SLF001
        child = Child(lambda: say(store, thread_id, "child"))
        assert child.wait() == 0
        opening[0].join(SECONDS)
        assert late
        assert texts(store, thread_id) == ["child"]
    assert_whole(tmp_path)


def test_a_child_forked_inside_a_transaction_refuses(url):
    """Here the forking thread cannot wait for it: it is its own."""
    with ConversationStore.open(url, busy_timeout_seconds=0.05) as store:
        thread_id = store.threads.create().id
        gate = Gate()
        executor = store._executor  # noqa: SLF001 (a read that waits)
        reading = threading.Thread(target=executor.read, args=(lambda _: gate(),))
        reading.start()
        gate.wait()

        def act():
            with pytest.raises(StoreUnavailable) as raised:
                say(store, thread_id, "never")
            assert raised.value.reason == "forked"

        child = Child(act)
        gate.open()
        reading.join(SECONDS)
        assert child.wait() == 0
        say(store, thread_id, "the parent goes on")


def test_threads_that_use_the_store_first_in_a_child_open_it_once(url):
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id

        def act():
            at_once(16, lambda n: say(store, thread_id, str(n)))
            assert sorted(map(int, texts(store, thread_id))) == list(range(16))

        assert Child(act).wait() == 0


def test_a_child_that_could_not_open_the_file_tries_again(url, tmp_path):
    with ConversationStore.open(url, busy_timeout_seconds=0.05) as store:
        thread_id = store.threads.create().id

        def act():
            (tmp_path / "chat.db").rename(tmp_path / "away.db")
            (tmp_path / "chat.db").mkdir()
            with pytest.raises(StoreUnavailable):
                say(store, thread_id, "never")
            (tmp_path / "chat.db").rmdir()
            (tmp_path / "away.db").rename(tmp_path / "chat.db")
            say(store, thread_id, "again")

        assert Child(act).wait() == 0
        assert texts(store, thread_id) == ["again"]


def test_a_grandchild_opens_its_own(url):
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id

        def act():
            say(store, thread_id, "child")
            assert Child(lambda: say(store, thread_id, "grandchild")).wait() == 0
            say(store, thread_id, "child again")

        assert Child(lambda: Child(act).wait()).wait() == 0
        assert texts(store, thread_id) == ["child", "grandchild", "child again"]


def test_an_async_store_goes_on_in_a_child(url):
    async def opened():
        store = await AsyncConversationStore.open(url)
        return store, (await store.threads.create()).id

    async def write(text):
        made = await asyncio.gather(
            *(store.messages.create(thread_id, role="user", content=text) for _ in range(10))
        )
        return len(made)

    store, thread_id = asyncio.run(opened())
    assert Child(lambda: asyncio.run(write("child"))).wait() == 0
    assert asyncio.run(write("parent")) == 10

    async def counted():
        found = await store.messages.list(thread_id)
        await store.close()
        return sorted(message.text for message in found)

    assert asyncio.run(counted()) == ["child"] * 10 + ["parent"] * 10


def test_a_store_in_memory_is_not_shared_with_a_child():
    with ConversationStore.open("sqlite://") as store:
        thread_id = store.threads.create().id

        def act():
            for _ in range(2):
                with pytest.raises(StoreUnavailable) as raised:
                    store.threads.get(thread_id)
                assert raised.value.reason == "forked"
            store.close()

        assert Child(act).wait() == 0
        assert store.threads.get(thread_id).id == thread_id


def test_a_store_on_an_owned_engine_is_opened_anew_by_the_child(url, tmp_path):
    engine = create_engine(url)
    with ConversationStore.open(engine, durability="as_is") as store:
        thread_id = store.threads.create().id

        def act():
            with pytest.raises(StoreUnavailable) as raised:
                store.threads.get(thread_id)
            assert raised.value.reason == "forked"

        assert Child(act).wait() == 0
        say(store, thread_id, "parent")
    engine.dispose()
    assert_whole(tmp_path)


def test_closing_in_a_child_waits_for_nothing_that_the_parent_was_doing(url):
    """On an engine of the application, as preloading servers close what they find at their end."""
    engine = create_engine(url)
    gate = Gate()
    store = ConversationStore.open(engine, durability="as_is")
    event.listen(engine, "commit", lambda _: gate())
    with thread(store.threads.create):
        gate.wait()
        try:
            assert Child(store.close).wait() == 0
        finally:
            gate.open()
    store.close()
    engine.dispose()


async def test_a_store_on_an_owned_async_engine_is_opened_anew_by_the_child(tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/chat.db")
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        thread_id = (await store.threads.create()).id

        def act():
            coroutine: Any = store.threads.get(thread_id)
            with pytest.raises(StoreUnavailable) as raised:
                coroutine.send(None)
            assert raised.value.reason == "forked"

        assert await asyncio.to_thread(Child(act).wait) == 0
        assert (await store.threads.get(thread_id)).id == thread_id
    await engine.dispose()


def test_a_store_closed_before_the_fork_stays_closed(url):
    store = ConversationStore.open(url)
    store.close()
    assert Child(store.close).wait() == 0


def test_closing_and_forking_at_once_both_come_to_an_end(url):
    for _ in range(5):
        store = ConversationStore.open(url)
        thread_id = store.threads.create().id
        writing = (outcome, lambda: say(store, thread_id, "x"))  # noqa: B023 (ends in the block)
        with thread(*writing), thread(store.close):
            child = Child(lambda: None)
        assert child.wait() == 0
