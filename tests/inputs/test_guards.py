"""What a write believes, and how often it may be sent."""

import pytest

from eventstore import (
    EMPTY,
    IdempotencyConflict,
    InvalidInput,
    ThreadNotFound,
    WrongExpectedHead,
    WrongExpectedVersion,
)
from tests.inputs.untouched import refused, untouched

UNKNOWN = "0" * 32


def test_a_stale_head_is_told_with_the_head_there_is(store, thread, question):
    answer = store.messages.create(thread.id, role="assistant", content="x")
    with untouched(store), pytest.raises(WrongExpectedHead) as caught:
        store.messages.create(thread.id, role="user", content="y", expected_head=question.id)
    error = caught.value
    assert (error.thread_id, error.expected, error.actual) == (thread.id, question.id, answer.id)
    assert "List the thread again" in str(error)


@pytest.mark.parametrize("expected", [0, 1, 3, 2**63 - 1, "no_stream"])
@pytest.mark.usefixtures("question")
def test_a_wrong_version_is_told_with_the_version_there_is(store, thread, expected):
    with untouched(store), pytest.raises(WrongExpectedVersion) as caught:
        store.messages.create(thread.id, role="user", content="y", expected_version=expected)
    assert (caught.value.expected, caught.value.actual) == (expected, 2)


@pytest.mark.parametrize(
    "expected", [-1, 1.0, True, 2**63, 2**80, "", "2", "latest", b"any", [], {}, float("nan")]
)
def test_what_is_no_expectation_is_refused(store, thread, expected):
    for key in (None, "key"):
        with refused(store, "expected_version", "'stream_exists'"):
            store.messages.create(
                thread.id, role="user", content="y", expected_version=expected, idempotency_key=key
            )


def test_a_key_used_for_another_command_is_a_conflict(store, thread):
    first = store.messages.create(thread.id, role="user", content="x", idempotency_key="k")
    for command in (
        lambda: store.messages.create(thread.id, role="user", content="y", idempotency_key="k"),
        lambda: store.messages.create(thread.id, role="system", content="x", idempotency_key="k"),
        lambda: store.messages.edit(thread.id, first.id, content="x", idempotency_key="k"),
        lambda: store.threads.archive(thread.id, idempotency_key="k"),
    ):
        with untouched(store), pytest.raises(IdempotencyConflict) as caught:
            command()
        assert (caught.value.stream_id, caught.value.key) == (thread.id, "k")


def test_the_same_command_with_the_same_key_returns_the_first_result(store, thread):
    say = {"role": "user", "content": "x", "idempotency_key": "k"}
    first = store.messages.create(thread.id, **say)
    with untouched(store):
        assert store.messages.create(thread.id, **say) == first


def test_a_thread_created_with_a_key_is_found_by_it_again(store):
    first = store.threads.create(title="x", idempotency_key="k")
    with untouched(store):
        assert store.threads.create(title="x", idempotency_key="k") == first
        with pytest.raises(IdempotencyConflict):
            store.threads.create(title="y", idempotency_key="k")
    assert store.tenant("other").threads.create(title="x", idempotency_key="k").id != first.id


@pytest.mark.parametrize("name", ["idempotency_key", "actor", "subject"])
@pytest.mark.parametrize("value", ["", "x" * 256, 5, b"x", "\ud800", ["x"]])
def test_keys_and_actors_are_short_text(store, thread, name, value):
    with refused(store, name):
        store.messages.create(thread.id, role="user", content="x", **{name: value})
    with refused(store, name):
        store.threads.create(**{name: value})
    with refused(store, name):
        store.assistants.create(**{name: value})


@pytest.mark.parametrize("name", ["actor", "correlation_id", "causation_id"])
@pytest.mark.parametrize("value", ["", "x" * 256, 5, b"x", "\ud800"])
def test_who_acts_is_short_text(store, name, value):
    with refused(store, name):
        store.acting(**{name: value})


@pytest.mark.parametrize("name", [None, 0, 5, b"", b"x", [], "x" * 256, "\ud800"])
def test_a_tenant_is_named_by_text_and_nothing_else_means_the_default(store, name):
    with refused(store, "tenant"):
        store.tenant(name)


def test_an_append_always_says_what_it_expects(store):
    with refused(store, "expected_version"):
        store.events.append(f"invoice_{UNKNOWN}", [{"type": "Sent"}], expected_version=None)
    with untouched(store), pytest.raises(TypeError):
        store.events.append(f"invoice_{UNKNOWN}", [{"type": "Sent"}])


def test_a_misspelt_guard_does_not_pass_for_none(store, thread, question):
    with untouched(store), pytest.raises(TypeError, match="expected_haed"):
        store.messages.create(thread.id, role="user", content="x", expected_haed=question.id)
    with untouched(store), pytest.raises(TypeError, match="idempotence_key"):
        store.threads.create(idempotence_key="k")


def test_what_a_bound_store_says_is_kept_with_every_event(store, thread):
    cases = {"actor": "user_1", "correlation_id": "request_1", "causation_id": "evt_1"}
    for name, value in cases.items():
        bound = store.acting(**{name: value})
        version = bound.messages.create(thread.id, role="user", content="x").version
        (event,) = store.events.read(thread.id, after=version - 1)
        assert event.metadata == {name: value}


def test_a_bound_store_batches_and_says_it_once(store, thread):
    with store.acting(actor="user_1", causation_id="evt_1").threads.batch(thread.id) as batch:
        batch.messages.create(role="user", content="x")
        batch.messages.create(role="assistant", content="y")
    events = list(store.events.read(thread.id, after=1))
    assert [event.metadata for event in events] == [
        {"actor": "user_1", "causation_id": "evt_1"}
    ] * 2


def test_guards_are_said_for_the_batch_and_not_inside(store, thread, question):
    with untouched(store), pytest.raises(TypeError), store.threads.batch(thread.id) as batch:
        batch.messages.create(role="user", content="x", expected_head=question.id)


def test_that_a_thread_is_empty_can_be_expected(store, thread):
    first = store.messages.create(thread.id, role="user", content="x", expected_head=EMPTY)
    with untouched(store), pytest.raises(WrongExpectedHead) as caught:
        store.messages.create(thread.id, role="user", content="y", expected_head=EMPTY)
    assert (caught.value.expected, caught.value.actual) == (None, first.id)
    assert f"is {first.id}, but an empty thread was expected" in str(caught.value)
    store.messages.remove(thread.id, first.id)
    with untouched(store), pytest.raises(WrongExpectedHead, match="is empty, but its head was exp"):
        store.messages.create(thread.id, role="user", content="y", expected_head=first.id)
    with store.threads.batch(thread.id, expected_head=EMPTY) as batch:
        batch.messages.create(role="user", content="again")


def test_of_two_who_expect_an_empty_thread_one_is_first(store, thread):
    keyed = {"role": "user", "content": "x", "expected_head": EMPTY, "idempotency_key": "k"}
    first = store.messages.create(thread.id, **keyed)
    assert store.messages.create(thread.id, **keyed) == first
    with pytest.raises(IdempotencyConflict):  # the guard is part of what was asked
        store.messages.create(thread.id, **{**keyed, "expected_head": None})


def test_a_thread_that_is_not_there_is_not_empty(store):
    with untouched(store), pytest.raises(ThreadNotFound):
        store.messages.create(f"thread_{UNKNOWN}", role="user", content="x", expected_head=EMPTY)
    with pytest.raises(InvalidInput, match="EMPTY stands for an empty thread"):
        store.messages.create(f"thread_{UNKNOWN}", role="user", content="x", expected_head="")
