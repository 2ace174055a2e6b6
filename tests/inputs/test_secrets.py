"""No error, log line, SQL message or `repr` repeats what somebody said.

A marker stands in every text of a thread. Then every error there is a way to is provoked, on a URL
and on an engine of the application's, and the marker is looked for in its text, its repr, its
attributes, its causes and contexts, the formatted traceback, and everything that was logged.
"""

import logging
import traceback

import pytest
from sqlalchemy import create_engine, event

from eventstore import ConversationStore, ConversationStoreError, Limits, NewEvent, TextPart
from eventstore.read_models import MessageSearch, search

SECRET = "my heart is broken"
SAID = [SECRET, "Cancer.", "hunter2", "hyphenated-and_dotted.words:" * 2]
HEX = "0" * 32
PART = {"type": "text", "text": SECRET}
LIMITS = Limits(content_bytes_max=2_000, metadata_bytes_max=1_000)


@pytest.fixture(params=["url", "engine"])
def store(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    engine = create_engine(url)  # shows its parameters in errors, as engines do by default

    @event.listens_for(engine, "connect")
    def prepare(driver, _):
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            driver.execute(f"PRAGMA {pragma}")

    with ConversationStore.open(url if request.param == "url" else engine, limits=LIMITS) as opened:
        yield opened
    engine.dispose()


def said_in(error, seen=None):
    """Everything an error and those behind it say, and the values they keep."""
    seen = set() if seen is None else seen
    if error is None or id(error) in seen:
        return ""
    seen.add(id(error))
    kept = {name: value for name, value in vars(error).items() if name not in UNSAID}
    own = f"{error}\n{error!r}\n{kept}\n{getattr(error, '__notes__', '')}"
    return own + said_in(error.__cause__, seen) + said_in(error.__context__, seen)


# SQLAlchemy keeps the parameters on its error for programs to look at, and shows them nowhere.
# A key is what its caller has in hand, and kept for ever: the docs ask for opaque ones.
UNSAID = {"params", "key"}


def provocations(store, said):
    """Calls that fail, each with the marker in all that it is given."""
    key = said if " " in said else "key"  # a word is a field's name there, and fields are named
    call_id = said if " " in said else "call_1"  # what the log has as an id is one
    metadata = {"said": said, key: said}
    everything = {
        "content": [PART, {"type": "data", "data": metadata}],
        "name": said,
        "external_id": said,
        "metadata": metadata,
        "reason": said,
    }
    thread = store.threads.create(title=said, metadata=metadata, reason=said)
    question = store.messages.create(thread.id, role="user", **everything)
    answer = store.messages.create(thread.id, role="assistant", **everything)
    store.branches.label(thread.id, question.id, said)
    call = {"type": "tool_call", "id": call_id, "name": said, "arguments": metadata}
    result = {"type": "tool_result", "call_id": said, "output": said}
    say, threads, messages, runs = store.messages.create, store.threads, store.messages, store.runs
    options = {"idempotency_key": said}
    say(thread.id, role="user", content=said, **options)
    run = runs.create(thread.id)
    surrogate = said + "\ud800"
    yield from [
        lambda: say(thread.id, role=said, content=said),
        lambda: say(thread.id, role="user", content=said, status=said),
        lambda: say(thread.id, role="user", content=said, on_busy=said),
        lambda: say(thread.id, role="user", content=said, select=said),
        lambda: say(said, role="user", content=said),
        lambda: say(thread.id, role="user", content=said, message_id=said),
        lambda: say(thread.id, role="user", content=said, parent_id=said),
        lambda: say(thread.id, role="user", content=said, expected_head=said),
        lambda: say(thread.id, role="user", content=said, expected_version=said),
        lambda: say(thread.id, role="user", content=said, original_created_at=said),
        lambda: say(thread.id, role="user", content=said, connection=said),
        lambda: say(thread.id, role="user", content="other", **options),
        lambda: say(thread.id, role="user", content=surrogate),
        lambda: say(thread.id, role="user", content="x", name=surrogate),
        lambda: say(thread.id, role="user", content="x", metadata={"k": surrogate}),
        lambda: say(thread.id, role="user", content="x", metadata={surrogate: 1}),
        lambda: say(thread.id, role="user", content="x", metadata={key: {1}}),
        lambda: say(thread.id, role="user", content="x", metadata={key: {key: [{1}]}}),
        lambda: say(thread.id, role="user", content="x", reason=surrogate),
        lambda: say(thread.id, role="user", content="x", subject=surrogate),
        lambda: say(thread.id, role="user", content=said * 1_000, **options),
        lambda: say(thread.id, role="user", content=said * 1_000),
        lambda: say(thread.id, role="user", content="x", metadata={"k": said * 1_000}),
        lambda: say(thread.id, role="user", content=[{**PART, said: said}]),
        lambda: say(thread.id, role="user", content=[{**PART, "type": said}]),
        lambda: say(thread.id, role="user", content=[{**PART, "text": [said]}]),
        lambda: say(thread.id, role="user", content=[{"type": "image", "detail": said}]),
        lambda: say(thread.id, role="user", content={said}),
        lambda: say(thread.id, role="tool", content=[result]),
        lambda: say(thread.id, role="assistant", content=[call, call]),
        lambda: say(thread.id, role="assistant", content=[call]),
        lambda: messages.create_many(thread.id, [{"role": "user", said: said}]),
        lambda: messages.create_many(thread.id, said),
        lambda: messages.get(thread.id, said),
        lambda: messages.get(thread.id, external_id=said + "!"),
        lambda: messages.list(thread.id, branch=said + "!"),
        lambda: messages.list(thread.id, after=said),
        lambda: messages.list(thread.id, order=said),
        lambda: messages.list(thread.id, at_version=said),
        lambda: messages.list(thread.id, limit=said),
        lambda: messages.amend(thread.id, answer.id, content=[call]),
        lambda: messages.regenerate(thread.id, question.id, content=said),
        lambda: messages.edit(thread.id, said, content=said),
        lambda: store.branches.select(thread.id, said + "!"),
        lambda: store.branches.label(thread.id, answer.id, said),
        lambda: store.branches.diff(thread.id, said + "!", said),
        lambda: threads.create(title=said * 1_000),
        lambda: threads.create(title=surrogate),
        lambda: threads.create(title=said, thread_id=thread.id),
        lambda: threads.get(said),
        lambda: threads.list(metadata={said: [said]}),
        lambda: threads.list(after=said),
        lambda: threads.fork(thread.id, at_version=said),
        lambda: runs.create(thread.id, instructions=surrogate),
        lambda: runs.create(thread.id, tools=[{key: {said}}]),
        lambda: runs.create(thread.id, tools=said),
        lambda: runs.create(thread.id, on_busy="reject", instructions=said),
        lambda: runs.complete(thread.id, run.id, usage={"input_tokens": said}),
        lambda: runs.fail(thread.id, run.id, code=surrogate, message=said),
        lambda: (
            runs.start(thread.id, run.id),
            runs.require_action(thread.id, run.id, calls=[said]),
        ),
        lambda: runs.submit_tool_outputs(thread.id, run.id, [{"call_id": said, said: 1}]),
        lambda: runs.submit_tool_outputs(thread.id, run.id, [{"call_id": said, "output": said}]),
        lambda: runs.submit_tool_outputs(thread.id, run.id, [{"call_id": said, "status": said}]),
        lambda: runs.steps.complete(thread.id, f"step_{HEX}", details=metadata),
        lambda: store.assistants.create(name=surrogate, instructions=said),
        lambda: store.tenant(surrogate),
        lambda: store.acting(actor=surrogate),
        lambda: store.events.append(said, [], expected_version="any"),
        lambda: store.events.append(f"x_{HEX}", [{"type": "A", said: said}], expected_version=0),
        lambda: store.events.append(f"x_{HEX}", [{"type": [said]}], expected_version=0),
        lambda: store.events.append(
            f"x_{HEX}", [{"type": "A", "data": metadata}], expected_version=5
        ),
        lambda: store.events.read_all(after=said),
        lambda: list(store.events.read(said)),
        lambda: store.replay.state(thread.id, at_time=said),
    ]


def failing(store, broken):
    """Calls that fail because the database does, once ``broken`` has seen to that."""
    thread = store.threads.create()
    broken()
    return [
        lambda: store.messages.create(thread.id, role="user", content=SECRET, name=SECRET),
        lambda: store.threads.create(title=SECRET, metadata={"said": SECRET}, reason=SECRET),
        lambda: store.events.append(
            f"x_{HEX}", [{"type": "A", "content": {"k": SECRET}}], expected_version="any"
        ),
    ]


def whatever_is_said(call, caplog):
    caplog.clear()
    with pytest.raises(ConversationStoreError) as caught:
        call()
    return "\n".join(
        [
            said_in(caught.value),
            *traceback.format_exception(caught.value),
            caplog.text,
            *[str(record.__dict__) for record in caplog.records],
        ]
    )


@pytest.mark.parametrize("said", SAID)
def test_no_refusal_repeats_what_was_said(store, caplog, said):
    caplog.set_level(logging.DEBUG)
    for call in provocations(store, said):
        assert said not in whatever_is_said(call, caplog)


def test_no_error_of_the_database_repeats_what_was_written(store, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    engine = create_engine(f"sqlite:///{tmp_path / 'chat.db'}")

    def broken():
        with engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER broken BEFORE INSERT ON events"
                " BEGIN SELECT RAISE(ABORT, 'the disk caught fire'); END"
            )

    for call in failing(store, broken):
        said = whatever_is_said(call, caplog)
        assert SECRET not in said
        assert "caught fire" in said
    engine.dispose()


@pytest.mark.parametrize(
    "make",
    [
        lambda: TextPart(text=[SECRET]),  # type: ignore[arg-type]
        lambda: TextPart(text="x", colour=SECRET),  # type: ignore[call-arg]
    ],
    ids=["wrong type", "unknown field"],
)
def test_a_part_that_is_not_possible_does_not_repeat_itself(make):
    with pytest.raises(ValueError, match="TextPart") as caught:
        make()
    assert SECRET not in str(caught.value)


def values(store):
    """One of each value that holds what somebody said."""
    metadata = {"said": SECRET}
    thread = store.threads.create(title=SECRET, metadata=metadata)
    call = {"type": "tool_call", "id": "1", "name": "look", "arguments": metadata}
    result = {"type": "tool_result", "call_id": "1", "output": SECRET}
    parts = [PART, {"type": "data", "data": metadata}, {"type": "reasoning", "text": SECRET}]
    said = store.messages.create(thread.id, role="assistant", content=[*parts, call], name=SECRET)
    answer = store.messages.create(thread.id, role="tool", content=[result], metadata=metadata)
    store.messages.amend(thread.id, said.id, content=[PART, call])
    store.branches.label(thread.id, answer.id, SECRET)
    assistant = store.assistants.create(name="it", instructions=SECRET, description=SECRET)
    run = store.runs.create(thread.id, assistant_id=assistant.id, metadata=metadata)
    store.runs.start(thread.id, run.id)
    context = store.runs.context(thread.id, run.id)
    failed = store.runs.fail(thread.id, run.id, code="E", message=SECRET)
    store.projections.register(MessageSearch())
    store.projections.catch_up()
    yield from (thread, said, answer, *answer.content, assistant, run, context, failed)
    yield from store.messages.revisions(thread.id, said.id)
    yield from (store.branches.tree(thread.id), *store.branches.list(thread.id))
    yield store.replay.state(thread.id)
    yield from store.events.read(thread.id)
    yield from store.projections.read("search", search("heart"))
    yield NewEvent(type="A", data=metadata, content=metadata, metadata=metadata)


def test_no_value_shows_by_accident_what_was_said(store):
    kinds = set()
    for value in values(store):
        assert SECRET not in f"{value!r} {value}"
        assert "heart" not in f"{value!r} {value}"
        kinds.add(type(value).__name__)
    assert kinds >= {"Thread", "Message", "Revision", "Run", "RunContext", "RecordedEvent", "Hit"}
