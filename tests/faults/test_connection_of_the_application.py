"""``connection=``: our write belongs to the application's transaction, for better or worse."""

import sqlite3
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool, SingletonThreadPool, StaticPool

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    Refused,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.read_models import Usage
from eventstore.testing.faults import Faults, failing
from tests.concurrency.schedules import outcome

ORDER = text("INSERT INTO orders (note) VALUES ('ours')")


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/chat.db"


@pytest.fixture
def store(url):
    with ConversationStore.open(url, busy_timeout_seconds=0.05) as opened:
        yield opened


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture(params=["as it comes", "begins by itself"])
def engine(request, url, store, faults):  # noqa: ARG001 (the store made the file what it is)
    """The application's engine: pysqlite's own manner, and the one that SQLAlchemy advises."""
    made = create_engine(url, connect_args={**faults.connect_args, "timeout": 0.05})
    if request.param == "begins by itself":
        event.listen(made, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
        event.listen(made, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE orders (note TEXT)"))
    yield made
    made.dispose()


def say(store, thread_id, content, **options):
    return store.messages.create(thread_id, role="user", content=content, **options)


def texts(store, thread_id):
    return [message.text for message in store.messages.list(thread_id)]


def orders(connection):
    return connection.execute(text("SELECT count(*) FROM orders")).scalar()


def counted(engine):
    with engine.connect() as connection:
        return orders(connection)


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_both_commit_or_both_roll_back(store, engine, first, end):
    thread_id = store.threads.create().id
    with engine.connect() as connection:
        if first == "theirs":
            connection.execute(ORDER)
        say(store, thread_id, "with it", connection=connection)
        if first == "ours":
            connection.execute(ORDER)
        getattr(connection, end)()
    kept = end == "commit"
    assert texts(store, thread_id) == ["with it"] * kept
    assert counted(engine) == kept
    say(store, thread_id, "after")
    assert store.threads.get(thread_id).version == 2 + kept
    assert store.projections.compare().findings == ()


def test_a_tenant_made_in_a_transaction_that_was_rolled_back_is_not_remembered(store, engine):
    bound = store.tenant("new")
    with engine.connect() as connection:
        thread = bound.threads.create(connection=connection)
        assert thread.version == 1
        connection.rollback()
    made = bound.threads.create()
    assert bound.threads.get(made.id).id == made.id
    assert store.tenant("other").threads.create().id
    assert len(bound.threads.list()) == 1


def test_our_failure_leaves_theirs_as_it_was(store, engine):
    thread_id = store.threads.create().id
    store.threads.archive(thread_id)
    with engine.begin() as connection:
        connection.execute(ORDER)
        with pytest.raises(Refused):
            say(store, thread_id, "refused", connection=connection)
        connection.execute(ORDER)
    assert counted(engine) == 2
    assert texts(store, thread_id) == []


def test_a_failing_call_of_ours_leaves_theirs_as_it_was(store, engine, faults):
    """At every call of the append: the savepoint takes back ours alone."""
    thread_id = store.threads.create().id
    for n in range(1, 100):
        with engine.begin() as connection:
            connection.execute(ORDER)
            with faults.at(n, failing("SQLITE_FULL")) as calls:
                told = outcome(partial(say, store, thread_id, "x", connection=connection))
            struck = len(calls) >= n
        assert isinstance(told, StoreUnavailable) is struck, calls
        assert counted(engine) == n
        assert len(texts(store, thread_id)) == (not struck)
        if not struck:
            break
    assert n > 8
    assert store.projections.compare().findings == ()


def test_a_stale_transaction_is_told_what_to_do(store, engine):
    """It began to read before somebody else wrote, so SQLite will never let it write."""
    thread_id = store.threads.create().id
    with engine.connect() as connection:
        assert orders(connection) == 0
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN")
        assert orders(connection) == 0
        say(store, thread_id, "by somebody else")
        with pytest.raises(StoreBusy, match="connection="):
            say(store, thread_id, "never", connection=connection)
        connection.rollback()
        say(store, thread_id, "anew", connection=connection)
        connection.commit()
    assert texts(store, thread_id) == ["by somebody else", "anew"]


def test_a_transaction_left_open_makes_others_busy_and_the_error_names_it(store, engine):
    thread_id = store.threads.create().id
    with engine.connect() as connection:
        say(store, thread_id, "open", connection=connection)
        with pytest.raises(StoreBusy, match="connection="):
            say(store, thread_id, "busy")
        connection.commit()
    say(store, thread_id, "free")
    assert texts(store, thread_id) == ["open", "free"]


def test_the_store_sees_it_only_once_it_is_committed(store, engine):
    thread_id = store.threads.create().id
    with engine.begin() as connection:
        made = say(store, thread_id, "soon", connection=connection)
        assert (made.text, made.version) == ("soon", 2)
        assert texts(store, thread_id) == []
        say(store, thread_id, "a second", expected_head=made.id, connection=connection)
    assert texts(store, thread_id) == ["soon", "a second"]


@pytest.mark.parametrize("wrong", [object(), "a string"])
def test_something_else_is_refused(store, wrong):
    with pytest.raises(InvalidInput, match="connection"):
        store.threads.create(connection=wrong)


# -- aiosqlite -------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(url):
    engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE orders (note TEXT)"))
    async with AsyncConversationStore.open(url, busy_timeout_seconds=0.05) as store:
        yield store, engine
    await engine.dispose()


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_on_aiosqlite_both_commit_or_both_roll_back(url, first, end):
    async with opened(url) as (store, engine):
        thread_id = (await store.threads.create()).id
        async with engine.connect() as connection:
            if first == "theirs":
                await connection.execute(ORDER)
            await say(store, thread_id, "with it", connection=connection)
            if first == "ours":
                await connection.execute(ORDER)
            await getattr(connection, end)()
        kept = end == "commit"
        assert len(await store.messages.list(thread_id)) == kept
        async with engine.connect() as connection:
            assert await connection.run_sync(orders) == kept
        await say(store, thread_id, "after")
        assert (await store.projections.compare()).findings == ()


async def test_on_aiosqlite_our_failure_leaves_theirs_as_it_was(url):
    async with opened(url) as (store, engine):
        thread_id = (await store.threads.create()).id
        await store.threads.archive(thread_id)
        async with engine.begin() as connection:
            await connection.execute(ORDER)
            with pytest.raises(Refused):
                await say(store, thread_id, "refused", connection=connection)
        async with engine.connect() as connection:
            assert await connection.run_sync(orders) == 1


async def test_on_aiosqlite_a_sync_connection_is_refused(url):
    async with opened(url) as (store, _):
        engine = create_engine(url)
        with engine.connect() as connection, pytest.raises(InvalidInput, match="AsyncConnection"):
            await store.threads.create(connection=connection)
        engine.dispose()


def by_option(url):
    return create_engine(url).execution_options(isolation_level="AUTOCOMMIT")


def from_the_start(url):
    return create_engine(url, isolation_level="AUTOCOMMIT")


@pytest.mark.parametrize("engine_of", [by_option, from_the_start])
def test_where_each_statement_commits_itself_there_is_no_transaction_to_belong_to(
    store, url, engine_of
):
    """Who says no COMMIT, as one need not there, would lose what was acknowledged."""
    engine = engine_of(url)
    with engine.connect() as connection:
        with pytest.raises(InvalidInput, match="AUTOCOMMIT"):
            store.threads.create(connection=connection)
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        made = store.threads.create(connection=connection)
        connection.exec_driver_sql("COMMIT")
    assert store.threads.get(made.id) == made
    engine.dispose()


def test_a_connection_that_lost_its_transaction_is_refused(store, engine):
    with engine.connect() as connection:
        connection.begin()
        connection.invalidate()
        with pytest.raises(InvalidInput, match="connection: was lost"):
            store.threads.create(connection=connection)


# -- engines whose settings are not safe -----------------------------------------------------------


def test_an_engine_whose_connections_are_not_safe_is_refused_unless_taken_as_it_is(url):
    engine = create_engine(url)
    with pytest.raises(StoreUnavailable) as raised:
        ConversationStore.open(engine)
    assert raised.value.reason == "unsafe_settings"
    with ConversationStore.open(engine, durability="as_is") as store:
        assert store.threads.create().version == 1
    engine.dispose()


@pytest.mark.parametrize("pool", [None, NullPool], ids=["a thread's own", "a call's own"])
def test_an_engine_in_memory_has_one_connection_or_is_refused(pool):
    """Else another thread, or the next call, would find no tables there."""
    engine = create_engine("sqlite://", poolclass=pool)
    with pytest.raises(InvalidInput, match="poolclass=StaticPool"):
        ConversationStore.open(engine, durability="as_is")
    engine.dispose()


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])
def test_a_transaction_on_the_only_connection_of_a_pool_is_not_ended(url, pool):
    """Whoever comes without it hears so; what the application commits is there."""
    engine = create_engine(url, poolclass=pool)
    with ConversationStore.open(engine, durability="as_is") as store:
        thread_id = store.threads.create().id
        with engine.begin() as connection:
            say(store, thread_id, "one", connection=connection)
            for act in (lambda: texts(store, thread_id), lambda: say(store, thread_id, "beside")):
                with pytest.raises(StoreBusy, match="connection="):
                    act()
            say(store, thread_id, "two", connection=connection)
        say(store, thread_id, "three")
        assert texts(store, thread_id) == ["one", "two", "three"]
    engine.dispose()


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])
def test_what_the_store_itself_has_open_on_the_only_connection_is_not_taken_for_another(url, pool):
    """As a function that is called with a projection's tables may ask the store for more."""
    engine = create_engine(url, poolclass=pool)
    with ConversationStore.open(engine, durability="as_is") as store:
        store.projections.register(Usage())
        thread_id = store.threads.create().id
        say(store, thread_id, "hello")
        store.projections.catch_up()
        found: Any = store.projections.read("usage", lambda _: texts(store, thread_id))
        assert found == ["hello"]
    engine.dispose()


async def test_a_transaction_on_the_only_connection_of_an_async_pool_is_not_ended():
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        made = await store.threads.create()
        async with engine.begin() as connection:
            one = await store.threads.update(made.id, title="one", connection=connection)
            for act in (store.threads.get, store.threads.archive):
                with pytest.raises(StoreBusy, match="connection="):
                    await act(made.id)
        assert await store.threads.get(made.id) == one
    await engine.dispose()


def test_an_engine_that_makes_its_connections_itself_is_asked_where_they_lead(url, tmp_path):
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(tmp_path / "chat.db"))
    with ConversationStore.open(engine, durability="as_is") as store:
        thread_id = store.threads.create().id
    engine.dispose()
    with ConversationStore.open(url) as store:
        assert store.threads.get(thread_id).version == 1


def test_an_engine_whose_commit_does_nothing_is_refused(url):
    """autocommit=True of Python 3.12's sqlite3; older ones do not know it."""
    engine = create_engine(url, connect_args={"autocommit": True})
    try:
        engine.connect().close()
    except (TypeError, OperationalError):
        pytest.skip("this Python's sqlite3 has no autocommit")
    with pytest.raises(StoreUnavailable) as raised:
        ConversationStore.open(engine, durability="as_is")
    assert raised.value.reason == "unsafe_settings"
    engine.dispose()


def test_an_engine_with_the_newer_manner_of_transactions_works(url):
    """autocommit=False of Python 3.12's sqlite3: a transaction is always open."""
    engine = create_engine(url, connect_args={"autocommit": False})
    try:
        engine.connect().close()
    except (TypeError, OperationalError):
        pytest.skip("this Python's sqlite3 has no autocommit")
    with ConversationStore.open(engine, durability="as_is") as store:
        thread_id = store.threads.create().id
        say(store, thread_id, "kept")
        assert texts(store, thread_id) == ["kept"]
    engine.dispose()
