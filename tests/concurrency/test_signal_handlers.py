"""A signal handler that calls the store in the middle of a call is told StoreBusy at once.

Whatever it calls and wherever it strikes: the call that it interrupts goes on as if nothing had
been. What only seems to be inside (a suspended iterator, an open transaction of the application's,
another task) is let in.
"""
# ruff: noqa: SLF001 (the mark is left by hand)

import asyncio
import signal
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import StaticPool, create_engine

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    OutcomeUnknown,
    StoreBusy,
    StoreClosed,
)
from eventstore.api.operations.operation import Read
from eventstore.execution import owned, url
from eventstore.execution.database import POSTPONED
from eventstore.read_models import Usage, projection
from tests.concurrency.reentry import (
    INSIDE,
    hold_at_every_moment,
    hold_through_signals,
    say,
)
from tests.concurrency.schedules import outcome

WHERE = ["file", "memory", "engine", "engine in memory"]


@pytest.fixture(params=WHERE)
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    target: Any
    if request.param == "engine":
        target = create_engine(url)
    elif request.param == "engine in memory":
        target = create_engine("sqlite://", poolclass=StaticPool)
    else:
        target = url if request.param == "file" else "sqlite://"
    with ConversationStore.open(target, durability="as_is") as opened:
        yield opened
    if not isinstance(target, str):
        target.dispose()


CALLS = {
    "write": lambda store, thread_id: say(store, thread_id, "x").id,
    "read": lambda store, thread_id: store.messages.list(thread_id).data[0].text,
    "walk": lambda store, thread_id: next(iter(store.events.read(thread_id))).version,
}


@pytest.mark.parametrize("outer", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("inner", CALLS.values(), ids=CALLS.keys())
def test_a_call_at_any_moment_of_another_is_refused_and_harms_nothing(store, outer, inner):
    thread_id = store.threads.create().id
    aside = store.threads.create().id
    say(store, thread_id, "one")
    say(store, aside, "one")
    hold_at_every_moment(store, lambda: outer(store, thread_id), lambda: inner(store, aside))


def test_closing_inside_a_call_is_refused_and_can_be_done_later(store):
    thread_id = store.threads.create().id
    with pytest.raises(StoreBusy, match=INSIDE):
        store.perform(Read(lambda _: store.close()))
    say(store, thread_id, "two")
    store.close()
    with pytest.raises(StoreClosed):
        say(store, thread_id, "three")


@pytest.mark.parametrize("store", ["file", "memory", "engine"], indirect=True)
def test_signals_at_random_moments_of_writes_harm_nothing(store):
    """But for an engine of the application's in memory: SQLAlchemy's pool closes its only
    connection, and with it the database, if an exception strikes as it is given back."""
    aside = store.threads.create().id
    say(store, aside, "one")
    hold_through_signals(store, 150, lambda: store.messages.list(aside))
    hold_through_signals(store, 150, lambda: say(store, aside, "from a handler"))


def test_a_mark_that_an_interrupt_left_refuses_nobody(store):
    store._executor.mark.inside = True
    thread_id = store.threads.create().id
    assert not store._executor.mark.inside
    say(store, thread_id, "one")


def in_handler(act):
    """Run ``act`` in the handler of a signal that comes now; return its outcome."""
    outcomes = []
    before = signal.signal(signal.SIGUSR1, lambda *_: outcomes.append(outcome(act)))
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    [one] = outcomes
    return one


def test_a_suspended_iterator_is_not_inside(store):
    thread_id = store.threads.create().id
    for number in range(3):
        say(store, thread_id, f"{number}")
    for begun in (
        store.events.read(thread_id),
        store.events.read_all(),
        store.messages.list(thread_id, limit=1).iter(),
        store.replay.steps(thread_id),
        store.events.subscribe(),
    ):
        assert len(list(islice(begun, 2))) == 2
        assert in_handler(lambda: say(store, thread_id, "from a handler")).text == "from a handler"
        assert in_handler(lambda: store.threads.get(thread_id)).id == thread_id
        begun.close()


def test_a_batch_that_collects_is_not_inside(store):
    thread_id = store.threads.create().id
    with store.threads.batch(thread_id) as batch:
        batch.messages.create(role="user", content="one")
        assert in_handler(lambda: say(store, thread_id, "from a handler")).text == "from a handler"


def test_an_open_transaction_of_the_application_is_not_inside(tmp_path):
    url = f"sqlite:///{tmp_path}/chat.db"
    engine = create_engine(url)
    with ConversationStore.open(url, busy_timeout_seconds=0.01) as store:
        thread_id = store.threads.create().id
        with engine.begin() as connection:
            store.messages.create(thread_id, role="user", content="one", connection=connection)
            assert in_handler(lambda: store.threads.get(thread_id)).id == thread_id
            within = in_handler(
                lambda: store.messages.create(
                    thread_id, role="user", content="two", connection=connection
                )
            )
            assert within.text == "two"
            error = in_handler(lambda: say(store, thread_id, "beside"))
            assert isinstance(error, StoreBusy)  # SQLite has one writer: no call of the store
            assert INSIDE not in error.problem
        assert [message.text for message in store.messages.list(thread_id)] == ["one", "two"]
    engine.dispose()


async def test_another_task_of_the_same_loop_is_not_inside(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        thread_id = (await store.threads.create()).id

        async def saying(text):
            made = await store.messages.create(thread_id, role="user", content=text)
            return made.text

        begun: list[Any] = []

        def handler():
            begun.append(asyncio.ensure_future(saying(f"from handler {len(begun)}")))

        loop = asyncio.get_running_loop()
        first = [asyncio.ensure_future(saying(f"{number}")) for number in range(5)]
        in_handler(handler)
        loop.call_soon(in_handler, handler)
        assert await asyncio.gather(*first) == [f"{number}" for number in range(5)]
        assert await asyncio.gather(*begun) == ["from handler 0", "from handler 1"]


def test_a_hook_that_hears_of_appends_may_call_the_store(tmp_path):
    heard: list[Any] = []

    def hear(notice):
        if not heard:
            heard.append(notice)
            say(store, notice.stream_id, "from the hook")

    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db", on_append=hear) as store:
        thread_id = store.threads.create().id
        assert [message.text for message in store.messages.list(thread_id)] == ["from the hook"]


def test_a_function_that_reads_may_read_more_and_not_write(store):
    store.projections.register(Usage())
    thread_id = store.threads.create().id
    say(store, thread_id, "one")
    store.projections.catch_up()
    found = store.projections.read(
        "usage", lambda _: [m.text for m in store.messages.list(thread_id)]
    )
    assert found == ["one"]
    with pytest.raises(StoreBusy, match=INSIDE):
        store.projections.read("usage", lambda _: say(store, thread_id, "two"))
    assert [message.text for message in store.messages.list(thread_id)] == ["one"]


def test_a_rule_of_a_projection_that_calls_the_store_is_refused(store):
    """It used to wait for itself."""
    thread_id = store.threads.create().id

    @projection("calls", tables=["t"], create="CREATE TABLE {t} (n INTEGER)")
    def calls(tables, event):  # noqa: ARG001
        say(store, thread_id, "from a rule")

    store.projections.register(calls)
    [status] = store.projections.catch_up()
    assert status.state == "failed"
    assert "StoreBusy" in status.error
    say(store, thread_id, "afterwards")


@pytest.mark.parametrize("store", ["file", "memory", "engine"], indirect=True)
def test_a_call_from_a_handler_does_not_hide_what_became_of_a_write(store, monkeypatch):
    """A signal comes when the outcome is known, and has not reached its caller."""
    thread, told = store.threads.create().id, []

    class Signalling(type):
        def __instancecheck__(cls, _: object) -> bool:
            signal.raise_signal(signal.SIGUSR1)
            return False

    class Never(metaclass=Signalling): ...

    for module in (url, owned):
        monkeypatch.setattr(module, "Postponed", Never)
    before = signal.signal(signal.SIGUSR1, lambda *_: told.append(store.messages.list(thread)))
    try:
        said = say(store, thread, "one")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert [message.id for message in told[0]] == [said.id]


@pytest.mark.parametrize("store", ["file"], indirect=True)
def test_nor_that_of_a_write_that_had_to_wait_for_its_thread(store, monkeypatch):
    """It is committed, and a handler is refused as the write lets the next one wait."""
    thread, executor = store.threads.create().id, store._executor
    alone = executor._alone

    class Signalling:
        acquire = alone.acquire

        def release(self):
            signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(executor._writer, "submit", lambda _: POSTPONED)
    monkeypatch.setattr(executor, "_alone", Signalling())
    before = signal.signal(signal.SIGUSR1, lambda *_: say(store, thread, "from the handler"))
    try:
        with pytest.raises(OutcomeUnknown):
            say(store, thread, "one")
    finally:
        signal.signal(signal.SIGUSR1, before)
        alone.release()
    assert [message.text for message in store.messages.list(thread)] == ["one"]
