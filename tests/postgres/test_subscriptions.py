"""Subscriptions on a server: who holds the horizon, who loses the listener, who is killed."""

import logging
import threading
from functools import partial

import asyncpg  # type: ignore[import-untyped]
import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    StoreClosed,
    StoreUnavailable,
)
from eventstore.subscriptions import pages
from eventstore.subscriptions.subscription_state import PageOutcome
from eventstore.testing.postgres_server import PostgresServer
from eventstore.testing.schedules import Schedule, run
from eventstore.testing.schedules.ours import OurStore
from tests.subscriptions.ways import (
    FOREVER,
    catch_up_and_follow_large_contents,
    named,
    opened,
    stream,
    until,
)

WAYS = {
    "psycopg": (ConversationStore, "psycopg"),
    "psycopg-async": (AsyncConversationStore, "psycopg"),
    "asyncpg": (AsyncConversationStore, "asyncpg"),
}
AS_IS = {"durability": "as_is"}
LISTENING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    " AND query LIKE 'LISTEN %' AND pid <> pg_backend_pid()"
)


@pytest.fixture(params=WAYS)
def way(request):
    return WAYS[request.param]


@pytest.fixture
def place(migrated_on_newest):
    """A database for most of it: what differs between versions is in the first test."""
    return migrated_on_newest


@pytest.fixture
def opening(newest, place, way):
    face, driver = way
    url = newest.url(driver=driver, database=place)
    return lambda: opened(face, url, **AS_IS)


@pytest.fixture
def admin(newest, place):
    with psycopg.connect(newest.dsn(database=place), autocommit=True) as connection:
        yield connection


def listeners(admin):
    return [pid for (pid,) in admin.execute(LISTENING)]


def hears_anew(admin, before):
    return listeners(admin) not in ([], [before])


def test_every_version_tells_and_holds_back(server, migrated):
    url = server.url(database=migrated)
    with (
        opened(ConversationStore, url, **AS_IS) as store,
        opened(ConversationStore, url, **AS_IS) as elsewhere,
    ):
        follower = store.follow(poll_seconds=FOREVER)
        elsewhere.append(1, "a")
        follower.until(1)
        with psycopg.connect(server.dsn(database=migrated)) as foreign:
            foreign.execute("SELECT pg_current_xact_id()")
            elsewhere.append(1, "b")
            foreign.rollback()
        follower.until(2)


def test_it_catches_up_and_then_follows(opening):
    with opening() as store:
        store.append(1, *map(str, range(700)))
        follower = store.follow(poll_seconds=FOREVER)
        follower.until(700)
        for n in range(5):
            store.append(n % 2, f"then {n}")
        follower.until(705)
        assert follower.names == [*map(str, range(700)), *(f"then {n}" for n in range(5))]


def test_from_every_position_come_exactly_the_later_events(opening):
    with opening() as store:
        for n in range(6):
            store.append(n % 2, str(n))
        positions = store.positions()
        followers = [store.follow(after=after, poll_seconds=FOREVER) for after in positions]
        store.append(3, "last")
        for skipped, follower in enumerate(followers, 1):
            follower.until(7 - skipped)
            assert follower.names == [*"012345", "last"][skipped:]


def test_large_contents_are_caught_up_and_followed(opening):
    with opening() as store:
        catch_up_and_follow_large_contents(store)


def test_filters_narrow_down_what_is_delivered(opening):
    with opening() as store:
        mine = stream(1, "invoice")
        by_category = store.follow(categories=["invoice"], poll_seconds=FOREVER)
        by_stream = store.follow(stream_id=mine, poll_seconds=FOREVER)
        by_type = store.follow(types=["Paid"], poll_seconds=FOREVER)
        store.append(0, "1", stream_id=mine, kind="Paid")
        store.append(0, "2", stream_id=stream(2, "invoice"))
        store.append(0, "3", kind="Paid")
        store.append(0, "4", stream_id=mine)
        for follower, wanted in ((by_category, "124"), (by_stream, "14"), (by_type, "13")):
            follower.until(len(wanted))
            assert "".join(follower.names) == wanted


def test_what_another_process_commits_is_heard(opening, admin):
    with opening() as store, opening() as elsewhere:
        follower = store.follow(poll_seconds=FOREVER)
        until(lambda: listeners(admin))
        for n in range(5):
            store.until_waiting()
            elsewhere.append(1, str(n))
            follower.until(n + 1)
        assert len(listeners(admin)) == 1
    until(lambda: not listeners(admin))


def test_a_store_without_subscribers_listens_to_nothing(opening, admin):
    with opening() as store:
        store.append(1, "a")
        assert not listeners(admin)


def test_several_subscribers_share_one_listener(opening, admin):
    with opening() as store, opening() as elsewhere:
        followers = [store.follow(poll_seconds=FOREVER) for _ in range(4)]
        until(lambda: listeners(admin))
        elsewhere.append(1, "a")
        for follower in followers:
            follower.until(1)
        assert len(listeners(admin)) == 1


def test_a_listener_whose_backend_is_ended_listens_again(opening, admin, caplog):
    caplog.set_level(logging.WARNING, "eventstore.subscriptions")
    with opening() as store, opening() as elsewhere:
        follower = store.follow(poll_seconds=FOREVER)
        for n in range(3):
            until(lambda: listeners(admin))
            (before,) = listeners(admin)
            admin.execute("SELECT pg_terminate_backend(%s)", (before,))
            elsewhere.append(1, str(n))
            follower.until(n + 1)
            until(partial(hears_anew, admin, before))
        assert follower.names == ["0", "1", "2"]
    assert len(caplog.records) == 3  # one an outage


def test_without_a_listener_it_arrives_within_the_interval(opening, monkeypatch):
    with opening() as store, opening() as elsewhere:
        monkeypatch.setattr(store.changed, "_wanted", lambda: None)
        follower = store.follow(poll_seconds=0.05)
        store.until_waiting()
        elsewhere.append(1, "a")
        follower.until(1)


def test_a_transaction_that_holds_the_horizon_back_delays_and_loses_nothing(
    opening, admin, monkeypatch
):
    looked, real = [], pages.look

    def look(*args):
        looked.append(real(*args))
        return looked[-1]

    monkeypatch.setattr("eventstore.api.operations.following.look", look)
    with opening() as store:
        follower = store.follow(poll_seconds=FOREVER)
        until(lambda: listeners(admin))
        store.until_waiting()
        with psycopg.connect(admin.info.dsn) as foreign:
            foreign.execute("SELECT pg_current_xact_id()")
            for n in range(3):
                store.append(1, str(n))
            monkeypatch.setattr(store.changed, "tell", lambda: None)
            before = len(looked)
            until(lambda: len(looked) > before + 2)  # it looks again though nobody tells
            assert looked[-1].found is PageOutcome.HELD
            assert follower.events == []
            foreign.rollback()  # it tells nobody, and the interval is an hour
            follower.until(3)
            monkeypatch.undo()
        assert follower.names == ["0", "1", "2"]


def test_commits_of_the_applications_own_transactions_are_heard(newest, place, way):
    face, driver = way
    url = newest.url(driver=driver, database=place)
    with opened(face, url, **AS_IS) as store:
        follower = store.follow(poll_seconds=FOREVER)
        store.until_waiting()
        if face is ConversationStore:
            engine = create_engine(url)
            with engine.begin() as connection:
                store.append(1, "a", connection=connection)
            engine.dispose()
        else:

            async def write():
                engine = create_async_engine(url)
                async with engine.begin() as connection:
                    await store.store.events.append(
                        stream(1), named("a"), expected_version="any", connection=connection
                    )
                await engine.dispose()

            store.way.call(write)
        follower.until(1)


def test_on_an_owned_engine_its_own_commits_are_heard(newest, place):
    engine = create_engine(newest.url(database=place))
    with opened(ConversationStore, engine, **AS_IS) as store:
        follower = store.follow(poll_seconds=FOREVER)
        for n in range(3):
            store.until_waiting()
            store.append(1, str(n))
            follower.until(n + 1)
        store.until_waiting()
        with engine.begin() as connection:
            store.append(1, "own", connection=connection)
        follower.until(4)
    engine.dispose()


def test_closing_the_store_ends_those_who_wait_and_the_listener(opening, admin):
    with opening() as store:
        follower = store.follow(poll_seconds=FOREVER)
        until(lambda: listeners(admin))
        store.until_waiting()
        store.close()
        assert isinstance(follower.until_error(), StoreClosed)
    until(lambda: not listeners(admin))


def test_what_does_not_pass_by_itself_is_told_to_the_consumer(opening, admin):
    with opening() as store:
        follower = store.follow(poll_seconds=0.05)
        store.until_waiting()
        admin.execute("ALTER TABLE events RENAME TO elsewhere")
        error = follower.until_error()
        assert isinstance(error, StoreUnavailable)
        assert error.reason == "not_migrated"
        admin.execute("ALTER TABLE elsewhere RENAME TO events")


def test_nothing_is_lost_or_doubled_when_the_server_is_killed_and_comes_back(way, caplog):
    caplog.set_level(logging.WARNING, "eventstore.subscriptions")
    face, driver = way
    with PostgresServer() as own:
        url = own.url(driver=driver, database=own.create_database())
        with opened(face, url) as store:
            go_on = threading.Semaphore(0)
            follower = store.follow(poll_seconds=0.05)
            slow = store.follow(before=go_on.acquire, poll_seconds=FOREVER)
            for n in range(10):
                store.append(n % 3, str(n))
            follower.until(10)
            store.until_waiting()
            own.kill()
            until(lambda: "a follower waits for the database" in caplog.text)
            own.restart()
            for n in range(10, 20):
                with_patience(store, n)
            follower.until(20)
            for _ in range(20):
                go_on.release()
            slow.until(20)
            assert follower.names == [str(n) for n in range(20)]
            assert slow.names == follower.names


def test_a_server_that_goes_down_between_two_statements_of_asyncpg_is_waited_for(
    newest, place, caplog, monkeypatch
):
    """It said so and has not hung up yet: what asyncpg then raises is no error of the database."""
    caplog.set_level(logging.WARNING, "eventstore.subscriptions")
    said = asyncpg.Connection.execute
    goes_down = threading.Event()

    async def execute(self, query, *args, **options):
        if goes_down.is_set() and query.startswith("BEGIN ISOLATION LEVEL REPEATABLE READ"):
            raise asyncpg.InternalClientError("cannot switch to state 15")
        return await said(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", execute)
    url = newest.url(driver="asyncpg", database=place)
    with opened(AsyncConversationStore, url, **AS_IS) as store:
        follower = store.follow(poll_seconds=0.05)
        store.append(1, "a")
        follower.until(1)
        goes_down.set()
        until(lambda: "a follower waits for the database" in caplog.text)
        goes_down.clear()
        store.append(1, "b")
        follower.until(2)
        assert follower.names == ["a", "b"]


def with_patience(store, number):
    """Append while the server may still be starting."""

    def appended():
        try:
            store.append(number % 3, str(number), idempotency_key=str(number))
        except StoreUnavailable:
            return False
        return True

    until(appended)


def test_whatever_writers_do_nothing_is_lost_doubled_or_reordered(newest, place):
    store = OurStore(newest.url(database=place), durability="as_is")
    schedule = Schedule(
        appends=300, seed=12, processes=2, threads=4, kills=1, readers=0, subscribers=2, streams=30
    )
    report = run(schedule, store)
    assert report.ok, str(report)
    assert report.stored >= report.acknowledged > 240
