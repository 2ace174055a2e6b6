"""A message's form at its provider comes back byte for byte, and goes with its content."""

import pytest
from pydantic import ValidationError

from eventstore import ConversationStore, InvalidInput, Limits, Message, ProviderForm, ThreadState
from eventstore.conversation.context import context_digest
from eventstore.storage.blobs import IN_ROW_BYTES_MAX

BYTES = bytes(range(256))
FORM = ProviderForm(format="anthropic.messages", data=BYTES)
OTHER = ProviderForm(format="openai.chat", data=b"")


@pytest.fixture
def store(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        yield store


@pytest.fixture
def thread(store):
    return store.threads.create().id


def say(store, thread, form=FORM, **options):
    given = {"role": "assistant", "content": "Hello.", **options}
    return store.messages.create(thread, provider=form, **given)


def test_it_is_returned_by_every_way_of_reading(store, thread):
    made = say(store, thread)
    fork = store.threads.fork(thread).id
    assert made.provider == FORM
    assert store.messages.get(thread, made.id) == made
    assert store.messages.list(thread).data == (made,)
    assert store.replay.state(thread).messages[0] == made
    assert store.messages.list(fork).data[0].provider == FORM
    run = store.runs.create(thread)
    assert store.runs.context(thread, run.id).messages[0].provider.data == BYTES


@pytest.mark.parametrize("size", [0, IN_ROW_BYTES_MAX + 1, 300_000])
def test_any_size_is_kept(store, thread, size):
    data = (BYTES * (size // 256 + 1))[:size]
    made = say(store, thread, ProviderForm(format="x", data=data))
    assert store.messages.get(thread, made.id).provider.data == data
    assert store.projections.compare(thread).ok


def test_every_way_of_writing_words_takes_one(store, thread):
    first = say(store, thread)
    messages = store.messages
    answer = messages.regenerate(thread, first.id, content="Hi.", provider=OTHER)
    edited = messages.edit(thread, first.id, content="Hey.", provider=FORM)
    many = messages.create_many(
        thread,
        [
            {"role": "user", "content": "One.", "provider": FORM},
            {"role": "user", "content": "Two."},
        ],
    )
    with store.threads.batch(thread) as batch:
        batch.messages.create(role="user", content="Three.", provider=OTHER)
    forms = [one.provider for one in (answer, edited, *many, messages.list(thread).data[-1])]
    assert forms == [OTHER, FORM, FORM, None, OTHER]


def test_one_that_waited_joins_with_it(store, thread):
    run = store.runs.create(thread).id
    waits = say(store, thread, role="user")
    instead = store.messages.edit(thread, waits.id, content="Hi.", provider=OTHER)
    store.runs.cancel(thread, run)
    assert store.messages.get(thread, instead.id).provider == OTHER
    assert store.messages.get(thread, waits.id).provider == FORM


def test_amending_replaces_it_with_the_words(store, thread):
    made = say(store, thread)
    store.messages.amend(thread, made.id, content="Hi.")
    assert store.messages.get(thread, made.id).provider is None
    store.messages.amend(thread, made.id, content="Hey.", provider=OTHER)
    store.messages.update(thread, made.id, name="Ann")
    assert store.messages.get(thread, made.id).provider == OTHER
    forms = [one.provider for one in store.messages.revisions(thread, made.id)]
    assert forms == [FORM, None, OTHER]


def test_erasing_takes_it_along(store, thread):
    made = say(store, thread)
    store.messages.amend(thread, made.id, content="Hi.", provider=OTHER)
    store.privacy.erase(thread, made.id)
    assert store.messages.get(thread, made.id).provider is None
    assert [one.provider for one in store.messages.revisions(thread, made.id)] == [None, None]
    store.messages.amend(thread, made.id, content="Hi.", provider=OTHER)
    assert store.messages.get(thread, made.id).provider == OTHER


def test_values_with_it_survive_json(store, thread):
    made = say(store, thread)
    assert Message.model_validate_json(made.model_dump_json()) == made
    assert made.model_dump(mode="json")["provider"]["data"] == BYTES.hex()
    state = store.replay.state(thread).value()
    assert ThreadState.model_validate_json(state.model_dump_json()) == state
    run = store.runs.create(thread)
    context = store.runs.context(thread, run.id)
    assert type(context).model_validate_json(context.model_dump_json()) == context
    event = list(store.events.read(thread))[1]
    assert event.content["provider"] == {"format": FORM.format, "data": BYTES.hex()}
    assert type(event).model_validate_json(event.model_dump_json()) == event


def test_it_is_not_shown_where_values_are_logged(store, thread):
    assert "data" not in repr(say(store, thread)).partition("provider")[2]
    assert "data" not in repr(FORM)


def test_what_a_step_saw_of_it_is_proven(store, thread):
    made = say(store, thread)
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    context = store.runs.context(thread, run)
    assert context_digest(context.salt, [made]) == context.digest
    for form in (None, OTHER):
        other = made.model_copy(update={"provider": form})
        assert context_digest(context.salt, [other]) != context.digest
    step = store.runs.steps.start(thread, run, context=context).id
    assert store.runs.context(thread, run, step_id=step).verified


def test_the_same_key_with_other_bytes_is_a_conflict(store, thread):
    made = say(store, thread, idempotency_key="k")
    assert say(store, thread, idempotency_key="k") == made
    with pytest.raises(Exception, match="idempotency") as told:
        say(store, thread, OTHER, idempotency_key="k")
    assert type(told.value).__name__ == "IdempotencyConflict"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (b"bytes", "provider"),
        ({"format": "x", "data": b""}, "provider"),
        (FORM.model_copy(update={"data": "text"}), "provider.data"),
        (FORM.model_copy(update={"format": ""}), "provider.format"),
        (FORM.model_copy(update={"format": "\ud800"}), "provider.format"),
    ],
)
def test_anything_else_is_refused(store, thread, form, field):
    with pytest.raises(InvalidInput) as told:
        say(store, thread, form)
    assert told.value.field == field
    assert len(store.messages.list(thread).data) == 0


@pytest.mark.parametrize("fields", [{"format": ""}, {"data": "text"}, {"more": 1}])
def test_a_form_is_checked_when_it_is_made(fields):
    with pytest.raises(ValidationError):
        ProviderForm(**{"format": "x", "data": b"", **fields})


def test_its_bytes_count_towards_the_limit_of_content(tmp_path):
    limits = Limits(content_bytes_max=1_000)
    with ConversationStore.open(f"sqlite:///{tmp_path}/b.db", limits=limits) as store:
        thread = store.threads.create().id
        with pytest.raises(InvalidInput) as told:
            say(store, thread, ProviderForm(format="x", data=b"x" * 1_000))
        assert "1000" in str(told.value)
