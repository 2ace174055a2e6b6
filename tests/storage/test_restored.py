"""A backup is restored, or another file put in place, while stores have the database open.

Nothing that a store remembered of the database before may be used on the one after. Other
processes' commits, purges too, are no such thing.
"""

import logging
import os
import random
import sqlite3
import threading
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import AsyncConversationStore, ConversationStore, StoreUnavailable
from eventstore.testing.store_wrappers import blocking

RUNS = 40 if os.environ.get("LAWS") != "long" else 2_000


def safe(engine):
    @event.listens_for(engine, "connect")
    def settings(connection, _):
        for said in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {said}")

    return engine


@contextmanager
def at_url(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        yield store


@contextmanager
def at_url_async(path):
    with blocking(lambda: AsyncConversationStore.open(f"sqlite+aiosqlite:///{path}")) as store:
        yield store


@contextmanager
def on_an_engine(path):
    engine = safe(create_engine(f"sqlite:///{path}"))
    with ConversationStore.open(engine) as store:
        yield store
    engine.dispose()


@contextmanager
def on_an_async_engine(path):
    @asynccontextmanager
    async def opened():
        engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        safe(engine.sync_engine)
        async with AsyncConversationStore.open(engine) as store:
            yield store
        await engine.dispose()

    with blocking(opened) as store:
        yield store


WAYS = [at_url, at_url_async, on_an_engine, on_an_async_engine]


def back_up(path, place):
    with closing(sqlite3.connect(path)) as database:
        database.execute("VACUUM INTO ?", (str(place),))


def restore(place, path):
    with closing(sqlite3.connect(place)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)


def say(store, tenant, text):
    bound = store.tenant(tenant)
    thread = bound.threads.create(title=text)
    bound.messages.create(thread.id, role="user", content=text)
    return thread.id


def said(store, tenant):
    bound = store.tenant(tenant)
    threads = bound.threads.list()
    words = {message.text for one in threads for message in bound.messages.list(one.id)}
    assert words == {one.title for one in threads}
    return words


FIRST = {
    "a write": lambda store: say(store, "alice", "after"),
    "a read": lambda store: said(store, "alice"),
    "the log": lambda store: list(store.tenant("alice").events.read_all()),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("way", WAYS)
def test_nobody_reads_anothers_words_after_an_older_backup_was_restored(tmp_path, way, first):
    path, place = tmp_path / "chat.db", tmp_path / "backup.db"
    with way(path) as store:
        say(store, "first", "first")
        back_up(path, place)
        say(store, "alice", "lost")
        assert said(store, "alice") == {"lost"}
        restore(place, path)
        with ConversationStore.open(f"sqlite:///{path}") as other:
            say(other, "bob", "bob's")  # gets the number that was Alice's
        FIRST[first](store)
        mine = {"after"} if first == "a write" else set()
        assert said(store, "alice") == mine
        say(store, "alice", "again")
        assert said(store, "alice") == mine | {"again"}
        assert said(store, "bob") == {"bob's"}
        assert said(store, "first") == {"first"}
    with ConversationStore.open(f"sqlite:///{path}") as other:
        assert said(other, "alice") == mine | {"again"}
        assert said(other, "bob") == {"bob's"}
        assert other.tenant("alice").projections.compare().ok


@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_only_reads_notices_too(tmp_path, way, caplog):
    path, place = tmp_path / "chat.db", tmp_path / "backup.db"
    with ConversationStore.open(f"sqlite:///{path}") as writer:
        say(writer, "first", "first")
        back_up(path, place)
        with way(path) as reader:
            say(writer, "alice", "lost")
            assert said(reader, "alice") == {"lost"}
            writer.close()
            restore(place, path)
            with ConversationStore.open(f"sqlite:///{path}") as other:
                say(other, "bob", "bob's")
                say(other, "bob", "beyond where the log ended")
            assert said(reader, "alice") == set()
            assert said(reader, "bob") == {"bob's", "beyond where the log ended"}
    assert [one.name for one in caplog.records] == ["eventstore.sqlite"]


@pytest.mark.parametrize("way", WAYS)
def test_a_process_that_only_writes_notices_too(tmp_path, way):
    path, place = tmp_path / "chat.db", tmp_path / "backup.db"
    with way(path) as store:
        say(store, "first", "first")
        back_up(path, place)
        say(store, "alice", "lost")
        restore(place, path)
        with ConversationStore.open(f"sqlite:///{path}") as other:
            for n in range(3):
                say(other, "bob", f"bob's {n}")
        say(store, "alice", "after")
    with ConversationStore.open(f"sqlite:///{path}") as other:
        assert said(other, "alice") == {"after"}
        assert len(said(other, "bob")) == 3


def test_a_store_that_knows_no_event_yet_knows_its_database(tmp_path, caplog):
    path, place = tmp_path / "chat.db", tmp_path / "other.db"
    with ConversationStore.open(f"sqlite:///{place}") as other:
        say(other, "bob", "bob's")
    with ConversationStore.open(f"sqlite:///{path}") as store:
        assert said(store, "bob") == set()
        restore(place, path)
        assert said(store, "bob") == {"bob's"}
    assert [one.name for one in caplog.records] == ["eventstore.sqlite"]


def test_a_backup_of_another_store_is_no_continuation(tmp_path):
    path, place = tmp_path / "chat.db", tmp_path / "other.db"
    with ConversationStore.open(f"sqlite:///{place}") as other:
        for _ in range(3):
            say(other, "bob", "bob's")
    with ConversationStore.open(f"sqlite:///{path}") as store:
        say(store, "alice", "lost")
        restore(place, path)
        assert said(store, "alice") == set()
        assert said(store, "bob") == {"bob's"}


def test_what_a_writer_kept_of_a_thread_is_forgotten(tmp_path):
    """The thread goes on at the version of the backup, not at the one that was remembered."""
    path, place = tmp_path / "chat.db", tmp_path / "backup.db"
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="kept")
        back_up(path, place)
        for _ in range(3):
            store.messages.create(thread.id, role="user", content="lost")
        restore(place, path)
        store.messages.create(thread.id, role="user", content="after")
        assert [event.version for event in store.events.read(thread.id)] == [1, 2, 3]
        assert [one.text for one in store.messages.list(thread.id)] == ["kept", "after"]
        assert store.projections.compare().ok


@pytest.fixture
def no_alarm(caplog):
    """Nobody takes an ordinary commit for a restored backup."""
    yield
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


def remembered(store):
    return store._executor._database._interned  # noqa: SLF001 (nothing else tells it)


@pytest.mark.usefixtures("no_alarm")
@pytest.mark.parametrize("way", WAYS)
def test_what_others_commit_forgets_nothing(tmp_path, way):
    path = tmp_path / "chat.db"
    with way(path) as store, ConversationStore.open(f"sqlite:///{path}") as other:
        say(store, "alice", "one")
        before = remembered(other)
        thread = say(other, "alice", "two")
        say(store, "alice", "three")
        assert said(other, "alice") == {"one", "two", "three"}
        say(store, "bob", "four")
        said(other, "bob")
        alice = store.tenant("alice")
        last = say(other, "alice", "five")  # the newest event that it knows
        message = alice.messages.list(last).data[0]
        alice.privacy.erase(last, message.id)
        alice.privacy.purge(last)
        alice.privacy.purge(thread)
        assert said(other, "alice") == {"one", "three"}
        say(other, "alice", "six")
        assert remembered(other) is before
        assert {"alice", "bob"} <= before.tenants.keys()


@pytest.mark.usefixtures("no_alarm")
def test_many_who_read_and_write_at_once_never_see_a_restored_backup(tmp_path):
    path = tmp_path / "chat.db"
    with ExitStack() as stack:
        stores = [
            stack.enter_context(ConversationStore.open(f"sqlite:///{path}")) for _ in range(2)
        ]
        thread = say(stores[0], "alice", "one")
        failed = []

        def live(store, seed):
            chance = random.Random(seed)
            bound = store.tenant("alice")
            try:
                for n in range(RUNS):
                    act = chance.randrange(4)
                    if act == 0:
                        bound.messages.create(thread, role="user", content=str(n))
                    elif act == 1:
                        bound.privacy.purge(say(store, "alice", "gone"))
                    elif act == 2:
                        bound.messages.list(thread, limit=1)
                    else:
                        list(bound.events.read_all(limit=2))
            except BaseException as error:
                failed.append(error)
                raise

        before = [remembered(one) for one in stores]
        workers = [
            threading.Thread(target=live, args=(store, n))
            for n, store in enumerate([*stores, *stores])
        ]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        assert not failed
        assert all(remembered(one) is was for one, was in zip(stores, before, strict=True))


# -- another file ----------------------------------------------------------------------------------


def refused(act):
    with pytest.raises(StoreUnavailable) as caught:
        act()
    assert caught.value.reason == "restored"


@pytest.mark.parametrize("way", WAYS)
def test_a_file_that_was_exchanged_is_written_to_by_nobody_who_has_the_old_one(tmp_path, way):
    path, place = tmp_path / "chat.db", tmp_path / "backup.db"
    with way(path) as store:
        say(store, "alice", "kept")
        back_up(path, place)
        thread = say(store, "alice", "lost")
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").rename(f"{tmp_path / 'old.db'}{suffix}")
        refused(lambda: said(store, "alice"))  # nothing is there
        place.rename(path)
        alice = store.tenant("alice")
        refused(lambda: said(store, "alice"))
        refused(lambda: list(alice.events.read_all()))
        refused(lambda: alice.messages.create(thread, role="user", content="nowhere"))
        refused(lambda: next(iter(alice.events.subscribe())))
        with ConversationStore.open(f"sqlite:///{path}") as other:
            say(other, "alice", "after")
    with way(path) as store:
        assert said(store, "alice") == {"kept", "after"}


def test_a_file_that_comes_back_is_used_again(tmp_path):
    path, away = tmp_path / "chat.db", tmp_path / "away.db"
    with ConversationStore.open(f"sqlite:///{path}") as store:
        say(store, "alice", "one")
        path.rename(away)
        refused(lambda: say(store, "alice", "nowhere"))
        away.rename(path)
        say(store, "alice", "two")
        assert said(store, "alice") == {"one", "two"}
