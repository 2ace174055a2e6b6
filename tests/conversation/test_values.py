"""Values of a store compare and hash, and survive JSON, pickle and copying."""

import copy
import pickle

import pytest
from pydantic import BaseModel, ValidationError

from eventstore import (
    ConversationStore,
    Message,
    Page,
    Position,
    RecordedEvent,
    ReplayedThread,
    ThreadState,
    TokenUsage,
)
from tests.storage.lives import full_life


@pytest.fixture(scope="module")
def store():
    with ConversationStore.open("sqlite://") as opened:
        full_life(opened)
        yield opened


def values_of(store):
    """Everything that reading gives, over a life that saw every kind of event."""
    for thread in store.threads.list(include_deleted=True):
        yield thread
        yield from store.branches.list(thread.id) if not thread.deleted else ()
        if not thread.deleted:
            yield store.messages.list(thread.id)
            yield from store.messages.list(thread.id)
            yield store.branches.tree(thread.id)
            for run in store.runs.list(thread.id):
                yield run
                yield store.runs.context(thread.id, run.id)
                yield from store.runs.steps.list(thread.id, run.id)
            yield store.replay.state(thread.id)
            yield from store.replay.steps(thread.id)
            yield store.replay.diff(thread.id, from_version=1)
    yield from store.events.read_all()
    yield from store.assistants.list()
    yield store.projections.compare()
    yield store.counters()
    yield store.health()


def test_each_value_equals_its_copies_and_hashes_alike(store):
    found = list(values_of(store))
    assert len({type(value) for value in found}) > 12
    for value in found:
        for same in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert same == value
            assert hash(same) == hash(value)


def test_each_value_equals_its_round_trip_through_json(store):
    for value in values_of(store):
        if isinstance(value, BaseModel):
            kind = Page[Message] if isinstance(value, Page) else type(value)
            assert kind.model_validate_json(value.model_dump_json()) == value


def test_values_that_differ_compare_as_different(store):
    messages = [m for m in values_of(store) if isinstance(m, Message)]
    assert len(set(messages)) == len({m.model_dump_json() for m in messages})
    other = messages[0].model_copy(update={"metadata": {"not": "the same"}})
    assert other != messages[0]


def test_a_replayed_thread_is_a_value_with_json(store):
    thread = store.threads.list().data[0].id
    now, again = store.replay.state(thread), store.replay.state(thread)
    assert isinstance(now, ReplayedThread)
    assert now == again != store.replay.state(thread, at_version=1)
    assert repr(now) == f"<{thread} at version {now.version}: {len(now.messages)} messages>"
    assert ThreadState.model_validate_json(now.model_dump_json()) == now.value()
    *_, step = store.replay.steps(thread)
    assert step.model_dump(mode="json")["state"] == now.model_dump(mode="json")
    assert repr(now) in repr(step)


def test_a_position_in_json_is_the_text_that_after_takes(store):
    first, *rest = store.events.read_all()
    text = first.model_dump(mode="json")["position"]
    assert text == str(first.position)
    assert list(store.events.read_all(after=text)) == rest
    assert RecordedEvent.model_validate_json(first.model_dump_json()).position == first.position
    with pytest.raises(ValidationError):
        RecordedEvent.model_validate({**first.model_dump(), "position": "next"})
    assert Position.parse(text) == first.position


def test_usage_totals_what_it_counts():
    assert TokenUsage(input_tokens=2, output_tokens=3).total_tokens == 5
    assert TokenUsage(input=2, output=3) == TokenUsage(input_tokens=2, output_tokens=3)  # type: ignore[call-arg]
    assert TokenUsage(input_tokens=2, total_tokens=9).total_tokens == 9
    with pytest.raises(ValidationError):
        TokenUsage(inptu_tokens=2)  # type: ignore[call-arg]


def test_what_a_run_took_is_totalled_too(store):
    thread = store.threads.create().id
    run = store.runs.create(thread)
    store.runs.start(thread, run.id)
    done = store.runs.complete(thread, run.id, usage={"input_tokens": 2, "output_tokens": 3})
    assert done.usage == TokenUsage(input_tokens=2, output_tokens=3, total_tokens=5)


def test_certificates_name_what_they_list(store):
    thread = store.threads.create().id
    message = store.messages.create(thread, role="user", content="secret")
    store.messages.edit(thread, message.id, content="another secret")
    told = store.privacy.erase(thread, message.id).model_dump(mode="json")
    assert told["erased"] == [{"stream_id": thread, "version": message.version}]
    assert set(told["copies"][0]) == {"kind", "thread_id", "id"}
