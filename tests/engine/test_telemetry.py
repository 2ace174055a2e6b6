"""Spans of runs, model calls and tool calls, with the names of the GenAI conventions."""

from typing import Any

from opentelemetry.trace import StatusCode

from eventstore import AsyncConversationStore, ConversationStore, ModelError
from eventstore.engine import AsyncEngine, Engine, telemetry, tool
from eventstore.engine.models import ScriptedModel, ToolCall, Usage
from eventstore.engine.models.scripted import Item

WORDS = "the words of a user"
CALLS: list[Item] = [
    ToolCall("c1", "weather", f'{{"city": "{WORDS}"}}'),
    ToolCall("c2", "broken"),
    Usage(9, 4),
]


@tool
def weather(city: str) -> str:
    """Weather in a city."""
    return f"{WORDS}: rain in {city}"


@tool
def broken() -> str:
    """Fail."""
    raise RuntimeError(WORDS)


TOOLS: list[Any] = [weather, broken]
DEFINITIONS = [one.definition for one in TOOLS]
QUESTION = [{"role": "user", "content": WORDS}]


def check(spans, run, model):
    names = ("execute_tool broken", "execute_tool weather", "invoke_agent")
    assert sorted(spans) == [f"chat {model}", *names]
    agent, chat = spans["invoke_agent"], spans[f"chat {model}"]
    for name, span in spans.items():
        assert name == "invoke_agent" or span.parent.span_id == agent.context.span_id
        assert WORDS not in span.to_json()
    assert agent.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert agent.attributes["gen_ai.conversation.id"] == run.thread_id
    assert agent.attributes["eventstore.run.id"] == run.id
    assert chat.attributes["gen_ai.provider.name"] == "scripted"
    assert chat.attributes["gen_ai.usage.output_tokens"] > 0
    assert chat.attributes["gen_ai.response.finish_reasons"] == ("stop",)  # of the last one
    assert spans["execute_tool weather"].attributes["gen_ai.tool.call.id"] == "c1"
    assert spans["execute_tool weather"].status.status_code is StatusCode.UNSET
    assert spans["execute_tool broken"].status.status_code is StatusCode.ERROR
    assert spans["execute_tool broken"].attributes["error.type"] == "failed"


def test_an_engine_tells_of_its_work(spans):
    model = ScriptedModel([CALLS, WORDS])
    with (
        ConversationStore.open("sqlite://") as store,
        Engine(store, tools=TOOLS, models={"m": model}) as engine,
    ):
        thread = store.threads.create(messages=QUESTION)
        run = engine.run(thread.id, model="m", tools=DEFINITIONS)
        engine.execute(thread.id, run.id)
    check(spans(), run, "scripted")


async def test_an_async_engine_tells_the_same(spans):
    model = ScriptedModel([CALLS, WORDS])
    async with (
        AsyncConversationStore.open("sqlite://") as store,
        AsyncEngine(store, tools=TOOLS, models={"m": model}) as engine,
    ):
        thread = await store.threads.create(messages=QUESTION)
        run = await engine.run(thread.id, model="m", tools=DEFINITIONS)
        await engine.execute(thread.id, run.id)
    check(spans(), run, "scripted")


def test_a_failure_shows_its_code_and_no_words(spans):
    model = ScriptedModel([ModelError("rate_limit_exceeded", WORDS, WORDS)])
    with (
        ConversationStore.open("sqlite://") as store,
        Engine(store, models={"m": model}) as engine,
    ):
        thread = store.threads.create(messages=QUESTION)
        engine.execute(thread.id, engine.run(thread.id, model="m").id)
    chat = spans()["chat scripted"]
    assert chat.attributes["error.type"] == "rate_limit_exceeded"
    assert chat.status.status_code is StatusCode.ERROR
    assert WORDS not in chat.to_json()


def test_without_opentelemetry_nothing_happens(monkeypatch):
    monkeypatch.setattr(telemetry, "_trace", None)
    with telemetry.tool_call("weather", "c1") as span:
        span.add(Usage(1, 2))
        span.failed("failed")
