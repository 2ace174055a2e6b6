"""A forked child leaves the parent's connections to the server alone, and makes its own."""

import asyncio
import gc
import os

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore, StoreUnavailable
from eventstore.execution import forks
from tests.concurrency.schedules import Child, Gate, thread

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture
def url(newest, migrated_on_newest):
    return newest.url(driver="psycopg", database=migrated_on_newest)


@pytest.fixture
def asyncpg_url(newest, migrated_on_newest):
    return newest.url(driver="asyncpg", database=migrated_on_newest)


def say(store, thread_id, text, **where):
    return store.messages.create(thread_id, role="user", content=text, **where)


def texts(store, thread_id):
    return [message.text for message in store.messages.list(thread_id)]


def session(tx):
    return tx.one("SELECT pg_backend_pid()")


def refused(act, *arguments, **options):
    with pytest.raises(StoreUnavailable) as raised:
        act(*arguments, **options)
    assert raised.value.reason == "forked"


def opened(target):
    return ConversationStore.open(target, durability="as_is")


async def opened_async(target):
    return await AsyncConversationStore.open(target, durability="as_is")


def test_parent_and_child_go_on_while_a_thread_reads_over_the_fork(url, monkeypatch):
    monkeypatch.setattr(forks, "_PATIENCE_SECONDS", 0.05)
    sessions, gate = [], Gate()

    def read(tx):
        sessions.append(session(tx))
        gate()
        sessions.append(session(tx))

    with opened(url) as store:
        thread_id = store.threads.create().id

        def act():
            gc.collect()
            say(store, thread_id, "child")
            assert Child(lambda: say(store, thread_id, "grandchild")).wait() == 0
            store.close()

        with thread(store._executor.read, read):  # noqa: SLF001 (a read that waits)
            gate.wait()
            child = Child(act).wait()
            gate.open()
        assert child == 0
        before, after = sessions
        assert before == after
        assert texts(store, thread_id) == ["child", "grandchild"]


def test_a_child_forked_inside_a_read_says_nothing_on_the_connection_of_the_parent(url):
    in_child = []

    def forking(tx):
        here = session(tx)
        process = os.fork()
        if process == 0:
            in_child.append(0)
            with opened(url) as mine:  # as a call of `store` from inside one of its own is refused
                say(mine, thread_id, "child")
            return None
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
        assert session(tx) == here
        return here

    with opened(url) as store:
        thread_id = store.threads.create().id
        code = 1
        try:
            store._executor.read(forking)  # noqa: SLF001 (a read in which a function of ours runs)
        except StoreUnavailable as error:
            code = 0 if error.reason == "forked" else 2
        finally:
            if in_child:
                gc.collect()
                os._exit(code)
        assert texts(store, thread_id) == ["child"]


def test_an_engine_of_the_parent_is_refused_until_the_child_lets_go_of_its_pool(url):
    engine = create_engine(url)
    with opened(engine) as store, engine.connect() as connection:
        thread_id = store.threads.create().id
        here = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()

        def act():
            refused(store.threads.get, thread_id)
            for _ in range(2):
                refused(opened, engine)
            engine.dispose(close=False)
            with opened(engine) as mine:
                refused(say, mine, thread_id, "never", connection=connection)
                say(mine, thread_id, "child")
                with engine.begin() as new:
                    say(mine, thread_id, "on its own", connection=new)

        assert Child(act).wait() == 0
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar() == here
        connection.rollback()
        say(store, thread_id, "parent")
        assert texts(store, thread_id) == ["child", "on its own", "parent"]
    engine.dispose()


def test_a_store_on_asyncpg_goes_on_in_loops_that_the_child_makes(asyncpg_url):
    with asyncio.Runner() as runner:
        store = runner.run(opened_async(asyncpg_url))
        thread_id = runner.run(store.threads.create()).id
        before = runner.run(store._executor.read_async(session))  # noqa: SLF001

        def act():
            refused(runner.run, store.threads.get(thread_id))
            for text in ("child", "child again"):
                asyncio.run(say(store, thread_id, text))
            gc.collect()

        assert Child(act).wait() == 0
        assert runner.run(store._executor.read_async(session)) == before  # noqa: SLF001
        found = runner.run(store.messages.list(thread_id))
        assert [message.text for message in found] == ["child", "child again"]
        runner.run(store.close())


async def test_an_async_engine_of_the_parent_is_refused_in_the_child(asyncpg_url):
    engine = create_async_engine(asyncpg_url)
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        thread_id = (await store.threads.create()).id

        def act():
            refused(asyncio.run, opened_async(engine))

        child = await asyncio.to_thread(Child(act).wait)
        assert child == 0
        assert (await store.threads.get(thread_id)).id == thread_id
    await engine.dispose()
