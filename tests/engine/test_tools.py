"""Tools: their schemas, and every way in which a call can go wrong."""

import asyncio
import datetime as dt
import threading
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from eventstore import ConversationStore, ImagePart, InvalidInput
from eventstore.engine import Engine, ToolAnswer, ToolContext, tool
from eventstore.engine.models import ScriptedModel, ToolCall


class Place(BaseModel):
    city: str
    country: str = "NO"


def called(store, thread, given, arguments="{}", **options):
    """The result that a model sees after it called a tool."""
    model = ScriptedModel([[ToolCall("call_1", given.name, arguments)], "Done."])
    with Engine(store, tools=[given], models={"m": model}, **options) as engine:
        run = engine.run(thread.id, model="m", tools=[given])
        run = engine.execute(thread.id, run.id)
    assert run.status == "completed"
    [result] = model.requests[1].messages[-1].content
    return result


# -- schemas ---------------------------------------------------------------------------------------


def test_the_schema_comes_from_types_and_docstring():
    @tool
    def weather(
        place: Place, days: Annotated[int, Field(ge=1, description="How far ahead.")] = 1
    ) -> str:
        """Weather in a city."""
        return f"{place} {days}"

    assert weather.definition == {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Weather in a city.",
            "parameters": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "place": {"$ref": "#/$defs/Place"},
                    "days": {
                        "type": "integer",
                        "minimum": 1,
                        "default": 1,
                        "description": "How far ahead.",
                    },
                },
                "required": ["place"],
                "$defs": {
                    "Place": {
                        "type": "object",
                        "properties": {
                            "city": {"type": "string"},
                            "country": {"type": "string", "default": "NO"},
                        },
                        "required": ["city"],
                    }
                },
            },
        },
    }


def noting(seen):
    @tool
    def note(text: str, context: ToolContext) -> str:
        seen.append((text, context))
        return "noted"

    return note


def noting_typed(seen):
    @tool
    def note(text: str, context: ToolContext[ConversationStore]) -> str:
        seen.append((text, context))
        return "noted"

    return note


@pytest.mark.parametrize("made", [noting, noting_typed])
def test_the_context_is_no_parameter_of_the_model(store, made):
    seen: list[tuple[str, ToolContext]] = []
    note = made(seen)
    assert list(note.definition["function"]["parameters"]["properties"]) == ["text"]
    called(store.tenant("acme"), store.tenant("acme").threads.create(), note, '{"text": "x"}')
    [(text, context)] = seen
    assert (text, context.tenant, context.call_id) == ("x", "acme", "call_1")
    assert context.store.runs.get(context.thread_id, context.run_id).status == "completed"


def test_parameters_may_have_any_name(store, thread):
    @tool
    def odd(schema: str, copy: int, json: list[int]) -> list[object]:
        return [schema, copy, json]

    result = called(store, thread, odd, '{"schema": "s", "copy": 1, "json": [2]}')
    assert result.output == ["s", 1, [2]]


def test_arguments_become_the_types_of_the_function(store, thread):
    @tool
    def kinds(place: Place, day: dt.date, unit: Literal["C", "F"] = "C") -> list[str]:
        return [type(place).__name__, type(day).__name__, unit]

    result = called(store, thread, kinds, '{"place": {"city": "Oslo"}, "day": "2026-01-31"}')
    assert result.output == ["Place", "date", "C"]


def test_a_tool_is_still_a_function():
    @tool(name="add_up", description="Adds.", repeatable=True)
    def add(a: int, b: int) -> int:
        return a + b

    assert add(1, b=2) == 3
    assert (add.name, add.description, add.repeatable) == ("add_up", "Adds.", True)


def any_number(*values: int) -> int:
    return sum(values)


def by_place(a: int, /) -> int:
    return a


def of_unknown_type(a: threading.Lock) -> None:  # type: ignore[valid-type, unused-ignore]
    """Locks have no schema."""


@pytest.mark.parametrize("function", [any_number, by_place, of_unknown_type])
def test_a_function_that_no_model_could_call_is_refused(function):
    with pytest.raises(InvalidInput, match=f"{function.__name__} cannot be a tool"):
        tool(function)


@pytest.mark.parametrize(
    "options",
    [{"name": "no spaces"}, {"timeout_seconds": 0}, {"output_bytes_max": -1}],
)
def test_malformed_options_are_refused(options):
    with pytest.raises(InvalidInput) as refused:
        tool(**options)(test_two_tools_of_one_name_are_refused)
    assert {refused.value.field} == set(options)


def test_two_tools_of_one_name_are_refused(store):
    one, two = (tool(name="same")(function) for function in (lambda: 1, lambda: 2))
    with pytest.raises(InvalidInput, match="two are called same"):
        Engine(store, tools=[one, two])


@pytest.mark.parametrize("tools", ["weather", 1, [1]])
def test_only_tools_are_tools(store, tools):
    with pytest.raises(InvalidInput) as refused:
        Engine(store, tools=tools)
    assert refused.value.field == "tools"


# -- calls that go wrong ---------------------------------------------------------------------------


@tool
def weather(city: str) -> str:
    return f"{city}: 4 °C, rain"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('{"city": ', "not a JSON object"),
        ('"Oslo"', "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "city: Field required"),
        ('{"city": 7}', "city: Input should be a valid string"),
        ('{"city": "Oslo", "county": "x"}', "county: Extra inputs are not permitted"),
        ('{"city": NaN}', "not a JSON object"),
    ],
)
def test_malformed_arguments_become_a_failed_result(store, thread, arguments, words):
    result = called(store, thread, weather, arguments)
    assert result.status == "failed"
    assert words in result.output


def test_an_exception_becomes_a_failed_result_without_traceback(store, thread):
    @tool
    def broken() -> None:
        raise ValueError("no such place")

    result = called(store, thread, broken)
    assert (result.status, result.output) == ("failed", "ValueError: no such place")


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit])
def test_not_even_an_exit_ends_the_engine(store, thread, kind):
    @tool
    def leave() -> None:
        raise kind

    result = called(store, thread, leave)
    assert result.status == "failed"
    assert kind.__name__ in result.output


def test_an_async_tool_may_fail_or_cancel_itself(store, thread):
    @tool
    async def gone() -> None:
        raise asyncio.CancelledError

    result = called(store, thread, gone)
    assert (result.status, result.output) == ("failed", "CancelledError")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_tool_that_hangs_fails_when_its_time_is_over(store, thread, kind):
    release = threading.Event()

    @tool(name="hang", timeout_seconds=0.05)
    def hang() -> None:
        release.wait(60)

    @tool(name="hang", timeout_seconds=0.05)
    async def hang_async() -> None:
        await asyncio.Event().wait()

    result = called(store, thread, hang if kind == "sync" else hang_async)
    release.set()
    assert result.status == "failed"
    assert "did not answer within 0.05 seconds" in result.output


def test_an_output_that_is_too_long_fails(store, thread):
    @tool
    def chatter() -> str:
        return "x" * 50_000_000

    result = called(store, thread, chatter)
    assert result.status == "failed"
    assert "50,000,002 bytes, but at most 65,536" in result.output


@pytest.mark.parametrize(
    "value", [object(), float("nan"), {1: object()}, 2**80, b"\xff", "\ud800", threading.Lock()]
)
def test_an_output_that_is_not_json_fails(store, thread, value):
    @tool
    def strange() -> object:
        return value

    result = called(store, thread, strange)
    assert result.status == "failed"
    assert "not JSON" in result.output


def test_outputs_that_pydantic_knows_become_json(store, thread):
    @tool
    def known() -> object:
        return [Place(city="Oslo"), dt.date(2026, 1, 31), {"a"}]

    result = called(store, thread, known)
    assert result.output == [{"city": "Oslo", "country": "NO"}, "2026-01-31", ["a"]]


def test_a_tool_answers_with_an_image_beside_its_output(store, thread):
    @tool
    def draw() -> ToolAnswer:
        return ToolAnswer({"ok": True}, parts=(ImagePart(url="data:image/png;base64,AA=="),))

    model = ScriptedModel([[ToolCall("call_1", "draw")], "Done."])
    with Engine(store, tools=[draw], models={"m": model}) as engine:
        engine.execute(thread.id, engine.run(thread.id, model="m", tools=[draw]).id)
    result: Any
    result, image = model.requests[1].messages[-1].content
    assert (result.output, image.type) == ({"ok": True}, "image")


def test_a_tool_that_was_not_offered_fails_and_the_model_goes_on(store, thread):
    model = ScriptedModel([[ToolCall("call_1", "nonsense")], "Done."])
    with Engine(store, tools=[weather], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[weather])
        assert engine.execute(thread.id, run.id).status == "completed"
    result: Any
    [result] = model.requests[1].messages[-1].content
    assert (result.status, result.output) == ("failed", "There is no tool 'nonsense'.")
