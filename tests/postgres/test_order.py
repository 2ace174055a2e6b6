"""The traps of order on PostgreSQL, one by one and in a fixed order of steps.

The schedules find them by chance and in numbers; here each has its own few lines.
"""

import asyncio
import random
import threading

import pytest
from sqlalchemy import create_engine

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    NewEvent,
    StoreUnavailable,
    WrongExpectedVersion,
)
from eventstore.core import ids
from tests.concurrency.schedules import at_once, outcome

SECONDS = 30


@pytest.fixture
def engine(url):
    made = create_engine(url, connect_args={"application_name": "an application"})
    yield made
    made.dispose()


def say(store, thread_id, text, **options):
    return store.messages.create(thread_id, role="user", content=text, **options)


def start_run(store, thread_id, assistant_id, connection):
    store.runs.create(thread_id, assistant_id=assistant_id, connection=connection)


def until_somebody_waits(admin, thread):
    while admin.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
        assert thread.is_alive()


def versions(store, stream_id):
    return [event.version for event in store.events.read_all() if event.stream_id == stream_id]


@pytest.mark.parametrize("heads", ["one", "two"])
def test_an_older_transaction_that_gets_the_thread_later_comes_later(store, engine, admin, heads):
    """It has the lower transaction id, and began to wait before the other drew its last number."""
    thread, assistant = store.threads.create(), store.assistants.create(name="a")

    def late(connection):
        if heads == "one":
            say(store, thread.id, "later", connection=connection)
        else:
            start_run(store, thread.id, assistant.id, connection)

    with engine.connect() as older, engine.connect() as younger:
        older.exec_driver_sql("SELECT pg_current_xact_id()")
        say(store, thread.id, "first", connection=younger)
        waiting = threading.Thread(target=late, args=(older,))
        waiting.start()
        until_somebody_waits(admin, waiting)
        say(store, thread.id, "second", connection=younger)
        younger.commit()
        waiting.join(SECONDS)
        older.commit()
    assert versions(store, thread.id) == [1, 2, 3, 4]


def test_a_younger_transaction_that_commits_first_waits_to_be_seen(store, engine):
    """Else a reader would go on from it, and never see what the older one commits."""
    early, late = store.threads.create(), store.threads.create()
    [*_, seen] = store.events.read_all()
    with engine.connect() as slow:
        say(store, early.id, "drew its number first", connection=slow)
        say(store, late.id, "committed first")
        assert list(store.events.read_all(after=seen.position)) == []
        assert [message.text for message in store.messages.list(late.id)] == ["committed first"]
        slow.commit()
    found = store.events.read_all(after=seen.position)
    assert [event.stream_id for event in found] == [early.id, late.id]


def test_a_fork_comes_after_what_it_was_made_of(store, engine):
    """Also where its transaction is the older one."""
    thread = store.threads.create()
    with engine.connect() as older:
        older.exec_driver_sql("SELECT pg_current_xact_id()")
        said = say(store, thread.id, "inherited")
        fork = store.threads.fork(thread.id, at_message=said.id, connection=older)
        older.commit()
    last, forked = list(store.events.read_all())[-2:]
    assert (last.stream_id, forked.stream_id) == (thread.id, fork.id)


def test_who_holds_readers_back_is_named(store, engine):
    thread = store.threads.create()
    assert store.health().held_back_by is None
    with engine.connect() as forgotten:
        [pid] = forgotten.exec_driver_sql("SELECT pg_backend_pid()").one()
        say(store, thread.id, "left open", connection=forgotten)
        held = store.health().held_back_by
        assert held is not None
        assert (held.pid, held.application) == (pid, "an application")
        assert held.state == "idle in transaction"
    assert store.health().held_back_by is None


def test_a_transaction_that_rolls_back_leaves_a_gap_and_holds_up_nobody(store, engine):
    thread = store.threads.create()
    with engine.connect() as undone:
        say(store, thread.id, "never was", connection=undone)
    say(store, thread.id, "is")
    assert versions(store, thread.id) == [1, 2]
    assert [message.text for message in store.messages.list(thread.id)] == ["is"]


@pytest.mark.parametrize("tenant", ["", "new"])
def test_of_many_who_begin_a_stream_at_once_one_does(url, tenant):
    stream = ids.show("order", bytes(range(16)))
    stores = [ConversationStore.open(url, durability="as_is") for _ in range(8)]

    def begin(n):
        event = NewEvent(type="Begun", data={"by": n})
        bound = stores[n].tenant(tenant)
        return outcome(lambda: bound.events.append(stream, [event], expected_version="no_stream"))

    told = at_once(len(stores), begin)
    lost = [answer for answer in told if isinstance(answer, WrongExpectedVersion)]
    assert len(lost) == len(stores) - 1
    assert len(list(stores[0].tenant(tenant).events.read(stream))) == 1
    for store in stores:
        store.close()


def test_of_many_who_send_the_same_key_at_once_one_adds(url):
    stores = [ConversationStore.open(url, durability="as_is") for _ in range(8)]
    made = at_once(8, lambda n: stores[n].threads.create(title="t", idempotency_key="k").id)
    assert len(set(made)) == 1
    said = at_once(8, lambda n: say(stores[n], made[0], "once", idempotency_key="m").id)
    assert len(set(said)) == 1
    assert versions(stores[0], made[0]) == [1, 2]
    for store in stores:
        store.close()


def test_what_one_process_keeps_of_a_thread_gives_way_to_what_another_wrote(url):
    """Neither reads the thread again unless its head has moved."""
    with (
        ConversationStore.open(url, durability="as_is") as one,
        ConversationStore.open(url, durability="as_is") as other,
    ):
        thread = one.threads.create()
        for turn in range(6):
            (one, other)[turn % 2].messages.create(thread.id, role="user", content=str(turn))
            if turn == 3:
                other.messages.remove(thread.id, one.messages.list(thread.id).data[-1].id)
        listed = one.messages.list(thread.id)
        assert [message.text for message in listed] == ["0", "1", "2", "4", "5"]
        assert one.projections.compare().findings == ()


# -- event loops -----------------------------------------------------------------------------------


def test_a_store_left_open_by_one_event_loop_is_used_in_the_next(server, migrated):
    url = server.url(driver="asyncpg", database=migrated)

    async def opened():
        store = await AsyncConversationStore.open(url, durability="as_is")
        return store, await store.threads.create()

    store, thread = asyncio.run(opened())

    async def said(text):
        return (await store.messages.create(thread.id, role="user", content=text)).version

    assert [asyncio.run(said(text)) for text in "ab"] == [2, 3]
    asyncio.run(store.close())


def test_in_a_storm_of_cancellations_what_was_acknowledged_is_there_once(server, migrated):
    url = server.url(driver="asyncpg", database=migrated)
    kept: list[str] = []

    async def main():
        chance = random.Random(1)
        async with AsyncConversationStore.open(url, durability="as_is") as store:
            thread = await store.threads.create()

            async def write(n):
                made = await store.messages.create(thread.id, role="user", content=str(n))
                kept.append(made.id)

            async def read(_):
                await store.messages.list(thread.id)

            tasks = [asyncio.create_task((read, write)[n % 2](n)) for n in range(200)]
            while any(not task.done() for task in tasks):
                chance.choice(tasks).cancel()
                await store.health()
            told = await asyncio.gather(*tasks, return_exceptions=True)
            assert {type(answer) for answer in told} <= {type(None), asyncio.CancelledError}
            found = [message.id for message in await store.messages.list(thread.id, limit=None)]
            assert len(found) == len(set(found))
            assert set(kept) <= set(found)
            assert (await store.projections.compare()).findings == ()

    asyncio.run(main())


def test_a_connection_of_the_applications_that_dies_is_told_of(store, engine, admin):
    thread = store.threads.create()
    with engine.connect() as mine:
        [pid] = mine.exec_driver_sql("SELECT pg_backend_pid()").one()
        say(store, thread.id, "before", connection=mine)
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with pytest.raises(StoreUnavailable) as caught:
            say(store, thread.id, "after", connection=mine)
        assert caught.value.reason == "connection_lost"
    assert versions(store, thread.id) == [1]
