"""An assistant answers: with tools, side by side, on both faces."""

import threading

import pytest

from eventstore import (
    AssistantNotFound,
    AsyncConversationStore,
    ConversationStore,
    InvalidInput,
    ThreadNotFound,
    WrongExpectedVersion,
)
from eventstore.engine import AsyncEngine, Engine, tool
from eventstore.engine.models import Gate, ScriptedModel, ToolCall
from tests.storage.lives import ask

_SUBJECTS = (
    "SELECT subject FROM events WHERE version >= {} AND stream IN (SELECT thread FROM messages)"
)
CALLS = [
    ToolCall("call_1", "weather", '{"city": "Oslo"}'),
    ToolCall("call_2", "weather", '{"city": "Rome"}'),
]


@tool
def weather(city: str) -> str:
    """Weather in a city, as one line."""
    return {"Oslo": "4 °C, rain", "Rome": "21 °C, sun"}[city]


@pytest.fixture
def store(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as opened:
        yield opened


def asked(store, text="Weather in Oslo and Rome?"):
    return store.threads.create(messages=[{"role": "user", "content": text}])


def shown(messages):
    return [(one.role, one.text) for one in messages]


def test_an_answer_belongs_to_the_person_in_whose_name_it_was_asked_for(store, tmp_path):
    model = ScriptedModel([CALLS, "4 °C in Oslo."])
    assistant = store.assistants.create(model="qwen-plus", tools=[weather])
    thread = asked(store)
    with Engine(store, tools=[weather], models={"qwen-plus": model}) as engine:
        engine.execute(thread.id, engine.run(thread.id, assistant.id, subject="ann").id)
    events = [*store.events.read(thread.id)]
    begun = next(one.version for one in events if one.type == "RunQueued")
    rows = ask(tmp_path / "chat.db", _SUBJECTS.format(begun))
    assert len({subject for (subject,) in rows if subject is not None}) == 1
    assert (None,) not in rows
    store.privacy.erase(subject="ann")
    assert [one.erased for one in store.messages.list(thread.id)] == [False, *[True] * 4]


def test_an_assistant_with_tools_answers(store):
    model = ScriptedModel([CALLS, "4 °C in Oslo, 21 °C in Rome."])
    assistant = store.assistants.create(
        model="qwen-plus", instructions="Be brief.", tools=[weather], settings={"temperature": 0}
    )
    thread = asked(store)
    with Engine(store, tools=[weather], models={"qwen-plus": model}) as engine:
        run = engine.run(thread.id, assistant.id)
        assert run.status == "queued"
        run = engine.execute(thread.id, run.id)

    assert run.status == "completed"
    messages = store.messages.list(thread.id)
    assert [one.role for one in messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert messages[-1].text == "4 °C in Oslo, 21 °C in Rome."
    answers = {part.call_id: part.output for one in messages[2:4] for part in one.content}
    assert answers == {"call_1": "4 °C, rain", "call_2": "21 °C, sun"}

    first, second = model.requests
    assert first.instructions == "Be brief."
    assert first.settings.temperature == 0
    assert first.tools == (weather.definition,)
    assert shown(first.messages) == [("user", "Weather in Oslo and Rome?")]
    assert second.messages == tuple(messages[:4])


def test_a_question_and_its_run_and_the_claim_are_one_commit(store):
    thread, said = store.threads.create(), [{"role": "user", "content": "Weather?"}]
    with Engine(store, models={"m": ScriptedModel(["Rain."])}) as engine:
        run = engine.run(thread.id, model="m", messages=said, actor="ann", reason="a test")
        ended = engine.execute(thread.id, run.id)
        assert ended == store.runs.get(thread.id, run.id)
    assert (run.status, ended.status) == ("queued", "completed")
    events = [one for one in store.events.read(thread.id) if one.version > 1]
    assert [one.type for one in events[:3]] == ["MessageAdded", "RunQueued", "RunStarted"]
    assert len({one.recorded_at for one in events[:3]}) == 1


def test_a_question_to_a_busy_thread_waits_for_its_turn(store):
    thread = asked(store)
    other = store.runs.create(thread.id, model="m")
    store.runs.start(thread.id, other.id, holder="somebody")
    with Engine(store, models={"m": ScriptedModel(["Rain."])}) as engine:
        said = [{"role": "user", "content": "And in Rome?"}]
        run = engine.run(thread.id, model="m", messages=said)
        assert store.runs.get(thread.id, run.id).status == "queued"
        store.runs.complete(thread.id, other.id)
        assert engine.execute(thread.id, run.id).status == "completed"
    shown_now = shown(store.messages.list(thread.id))
    assert shown_now[1:] == [("user", "And in Rome?"), ("assistant", "Rain.")]


def test_an_engine_claims_no_more_runs_at_once_than_it_may(store):
    threads = [asked(store) for _ in range(3)]
    gate = Gate()
    with Engine(store, models={"m": ScriptedModel([[gate, "Rain."]] * 3)}, concurrency=1) as engine:
        runs = [engine.run(thread.id, model="m") for thread in threads]
        states = [store.runs.get(run.thread_id, run.id).status for run in runs]
        assert states == ["in_progress", "queued", "queued"]
        gate.open()
        ended = [engine.execute(run.thread_id, run.id) for run in runs]
    assert {one.status for one in ended} == {"completed"}


@pytest.mark.parametrize("messages", ["Hello", [{"role": "user", "words": "Hello"}], [7]])
def test_messages_that_are_none_are_refused_and_hold_no_place(store, messages):
    thread = asked(store)
    with Engine(store, models={"m": ScriptedModel(["Rain."])}, concurrency=1) as engine:
        with pytest.raises(InvalidInput) as caught:
            engine.run(thread.id, model="m", messages=messages)
        assert caught.value.field.startswith("messages")
        run = engine.run(thread.id, model="m")
        assert engine.execute(thread.id, run.id).status == "completed"


def test_a_run_that_cannot_be_created_holds_no_place(store):
    thread, gone = asked(store), "0" * 32
    with Engine(store, models={"m": ScriptedModel(["Rain."])}, concurrency=1) as engine:
        with pytest.raises(AssistantNotFound):
            engine.run(thread.id, f"asst_{gone}")
        with pytest.raises(ThreadNotFound):
            engine.run(f"thread_{gone}", model="m")
        with pytest.raises(TypeError):
            engine.run(thread.id, modle="m")  # type: ignore[call-arg]
        with pytest.raises(WrongExpectedVersion):
            engine.run(thread.id, model="m", expected_version=7)
        assert engine.execute(thread.id, engine.run(thread.id, model="m").id).status == "completed"


async def test_an_async_engine_adds_the_question_and_interrupts_another_run(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        thread = await store.threads.create()
        other = await store.runs.create(thread.id, model="m")
        other = await store.runs.start(thread.id, other.id, holder="somebody")
        async with AsyncEngine(store, models={"m": ScriptedModel(["Rain."])}) as engine:
            said = [{"role": "user", "content": "Weather?"}]
            run = await engine.run(thread.id, model="m", messages=said, on_busy="interrupt")
            assert (await store.runs.get(thread.id, other.id)).status == "cancelled"
            assert (await engine.execute(thread.id, run.id)).status == "completed"
        page = await store.messages.list(thread.id)
    assert shown(page.data) == [("user", "Weather?"), ("assistant", "Rain.")]


def test_the_same_key_makes_one_run_that_is_executed_once(store):
    thread, model = asked(store), ScriptedModel(["Rain."])
    with Engine(store, models={"m": model}) as engine:
        runs = [engine.run(thread.id, model="m", idempotency_key="once") for _ in range(3)]
        engine.execute(thread.id, runs[0].id)
    assert len({run.id for run in runs}) == len(model.requests) == 1


def test_usage_is_that_of_all_steps(store):
    thread = asked(store)
    with Engine(
        store, tools=[weather], models={"m": ScriptedModel([CALLS, "Rain and sun."])}
    ) as engine:
        run = engine.run(thread.id, model="m", tools=[weather])
        run = engine.execute(thread.id, run.id)
    steps = store.runs.steps.list(thread.id, run.id)
    assert [(step.type, step.status) for step in steps] == [
        ("message_creation", "completed"),
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
    ]
    assert run.usage is not None
    answers = [step.usage for step in steps if step.usage is not None]
    assert run.usage.input_tokens == sum(usage.input_tokens for usage in answers)
    assert run.usage.output_tokens == sum(usage.output_tokens for usage in answers)
    assert run.usage.total_tokens > 0


def test_the_context_of_each_step_is_what_the_model_saw(store):
    model = ScriptedModel([CALLS, "Rain and sun."])
    thread = asked(store)
    with Engine(store, tools=[weather], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[weather])
        engine.execute(thread.id, run.id)
    answers = [
        step for step in store.runs.steps.list(thread.id, run.id) if step.type == "message_creation"
    ]
    for step, request in zip(answers, model.requests, strict=True):
        context = store.runs.context(thread.id, run.id, step_id=step.id)
        assert context.verified
        assert context.messages == request.messages


def test_two_tools_run_side_by_side(store):
    meet = threading.Barrier(2, timeout=30)

    @tool
    def one() -> int:
        return meet.wait()

    @tool
    def two() -> int:
        return meet.wait()

    calls = [ToolCall("call_1", "one"), ToolCall("call_2", "two")]
    thread = asked(store)
    with Engine(store, tools=[one, two], models={"m": ScriptedModel([calls, "Both."])}) as engine:
        run = engine.run(thread.id, model="m", tools=[one, two])
        assert engine.execute(thread.id, run.id).status == "completed"


async def test_the_async_engine_answers_with_sync_and_async_tools(tmp_path):
    @tool
    async def rome() -> str:
        return "21 °C, sun"

    calls = [ToolCall("call_1", "weather", '{"city": "Oslo"}'), ToolCall("call_2", "rome")]
    url = f"sqlite+aiosqlite:///{tmp_path / 'chat.db'}"
    async with (
        AsyncConversationStore.open(url) as store,
        AsyncEngine(
            store, tools=[weather, rome], models={"m": ScriptedModel([calls, "Rain and sun."])}
        ) as engine,
    ):
        assistant = await store.assistants.create(model="m", tools=[weather, rome])
        thread = await store.threads.create(
            messages=[{"role": "user", "content": "Weather in Oslo and Rome?"}]
        )
        run = await engine.run(thread.id, assistant.id)
        run = await engine.execute(thread.id, run.id)
        assert run.status == "completed"
        messages = await store.messages.list(thread.id)
        assert [one.role for one in messages] == ["user", "assistant", "tool", "tool", "assistant"]


def test_runs_of_a_thread_answer_one_after_another(store):
    model = ScriptedModel(lambda request: f"Answer to {request.messages[-1].text}")
    thread = asked(store, "one")
    with Engine(store, models={"m": model}) as engine:
        first = engine.run(thread.id, model="m")
        store.messages.create(thread.id, role="user", content="two")
        second = engine.run(thread.id, model="m")
        engine.execute(thread.id, second.id)
        engine.execute(thread.id, first.id)
    assert shown(store.messages.list(thread.id)) == [
        ("user", "one"),
        ("assistant", "Answer to one"),
        ("user", "two"),
        ("assistant", "Answer to two"),
    ]


def test_a_run_may_answer_again_as_a_sibling(store):
    thread = asked(store)
    with Engine(store, models={"m": ScriptedModel(["First.", "Second."])}) as engine:
        run = engine.run(thread.id, model="m")
        engine.execute(thread.id, run.id)
        first = store.messages.list(thread.id)[-1]
        again = engine.run(thread.id, model="m", regenerates=first.id)
        engine.execute(thread.id, again.id)
    second = store.messages.list(thread.id)[-1]
    assert (second.text, second.sibling_index, second.sibling_count) == ("Second.", 2, 2)
    assert second.parent_id == first.parent_id


def test_an_edited_question_is_asked_again(store):
    thread = asked(store, "one")
    question = store.messages.list(thread.id)[0]
    model = ScriptedModel(lambda request: request.messages[-1].text.upper())
    with Engine(store, models={"m": model}) as engine:
        engine.execute(thread.id, engine.run(thread.id, model="m").id)
        store.messages.edit(thread.id, question.id, content="two")
        engine.execute(thread.id, engine.run(thread.id, model="m").id)
    assert shown(store.messages.list(thread.id)) == [("user", "two"), ("assistant", "TWO")]


async def test_an_answer_in_one_breath_is_written_once(tmp_path):
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    async with (
        AsyncConversationStore.open(url) as store,
        AsyncEngine(store, models={"m": ScriptedModel(["It rains in Oslo."])}) as engine,
    ):
        thread = await store.threads.create(messages=[{"role": "user", "content": "Weather?"}])
        run = await engine.run(thread.id, model="m")
        assert (await engine.execute(thread.id, run.id)).status == "completed"
        told = [event.type async for event in store.events.read(thread.id)]
        told_again = [event.type async for event in store.runs.stream(thread.id, run.id)]
    assert "MessageBegun" not in told  # no piece was shown before the whole
    assert told_again.count("message.delta") == 1
