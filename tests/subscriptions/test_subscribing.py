"""Catch up, then follow: on a SQLite file and in memory, by both faces."""

import asyncio
import sqlite3
import threading
from typing import Any

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    StoreClosed,
    UndecodableEvent,
)
from eventstore.storage import whole_store
from eventstore.subscriptions import pages
from tests.subscriptions.ways import (
    FOREVER,
    PATIENCE_SECONDS,
    catch_up_and_follow_large_contents,
    changed,
    named,
    opened,
    stream,
    until,
)

FACES = {"sync": ConversationStore, "async": AsyncConversationStore}
PLACES = {"file": "sqlite:///{}/chat.db", "memory": "sqlite://"}


@pytest.fixture(params=FACES)
def face(request):
    return FACES[request.param]


@pytest.fixture(params=PLACES)
def opening(request, face, tmp_path):
    return opened(face, PLACES[request.param].format(tmp_path))


@pytest.fixture
def on_file(face, tmp_path):
    return lambda: opened(face, f"sqlite:///{tmp_path}/chat.db")


def test_it_catches_up_and_then_follows(opening):
    with opening as store:
        store.append(1, "a", "b")
        follower = store.follow(poll_seconds=FOREVER)
        follower.until(2)
        store.until_waiting()
        store.append(2, "c")
        store.append(1, "d")
        follower.until(4)
        assert follower.names == ["a", "b", "c", "d"]
        assert [(one.stream_id, one.version) for one in follower.events] == [
            (stream(1), 1),
            (stream(1), 2),
            (stream(2), 1),
            (stream(1), 3),
        ]


def test_from_every_position_come_exactly_the_later_events(opening):
    with opening as store:
        for n in range(6):
            store.append(n % 2, str(n))
        positions = store.positions()
        followers = [store.follow(after=after, poll_seconds=FOREVER) for after in positions]
        followers.append(store.follow(after=str(positions[2]), poll_seconds=FOREVER))
        store.append(3, "last")
        for skipped, follower in enumerate(followers[:-1], 1):
            follower.until(7 - skipped)
            assert follower.names == [*"012345", "last"][skipped:]
        followers[-1].until(4)
        assert followers[-1].names == ["3", "4", "5", "last"]


def test_more_than_a_page_is_caught_up_with_page_by_page(opening):
    with opening as store:
        names = [str(n) for n in range(1_203)]
        for start in range(0, 1_203, 401):
            store.append(1, *names[start : start + 401])
        follower = store.follow(poll_seconds=FOREVER)
        follower.until(1_203)
        store.append(1, "last")
        follower.until(1_204)
        assert follower.names == [*names, "last"]


def test_large_contents_are_caught_up_and_followed(opening):
    with opening as store:
        catch_up_and_follow_large_contents(store)


def test_filters_narrow_down_what_is_delivered(opening):
    with opening as store:
        mine = stream(1, "invoice")
        ways: dict[str, Any] = {
            "categories": {"categories": ["invoice"]},
            "stream": {"stream_id": mine},
            "types": {"types": ["Paid", "Sent"]},
            "both": {"categories": ["invoice", "order"], "types": ["Paid"]},
        }
        followers = {
            name: store.follow(**only, poll_seconds=FOREVER) for name, only in ways.items()
        }
        store.append(0, "1", stream_id=mine, kind="Paid")
        store.append(0, "2", stream_id=stream(2, "invoice"), kind="Opened")
        store.append(0, "3", kind="Paid")
        store.append(0, "4", stream_id=mine, kind="Sent")
        store.append(0, "5", stream_id=stream(5, "letter"), kind="Paid")
        wanted = {"categories": "124", "stream": "14", "types": "1345", "both": "13"}
        for name, expected in wanted.items():
            followers[name].until(len(expected))
            assert "".join(followers[name].names) == expected


def test_as_many_names_as_are_allowed_are_no_more_than_a_database_takes(opening):
    with opening as store:
        others = [f"order{number}" for number in range(998)]
        for category in others[:-1]:
            store.append(1, "x", stream_id=stream(1, category), kind="Else")
        names = {"types": [*others, "Other", "Sent"], "categories": [*others, "other", "order"]}
        follower = store.follow(**names, poll_seconds=FOREVER)
        store.append(1, "yes", kind="Sent")
        follower.until(1)
        assert follower.names == ["yes"]


def test_a_filter_passes_over_what_it_does_not_want_once(opening, monkeypatch):
    lying_ahead = []
    real = whole_store.read_all

    def counted(tx, only, *, after):
        ahead = "SELECT count(*) FROM {events} WHERE position > ?"
        lying_ahead.append(tx.one(ahead, (after.sequence,))[0])
        return real(tx, only, after=after)

    monkeypatch.setattr(pages, "read_all", counted)
    with opening as store:
        store.append(1, *map(str, range(300)))
        follower = store.follow(types=["Rare"], poll_seconds=FOREVER)
        store.until_waiting()
        store.append(1, "yes", kind="Rare")
        follower.until(1)
    assert lying_ahead[0] == 300
    assert max(lying_ahead[1:]) == 1


def test_a_tenant_sees_its_own_events_alone(on_file):
    with on_file() as store:
        other = store.store.tenant("other")
        follower = store.follow(poll_seconds=FOREVER)
        store.way.call(other.events.append, stream(1), named("theirs"), expected_version="any")
        store.append(1, "ours")
        follower.until(1)
        assert follower.names == ["ours"]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"after": "yesterday"}, "after"),
        ({"categories": "order"}, "categories"),
        ({"categories": []}, "categories"),
        ({"types": [1]}, "types[0]"),
        ({"types": ["Sent"] * 1_001}, "types"),
        ({"categories": ["order"] * 1_001}, "categories"),
        ({"stream_id": "order"}, "stream_id"),
        ({"poll_seconds": 0}, "poll_seconds"),
        ({"poll_seconds": float("nan")}, "poll_seconds"),
        ({"poll_seconds": "1"}, "poll_seconds"),
    ],
)
def test_a_malformed_wish_is_refused_at_once(options, field):
    with ConversationStore.open("sqlite://") as store, pytest.raises(InvalidInput) as caught:
        store.events.subscribe(**options)
    assert caught.value.field == field


# -- wake-ups ----------------------------------------------------------------------------------


def test_what_another_process_commits_is_heard(on_file):
    with on_file() as store, on_file() as elsewhere:
        follower = store.follow(poll_seconds=FOREVER)
        for n in range(5):
            store.until_waiting()
            elsewhere.append(1, str(n))
            follower.until(n + 1)
        assert follower.names == list("01234")


def test_a_commit_is_told_before_it_is_looked_for(opening):
    with opening as store:
        follower = store.follow(poll_seconds=FOREVER)
        store.until_waiting()
        seen = store.changed.mark
        store.append(1, "a")
        assert store.changed.mark is not seen
        follower.until(1)


def test_with_every_signal_lost_it_arrives_within_the_interval(opening, monkeypatch):
    with opening as store:
        monkeypatch.setattr(store.changed, "_wake", lambda: None)
        follower = store.follow(poll_seconds=0.02)
        store.until_waiting()
        store.append(1, "a")
        follower.until(1)


def own_engine(path):
    engine = create_engine(f"sqlite:///{path}/chat.db")

    @event.listens_for(engine, "connect")
    def _(driver, _):
        driver.isolation_level = None
        driver.execute("PRAGMA synchronous = FULL")
        driver.execute("PRAGMA secure_delete = ON")
        driver.execute("PRAGMA journal_mode = WAL")

    return engine


def test_a_commit_of_the_applications_own_transaction_is_heard(tmp_path):
    engine = own_engine(tmp_path)
    with opened(ConversationStore, engine) as store:
        follower = store.follow(poll_seconds=FOREVER)
        store.until_waiting()
        with engine.begin() as connection:
            store.append(1, "a", connection=connection)
            store.append(2, "b", connection=connection)
        follower.until(2)
        with engine.connect() as connection:
            store.append(1, "taken back", connection=connection)
            connection.rollback()
            store.append(1, "c", connection=connection)
            connection.commit()
            follower.until(3)
        assert follower.names == ["a", "b", "c"]
    engine.dispose()


async def test_a_commit_of_an_async_engine_is_heard(tmp_path):
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/chat.db")
    async with AsyncConversationStore.open(engine, durability="as_is") as store:
        events: Any = store.events.subscribe(poll_seconds=FOREVER)
        got: asyncio.Future[Any] = asyncio.ensure_future(anext(events))
        async with engine.begin() as connection:
            await store.events.append(
                stream(1), named("a"), expected_version="any", connection=connection
            )
        assert (await asyncio.wait_for(got, PATIENCE_SECONDS)).data == {"name": "a"}
        await store.events.append(stream(1), named("b"), expected_version="any")
        assert (await asyncio.wait_for(anext(events), PATIENCE_SECONDS)).data == {"name": "b"}
        await events.aclose()
    await engine.dispose()


# -- consumers ---------------------------------------------------------------------------------


def test_a_slow_consumer_holds_up_no_writer_and_misses_nothing(opening):
    go_on = threading.Semaphore(0)
    with opening as store:
        slow = store.follow(before=go_on.acquire, poll_seconds=FOREVER)
        quick = store.follow(poll_seconds=FOREVER)
        for n in range(50):
            store.append(n % 3, str(n))
        quick.until(50)
        assert slow.events == []
        for _ in range(50):
            go_on.release()
        slow.until(50)
        assert slow.names == quick.names


def test_nothing_is_held_while_the_consumer_works(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db", readers=1) as store:
        store.events.append(stream(1), named("a", "b"), expected_version="any")
        events = [store.events.subscribe() for _ in range(100)]
        assert {next(one).data["name"] for one in events} == {"a"}
        executor: Any = store._executor  # noqa: SLF001 (nobody else can say)
        pool = executor._connections.engine.pool  # noqa: SLF001
        assert pool.checkedout() == 1  # the one that writes
        checkpoint = sqlite3.connect(tmp_path / "chat.db")
        assert checkpoint.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        checkpoint.close()


def test_an_event_that_does_not_decode_is_raised_in_its_place(on_file, tmp_path):
    with on_file() as store:
        store.append(1, "a", "b", "c")
        broken = sqlite3.connect(tmp_path / "chat.db")
        triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (name,) in broken.execute(triggers).fetchall():
            broken.execute(f'DROP TRIGGER "{name}"')
        broken.execute("UPDATE events SET data = x'00ff' WHERE version = 2")
        broken.commit()
        broken.close()
        follower = store.follow(poll_seconds=FOREVER)
        error = follower.until_error()
        assert follower.names == ["a"]
        assert isinstance(error, UndecodableEvent)
        assert error.version == 2


# -- the end -----------------------------------------------------------------------------------


def test_closing_the_store_ends_those_who_wait(opening):
    with opening as store:
        followers = [store.follow(poll_seconds=FOREVER) for _ in range(3)]
        store.append(1, "a")
        for follower in followers:
            follower.until(1)
        store.close()
        for follower in followers:
            assert isinstance(follower.until_error(), StoreClosed)


def test_any_thread_may_close_a_subscription_that_waits(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        news = store.events.subscribe(poll_seconds=FOREVER)
        waiting = threading.Thread(target=lambda: list(news))
        waiting.start()
        until(lambda: changed(store).in_demand)
        news.close()
        waiting.join(PATIENCE_SECONDS)
        assert not waiting.is_alive()
        assert list(news) == []


def test_closing_the_store_ends_those_who_are_at_work(opening):
    at_work, go_on = threading.Event(), threading.Event()

    def work():
        at_work.set()
        go_on.wait(PATIENCE_SECONDS)

    with opening as store:
        store.append(1, "a", "b")
        follower = store.follow(before=work, poll_seconds=FOREVER)
        assert at_work.wait(PATIENCE_SECONDS)
        store.close()
        go_on.set()
        assert isinstance(follower.until_error(), StoreClosed)
        assert follower.names == ["a", "b"]


def test_breaking_off_leaves_nothing_behind(on_file):
    with on_file() as store:
        store.append(1, "a")
        if isinstance(store.store, ConversationStore):
            for one in store.store.events.subscribe():
                assert one.data == {"name": "a"}
                break
        else:

            async def broken_off():
                async for one in store.store.events.subscribe():
                    assert one.data == {"name": "a"}
                    break

            store.way.call(broken_off)
        assert not store.changed.in_demand


async def test_a_cancelled_task_ends_its_subscription(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:

        async def follow():
            async for _ in store.events.subscribe(poll_seconds=FOREVER):
                pass

        task = asyncio.create_task(follow())
        await asyncio.to_thread(until, lambda: changed(store).in_demand)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not changed(store).in_demand
        await store.events.append(stream(1), named("a"), expected_version="any")


def test_the_watching_thread_ends_with_the_store(on_file):
    def watching():
        return [one for one in threading.enumerate() if one.name == "eventstore-watcher"]

    with on_file() as store:
        store.append(1, "a")
        assert not watching()  # nobody has waited yet
        store.follow(poll_seconds=FOREVER).until(1)
        store.until_waiting()
        until(lambda: len(watching()) == 1)
    assert not watching()


def test_a_commit_between_looking_and_waiting_is_not_missed(monkeypatch):
    with ConversationStore.open("sqlite://") as store:
        names, real = list("cba"), store._executor.read  # noqa: SLF001 (between two lines of it)

        def read(look, **given):
            found = real(look, **given)
            if names:
                store.events.append(stream(1), named(names.pop()), expected_version="any")
            return found

        monkeypatch.setattr(store._executor, "read", read)  # noqa: SLF001
        events = store.events.subscribe(poll_seconds=FOREVER)
        assert [next(events).data["name"] for _ in range(3)] == ["a", "b", "c"]


async def test_a_commit_between_looking_and_waiting_is_not_missed_by_a_task(monkeypatch):
    async with AsyncConversationStore.open("sqlite://") as store:
        names, real = list("cba"), store._executor.read_async  # noqa: SLF001

        async def read(look, **given):
            found = await real(look, **given)
            if names:
                await store.events.append(stream(1), named(names.pop()), expected_version="any")
            return found

        monkeypatch.setattr(store._executor, "read_async", read)  # noqa: SLF001
        events = store.events.subscribe(poll_seconds=FOREVER)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert [(await anext(events)).data["name"] for _ in range(3)] == ["a", "b", "c"]
