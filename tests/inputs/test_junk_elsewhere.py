"""The same for what is no method of the store: batches, projections, replayed threads, helpers.

`test_junk` walks over the methods of the store and its resources. Here is the rest of what takes a
user's arguments. Junk for one of them at a time, the others being fine, is taken or refused in our
words.
"""

import inspect
from contextlib import suppress
from typing import Any

import pytest

from eventstore import (
    AsyncConversationStore,
    ConversationStore,
    ConversationStoreError,
    InvalidInput,
    Position,
)
from eventstore.read_models import MessageSearch, Usage, projection, search, usage
from tests.inputs.test_junk import FINE, HEX, IDS, JUNK, arguments_of, method_of
from tests.projections.counting import Counting

ALL_JUNK: list[Any] = [*JUNK, *IDS]
PARTS = ("messages", "branches", "runs", "runs.steps", "thread")


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        thread = opened.threads.create(thread_id=f"thread_{HEX}")
        opened.messages.create(thread.id, role="user", content="x", message_id=f"msg_{HEX}")
        for one in (MessageSearch(), Usage(), Counting()):
            opened.projections.register(one)
        opened.projections.catch_up()
        yield opened


def batch_calls():
    """Every call that a batch has, found on one."""
    with (
        ConversationStore.open("sqlite://") as opened,
        opened.threads.batch(f"thread_{HEX}") as batch,
    ):
        for part in PARTS:
            found = method_of(batch, part)
            yield from (
                f"{part}.{name}"
                for name, value in inspect.getmembers(found, callable)
                if not name.startswith("_")
            )


@pytest.mark.parametrize("name", sorted(batch_calls()))
def test_junk_inside_a_batch_is_refused_in_our_words(store, name):
    before = len(list(store.events.read_all()))
    with suppress(RuntimeError), store.threads.batch(f"thread_{HEX}") as batch:
        call = method_of(batch, name)
        names, needed = arguments_of(call)
        for argument in names:
            for junk in ALL_JUNK:
                with suppress(ConversationStoreError):
                    call(**({one: FINE[one] for one in needed} | {argument: junk}))
        raise RuntimeError  # what was taken is dropped
    assert len(list(store.events.read_all())) == before


# -- functions that make something -------------------------------------------------------------


MAKING: dict[str, Any] = {
    "search": (search, {"text": "x", "thread_id": None, "limit": 5}),
    "usage": (usage, {"thread_id": None, "since": None, "until": None}),
}


@pytest.mark.parametrize("name", MAKING)
def test_junk_for_what_reads_a_projection_is_refused_in_our_words(store, name):
    make, fine = MAKING[name]
    for argument in fine:
        for junk in ALL_JUNK:
            with suppress(ConversationStoreError):
                store.projections.read(name, make(**{**fine, argument: junk}))


@pytest.mark.parametrize(
    ("make", "arguments", "field"),
    [
        (search, {"text": "x", "limit": "5"}, "limit"),
        (search, {"text": "x", "limit": True}, "limit"),
        (search, {"text": 5}, "text"),
        (search, {"text": "x", "thread_id": 5}, "thread_id"),
        (usage, {"since": "2026-01-01"}, "since"),
        (usage, {"until": 5}, "until"),
    ],
)
def test_what_is_wrong_with_a_question_is_said(make, arguments, field):
    with pytest.raises(InvalidInput) as caught:
        make(**arguments)
    assert caught.value.field == field
    assert caught.value.remedy


FINE_PROJECTION = {
    "name": "mine",
    "tables": ("rows",),
    "create": "CREATE TABLE {rows} (x TEXT)",
    "version": 1,
    "categories": None,
    "types": None,
}


@pytest.mark.parametrize("argument", FINE_PROJECTION)
def test_junk_for_a_projection_made_of_a_function_is_refused_in_our_words(store, argument):
    for junk in ALL_JUNK:
        with suppress(ConversationStoreError):
            made = projection(**{**FINE_PROJECTION, argument: junk})(lambda *_: None)
            store.projections.register(made)
            store.projections.catch_up(*["mine"] * (argument != "name"))


@pytest.mark.parametrize(
    "attribute", ["name", "tables", "create", "apply", "version", "categories", "types"]
)
def test_junk_on_a_projection_is_refused_in_our_words(store, attribute):
    for junk in ALL_JUNK:
        made = Counting()
        made.name = "mine"
        with suppress(ConversationStoreError):
            setattr(made, attribute, junk)
            store.projections.register(made)


def test_junk_that_is_no_projection_is_refused_in_our_words(store):
    for junk in ALL_JUNK:
        with pytest.raises(InvalidInput):
            store.projections.register(junk)


# -- reading a projection --------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["name", "look"])
def test_junk_for_reading_a_projection_is_refused_in_our_words(store, argument):
    fine = {"name": "counting", "look": lambda tables: tables.all("SELECT * FROM {seen}")}
    for junk in ALL_JUNK:
        if argument == "look" and callable(junk):
            continue  # what it does is its own affair
        with pytest.raises(ConversationStoreError):
            store.projections.read(**{**fine, argument: junk})


# From 3.12 on Python warns of how its sqlite3 binds a datetime, which is the driver's to say.
@pytest.mark.filterwarnings("ignore:The default datetime adapter:DeprecationWarning")
@pytest.mark.parametrize("argument", ["name", "sql", "parameters"])
def test_junk_for_a_query_is_refused_in_our_words(store, argument):
    fine = {
        "name": "counting",
        "sql": "SELECT * FROM {seen} WHERE version = ?",
        "parameters": [1],
    }
    for junk in ALL_JUNK:
        with suppress(ConversationStoreError):
            store.projections.query(**{**fine, argument: junk})
        if argument == "parameters":
            with suppress(ConversationStoreError):
                store.projections.query(**{**fine, "parameters": [junk]})
    assert store.projections.query(**fine) != []


# -- what the store gave -----------------------------------------------------------------------


def test_junk_for_a_position_is_refused_in_our_words(store):
    for junk in ALL_JUNK:
        with pytest.raises(InvalidInput):
            Position.parse(junk)
        with suppress(ConversationStoreError):
            list(store.events.read_all(after=Position(junk, junk, junk)))


def test_junk_for_a_replayed_message_is_refused_in_our_words(store):
    state = store.replay.state(f"thread_{HEX}")
    for junk in ALL_JUNK:
        with suppress(ConversationStoreError):
            state.message(junk)


# -- the async face --------------------------------------------------------------------------------


async def test_junk_for_what_only_the_async_face_does_itself_is_refused_in_our_words():
    async with AsyncConversationStore.open("sqlite://") as store:
        for junk in ALL_JUNK:
            for bind in (store.tenant, lambda name: store.acting(actor=name)):
                with suppress(ConversationStoreError):
                    bind(junk)
            for options in ({"stop": junk}, {"lease_seconds": junk}, {"holder": junk}):
                if options == {"stop": None}:
                    continue  # it would run for ever
                with suppress(ConversationStoreError):
                    await store.projections.catch_up(
                        **{k: v for k, v in options.items() if k != "stop"}
                    )
                if "stop" in options:
                    with pytest.raises(InvalidInput):
                        await store.projections.run(**options)
            with suppress(ConversationStoreError):
                async with store.threads.batch(junk):
                    pass
