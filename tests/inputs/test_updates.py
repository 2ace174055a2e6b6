"""An update that says nothing is refused, of whatever it is: it would be one more version."""

import pytest

from tests.inputs.untouched import refused


@pytest.fixture
def updates(store, thread, question):
    """Each update there is, and the value to be given."""
    run = store.runs.create(thread.id)
    assistant = store.assistants.create(model="m")
    return [
        (lambda **given: store.threads.update(thread.id, **given), "title"),
        (lambda **given: store.messages.update(thread.id, question.id, **given), "metadata"),
        (lambda **given: store.runs.update(thread.id, run.id, **given), "metadata"),
        (lambda **given: store.assistants.update(assistant.id, **given), "model"),
    ]


def test_an_update_of_nothing_is_refused_also_with_a_reason(store, updates):
    for update, field in updates:
        for options in ({}, {"reason": "why not", "actor": "u_1"}):
            with refused(store, field, "Give "):
                update(**options)


def test_its_key_is_free_for_an_update_that_says_something(store, updates):
    for number, (update, field) in enumerate(updates):
        key = f"key {number}"
        for _ in range(2):
            with refused(store, field):
                update(idempotency_key=key)
        value = {"a": 1} if field == "metadata" else "x"
        made = update(**{field: value}, idempotency_key=key)
        assert update(**{field: value}, idempotency_key=key) == made


def test_giving_none_is_saying_something(store, updates):
    """It takes a title, a name or metadata away; ``{}`` is another word for no metadata."""
    for update, field in updates:
        before = store.health().events
        assert getattr(update(**{field: None}), field) in (None, {})
        assert store.health().events == before + 1


def test_what_can_be_given_is_named(store, thread):
    with refused(store, "title", "Give title or metadata."):
        store.threads.update(thread.id)
    assistant = store.assistants.create(model="m")
    listed = "Give model, name, description, instructions, tools, settings or metadata."
    with refused(store, "model", listed):
        store.assistants.update(assistant.id)
