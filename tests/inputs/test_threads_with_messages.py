"""`threads.create(messages=[…])`: a thread and its first messages, all or nothing."""

import pytest

from eventstore import (
    AsyncConversationStore,
    IdempotencyConflict,
    InvalidInput,
    MessageNotFound,
    RunNotFound,
)
from tests.inputs.untouched import untouched

FIRST = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
HEX = "0" * 32


def texts(store, thread_id):
    return [message.text for message in store.messages.list(thread_id)]


def test_a_thread_begins_with_its_messages(store):
    thread = store.threads.create(title="Sky", messages=FIRST)
    assert (thread.title, thread.version) == ("Sky", 3)
    assert thread == store.threads.get(thread.id)
    system, user = store.messages.list(thread.id)
    assert (system.text, user.text, user.parent_id) == ("Be brief.", "Why?", system.id)
    assert thread.head_id == user.id
    kinds = [event.type for event in store.events.read(thread.id)]
    assert kinds == ["ThreadCreated", "MessageAdded", "MessageAdded"]
    assert store.projections.compare().ok


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_without_messages_it_is_empty(store, nothing):
    thread = store.threads.create(messages=nothing)
    assert (thread.version, thread.head_id) == (1, None)


def test_messages_may_be_a_tree(store):
    messages = [
        {**FIRST[0], "message_id": f"msg_{HEX}"},
        FIRST[1],
        {"role": "user", "content": "How?", "parent_id": f"msg_{HEX}", "select": False},
    ]
    thread = store.threads.create(messages=messages)
    assert texts(store, thread.id) == ["Be brief.", "Why?"]
    assert len(store.branches.tree(thread.id).nodes) == 3


def test_with_a_key_it_is_made_once(store):
    thread = store.threads.create(messages=FIRST, idempotency_key="k")
    store.messages.create(thread.id, role="assistant", content="Scattering.")
    store.threads.update(thread.id, title="Sky")
    with untouched(store):
        assert store.threads.create(messages=FIRST, idempotency_key="k") == thread
        with pytest.raises(IdempotencyConflict):
            store.threads.create(messages=FIRST[:1], idempotency_key="k")
        with pytest.raises(IdempotencyConflict):
            store.threads.create(idempotency_key="k")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"role": "user", "content": "x", "parent_id": f"msg_{HEX}"}, MessageNotFound),
        ({"role": "user", "content": "x", "run_id": f"run_{HEX}"}, RunNotFound),
        ({"role": "nobody", "content": "x"}, InvalidInput),
        ({"role": "user"}, InvalidInput),
    ],
    ids=["parent", "run", "role", "content"],
)
def test_if_one_message_cannot_be_there_is_no_thread(store, wrong, error):
    before = store.threads.create()
    with untouched(store), pytest.raises(error):
        store.threads.create(messages=[*FIRST, wrong])
    assert list(store.threads.list()) == [before]


def test_what_is_wrong_is_named_with_its_index(store):
    with pytest.raises(InvalidInput) as caught:
        store.threads.create(messages=[FIRST[0], {"role": "user", "content": 5}])
    assert caught.value.field.startswith("messages[1].content")


async def test_the_async_face_does_the_same():
    async with AsyncConversationStore.open("sqlite://") as store:
        thread = await store.threads.create(messages=FIRST)
        assert [one.text for one in await store.messages.list(thread.id)] == ["Be brief.", "Why?"]
