"""Values that are made without validating are, to their user, like any other pydantic model."""

import copy
import json
import pickle

import pytest
from pydantic import ValidationError

from eventstore import ConversationStore, RecordedEvent
from tests.storage.lives import full_life

PARTS = [
    "Look: ",
    {"type": "image", "url": "https://example.org/sky.png"},
    {"type": "data", "data": {"deep": [1, None, {"er": 2.5}]}},
    "blue",
]


def values(store):
    """Messages and events of many shapes, as they are read."""
    thread = store.threads.create(title="Sky", metadata={"tags": ["a", 1, None]})
    question = store.messages.create(thread.id, role="user", content="Why?", external_id="q")
    store.messages.create(thread.id, role="assistant", content=PARTS, metadata={"m": {"n": 1}})
    edited = store.messages.edit(thread.id, question.id, content="How?", actor="ann")
    store.messages.amend(thread.id, edited.id, content="How so?", reason="typing")
    store.events.append(
        f"invoice_{thread.id[-32:]}",
        [{"type": "Made", "data": {"n": [1, "x"]}, "content": {"for": "Ann"}}],
        expected_version="no_stream",
        actor="ann",
    )
    fork = store.threads.fork(thread.id, at_message=edited.id)
    full_life(store)
    return [
        *store.messages.list(thread.id),
        *store.messages.list(thread.id, branch=question.id),
        *store.messages.list(fork.id),
        *store.events.read_all(),
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with ConversationStore.open(f"sqlite:///{tmp_path_factory.mktemp('made')}/a.db") as store:
        yield values(store)


def test_they_equal_what_pydantic_makes_of_their_fields(made):
    for value in made:
        validated = type(value).model_validate(value.model_dump())
        assert value == validated
        assert repr(value) == repr(validated)
        assert value.model_dump(mode="python") == validated.model_dump(mode="python")
        assert value.model_dump_json() == validated.model_dump_json()
        assert value.model_fields_set == validated.model_fields_set == set(type(value).model_fields)
        for name in type(value).model_fields:
            assert type(getattr(value, name)) is type(getattr(validated, name)), name


def test_they_pass_strict_validation_as_they_are(made):
    for value in made:
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        assert type(value).model_validate(fields, strict=True) == value


def test_they_are_copied_and_pickled(made):
    for value in made:
        for other in (
            copy.copy(value),
            copy.deepcopy(value),
            value.model_copy(),
            value.model_copy(deep=True),
            pickle.loads(pickle.dumps(value)),
        ):
            assert other == value
            assert other is not value
            assert other.model_fields_set == value.model_fields_set
        changed = value.model_copy(update={"version": 99})
        assert (changed.version, changed == value) == (99, False)


def test_they_are_frozen(made):
    for value in made:
        with pytest.raises(ValidationError, match="frozen"):
            value.version = 99


def test_events_hold_nothing_but_json(made):
    """Ids and tuples, which are not JSON, are in some types of events only."""
    events = [value for value in made if isinstance(value, RecordedEvent)]
    assert len({event.type for event in events}) > 30
    for event in events:
        for value in (event.data, event.content, event.metadata):
            assert json.loads(json.dumps(value)) == value, event.type
