"""A file that was open over a fork is refused in the child, however it is opened there.

SQLite would take no lock on it in the child, so what the child was told is kept could vanish when
the parent closes. Whatever keeps it open, and whichever name it has: device and inode decide.
"""

import asyncio
import os
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from time import monotonic
from typing import Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from eventstore import AsyncConversationStore, ConversationStore, StoreUnavailable
from eventstore.execution import forks
from eventstore.execution.transaction_gate import TransactionGate
from eventstore.read_models import projection
from tests.concurrency.schedules import SECONDS, Child, Gate, signals, thread

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

SAFE = ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a chat.db"


@pytest.fixture
def url(path):
    return f"sqlite:///{path}"


def prepared(url, **options):
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def prepare(driver, _):
        for setting in SAFE:
            driver.execute(f"PRAGMA {setting}")

    return engine


def say(store, thread_id, text, **where):
    return store.messages.create(thread_id, role="user", content=text, **where)


def texts(store, thread_id):
    return [message.text for message in store.messages.list(thread_id)]


def assert_whole(path):
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def refused(act, *arguments, **options):
    with pytest.raises(StoreUnavailable) as raised:
        act(*arguments, **options)
    assert raised.value.reason == "forked"
    assert "fork" in raised.value.remedy
    return str(raised.value)


# -- what keeps a file open ------------------------------------------------------------------------


@contextmanager
def a_plain_connection(_store, path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM events").fetchall()
        yield


@contextmanager
def an_idle_pool(_store, path):
    engine = prepared(f"sqlite:///{path}")
    with engine.connect():
        pass
    yield
    engine.dispose()


@contextmanager
def a_transaction_of_the_application(store, path):
    engine = prepared(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        store.threads.create(connection=connection)
        yield
        connection.rollback()
    engine.dispose()


@contextmanager
def a_read_in_another_thread(store, _path):
    gate = Gate()
    with thread(store._executor.read, lambda _: gate()):  # noqa: SLF001 (a read that waits)
        gate.wait()
        try:
            yield
        finally:
            gate.open()


@contextmanager
def a_descriptor_that_is_not_of_sqlite(_store, path):
    with path.open("rb"):
        yield


KEEPING = [
    a_plain_connection,
    an_idle_pool,
    a_transaction_of_the_application,
    a_read_in_another_thread,
    a_descriptor_that_is_not_of_sqlite,
]


def open_in_every_way(path):
    """Open a file as an application may, under each of its names."""
    os.chdir(path.parent)
    (path.parent / "symbolic.db").symlink_to(path)
    os.link(path, path.parent / "hard.db")
    quoted = str(path).replace(" ", "%20")
    names = [
        str(path),
        path.name,
        "symbolic.db",
        "hard.db",
        f"file:{quoted}?uri=true",
        f"file:{quoted}?mode=rw&uri=true",
        f"file://localhost{quoted}?uri=true",
        f"file:{path.name.replace(' ', '%20')}?cache=private&uri=true",
    ]
    for name in names:
        refused(ConversationStore.open, f"sqlite:///{name}")
        refused(asyncio.run, opened(f"sqlite:///{name}"))
    for name in names[:3]:
        refused(ConversationStore.open, prepared(f"sqlite:///{name}"))
        refused(asyncio.run, opened_on_an_engine(name))
    elsewhere = create_engine("sqlite://", creator=lambda: sqlite3.connect("hard.db"))
    refused(ConversationStore.open, elsewhere, durability="as_is")
    with ConversationStore.open("sqlite:///another.db") as other:
        thread_id = other.threads.create().id
        with prepared("sqlite:///symbolic.db").connect() as connection:
            refused(say, other, thread_id, "never", connection=connection)
        assert texts(other, thread_id) == []


async def opened(target):
    return await AsyncConversationStore.open(target)


async def opened_on_an_engine(name):
    engine = create_async_engine(f"sqlite+aiosqlite:///{name}")
    try:
        await AsyncConversationStore.open(engine, durability="as_is")
    finally:
        await engine.dispose()


@pytest.mark.parametrize("keeping", KEEPING, ids=lambda keeping: keeping.__name__)
def test_the_child_refuses_the_file_however_it_is_opened(url, path, keeping, monkeypatch):
    monkeypatch.setattr(forks, "_PATIENCE_SECONDS", 0.05)
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id

        def act():
            for _ in range(2):
                refused(store.threads.get, thread_id)
            open_in_every_way(path)
            assert Child(lambda: refused(ConversationStore.open, url)).wait() == 0
            store.close()

        with keeping(store, path):
            assert Child(act).wait() == 0
        say(store, thread_id, "the parent goes on")
        assert texts(store, thread_id) == ["the parent goes on"]
    assert_whole(path)


def test_an_engine_that_was_not_disposed_of_makes_the_child_refuse_another_one(url, path):
    """Its last connection deletes the log, with what the child was told is kept."""
    engine = prepared(url)
    store = ConversationStore.open(engine)
    thread_id = store.threads.create().id

    def act():
        refused(store.threads.get, thread_id)
        refused(ConversationStore.open, prepared(url))

    assert Child(act).wait() == 0
    assert texts(store, thread_id) == []
    store.close()
    engine.dispose()
    assert_whole(path)


def test_an_engine_that_was_disposed_of_leaves_the_file_to_another_one_of_the_child(url, path):
    engine = prepared(url)
    store = ConversationStore.open(engine)
    thread_id = store.threads.create().id
    engine.dispose()
    with signals(2) as (written, closed):

        def act():
            mine = ConversationStore.open(prepared(url))
            say(mine, thread_id, "while the parent is open")
            written.give()
            closed.wait()
            say(mine, thread_id, "acknowledged after it closed")

        child = Child(act)
        written.wait()
        store.close()
        engine.dispose()
        closed.give()
        assert child.wait() == 0
    with ConversationStore.open(url) as again:
        kept = ["while the parent is open", "acknowledged after it closed"]
        assert texts(again, thread_id) == kept
    assert_whole(path)


def test_a_store_and_an_engine_that_the_parent_had_are_refused_together(url, path):
    """One of them closes its connections, and the other keeps the file open."""
    engine = prepared(url)
    with ConversationStore.open(url) as store, ConversationStore.open(engine) as owned:
        thread_id = store.threads.create().id

        def act():
            refused(store.threads.get, thread_id)
            refused(owned.threads.get, thread_id)
            refused(ConversationStore.open, engine)

        assert Child(act).wait() == 0
        say(owned, thread_id, "one")
        say(store, thread_id, "two")
        assert texts(owned, thread_id) == ["one", "two"]
    engine.dispose()
    assert_whole(path)


# -- what does not ---------------------------------------------------------------------------------


def test_a_suspended_iterator_and_a_waiting_subscriber_keep_nothing_open(url, path):
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        for number in range(3):
            say(store, thread_id, str(number))
        events = store.events.subscribe(poll_seconds=SECONDS)
        reading = store.events.read(thread_id)
        next(events), next(reading)

        def act():
            assert [one.version for one in reading] == [2, 3, 4]
            next(events)
            say(store, thread_id, "child")

        assert Child(act).wait() == 0
        assert [one.version for one in reading][:3] == [2, 3, 4]
        assert texts(store, thread_id) == ["0", "1", "2", "child"]
    assert_whole(path)


def test_other_files_that_are_open_over_the_fork_harm_nobody(url, path, tmp_path):
    with ConversationStore.open(url) as store, closing(sqlite3.connect(tmp_path / "x.db")) as other:
        other.execute("CREATE TABLE x (y)")
        thread_id = store.threads.create().id

        def act():
            say(store, thread_id, "child")
            refused(ConversationStore.open, f"sqlite:///{tmp_path}/x.db")
            with ConversationStore.open(prepared(f"sqlite:///{tmp_path}/new.db")) as made:
                made.threads.create()

        assert Child(act).wait() == 0
        assert texts(store, thread_id) == ["child"]
    assert_whole(path)


def test_an_engine_that_was_made_but_has_nothing_open_works_in_the_child(url, path):
    engine = prepared(url, poolclass=NullPool)
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id

        def act():
            with ConversationStore.open(engine) as mine:
                say(mine, thread_id, "child")
            with engine.connect() as connection:
                say(store, thread_id, "both", connection=connection)
                connection.commit()

        assert Child(act).wait() == 0
        assert texts(store, thread_id) == ["child", "both"]
    assert_whole(path)


def test_descriptors_are_found_where_no_folder_lists_them(url, path, monkeypatch):
    monkeypatch.setattr("eventstore.execution.inherited._LISTS", ())
    with ConversationStore.open(url) as store, path.open("rb"):
        assert Child(lambda: refused(store.threads.create)).wait() == 0


# -- transactions that are open as the process forks -----------------------------------------------


def test_a_fork_does_not_wait_for_its_own_thread(url, path, monkeypatch):
    monkeypatch.setattr(forks, "_PATIENCE_SECONDS", 10 * SECONDS)
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        executor = store._executor  # noqa: SLF001 (a read in which a function of ours runs)

        def forking(_):
            child = Child(lambda: refused(ConversationStore.open, url))
            return child.wait()

        begun = monotonic()
        assert executor.read(forking) == 0
        assert monotonic() - begun < SECONDS
        say(store, thread_id, "the parent goes on")
    assert_whole(path)


def test_all_stores_together_are_waited_for_once(tmp_path, monkeypatch):
    """Two that are busy are given the same second."""
    ends: list[float] = []
    shut = TransactionGate.shut

    def noted(passage, until):
        ends.append(until)
        return shut(passage, until)

    monkeypatch.setattr(TransactionGate, "shut", noted)
    monkeypatch.setattr(forks, "_PATIENCE_SECONDS", 0.05)
    with ExitStack() as stack:
        for name in ("a.db", "b.db"):
            store = stack.enter_context(ConversationStore.open(f"sqlite:///{tmp_path}/{name}"))
            stack.enter_context(a_read_in_another_thread(store, tmp_path))
        begun = monotonic()
        assert Child(lambda: refused(store.threads.create)).wait() == 0
        [end] = set(ends)
        assert begun < end < begun + 1.0


def committed(path):
    """Rows of the read model that anybody else sees."""
    with closing(sqlite3.connect(path)) as connection:
        like = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE '%counted%'"
        [(name,)] = connection.execute(like).fetchall()
        return connection.execute(f'SELECT * FROM "{name}"').fetchall()


def counted(store):
    return store.projections.read("counted", lambda tables: tables.all("SELECT n FROM {t}"))


def test_a_child_forked_inside_a_write_commits_nothing_of_it(url, path):
    """It comes back from the function that forked, into the parent's transaction."""
    outcomes: list[int] = []
    in_child: list[str] = []

    @projection("counted", tables=("t",), create="CREATE TABLE {t} (n INTEGER)")
    def counting(tables, _):
        tables.run("INSERT INTO {t} VALUES (1)")
        if not outcomes:
            process = os.fork()
            if process == 0:
                in_child.append("forked")
                outcomes.append(0)
                return
            outcomes.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
            outcomes.append(len(committed(path)))

    store = ConversationStore.open(url)
    store.threads.create()
    store.threads.create()
    store.projections.register(counting)
    try:
        try:
            store.projections.catch_up()
        except StoreUnavailable as error:
            if in_child:
                os._exit(0 if error.reason == "forked" else 1)
            raise
    finally:
        if in_child:
            os._exit(2)
    assert outcomes == [0, 0]
    assert len(counted(store)) == 2
    store.close()
    assert_whole(path)


def test_a_child_forked_inside_a_write_on_an_engine_commits_nothing_of_it(url, path):
    engine = prepared(url)
    store = ConversationStore.open(engine)
    executor: Any = store._executor  # noqa: SLF001
    perform = executor._perform  # noqa: SLF001
    children: list[int] = []

    def forking(*given):
        outcomes = perform(*given)
        if not children:
            children.append(os.fork())
        return outcomes

    executor._perform = forking  # noqa: SLF001
    code, thread_id = 2, ""
    try:
        thread_id = store.threads.create().id
    except StoreUnavailable as error:
        code = 0 if error.reason == "forked" else 1
    finally:
        if children == [0]:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    assert store.threads.get(thread_id).id == thread_id
    store.close()
    engine.dispose()
    assert_whole(path)


def test_an_inherited_connection_of_aiosqlite_is_refused_instead_of_waited_for(url, path):
    """Its thread is the parent's: it would never answer."""

    async def act():
        engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"))
        async with engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")

        def in_child():
            asyncio.set_event_loop(None)
            loop = asyncio.new_event_loop()
            asyncio._set_running_loop(None)  # noqa: SLF001 (that of the parent)
            refused(loop.run_until_complete, opened(engine))

        code = Child(in_child).wait()
        await engine.dispose()
        return code

    with ConversationStore.open(url) as store:
        store.threads.create()
        assert asyncio.run(act()) == 0
    assert_whole(path)


def test_a_thread_forks_while_others_write_longer_than_it_waits(url, path, monkeypatch):
    """Here a write holds the transaction: the child refuses, and what is written is kept."""
    monkeypatch.setattr(forks, "_PATIENCE_SECONDS", 0.05)
    gate, codes = Gate(), []
    with ConversationStore.open(url) as store:
        thread_id = store.threads.create().id
        executor: Any = store._executor  # noqa: SLF001
        perform = executor._connections._perform  # noqa: SLF001

        def slowly(*given):
            outcomes = perform(*given)
            gate()
            return outcomes

        executor._connections._perform = slowly  # noqa: SLF001
        with thread(say, store, thread_id, "kept"):
            gate.wait()
            with thread(lambda: codes.append(Child(lambda: open_in_every_way(path)).wait())):
                pass
            gate.open()
        assert codes == [0]
        assert texts(store, thread_id) == ["kept"]
        assert Child(lambda: say(store, thread_id, "child")).wait() == 0
        assert texts(store, thread_id) == ["kept", "child"]
    assert_whole(path)
