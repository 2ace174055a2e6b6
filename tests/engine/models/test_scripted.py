"""The scripted model: what it yields, and where it waits."""

import asyncio

import pytest

from eventstore import ModelError
from eventstore.engine.models import (
    Finished,
    Gate,
    Model,
    ModelRequest,
    ScriptedModel,
    TextDelta,
    ToolCall,
    Usage,
)

REQUEST = ModelRequest("any", ())


async def answer(model: Model) -> list[object]:
    return [event async for event in model.stream(REQUEST)]


async def test_text_streams_word_by_word_and_ends_with_usage():
    model = ScriptedModel(["Four degrees,  rain."])
    assert isinstance(model, Model)
    *words, usage, end = await answer(model)
    assert words == [TextDelta("Four "), TextDelta("degrees,  "), TextDelta("rain.")]
    assert isinstance(usage, Usage)
    assert usage.output_tokens > 0
    assert end == Finished("stop")
    assert model.requests == [REQUEST]


async def test_calls_end_with_tool_calls_and_an_end_that_is_given_stays():
    calls = [ToolCall("a", "weather"), ToolCall("b", "time")]
    model = ScriptedModel([calls, ["Cut", Usage(3, 4), Finished("length")]])
    assert (await answer(model))[-1] == Finished("tool_calls")
    assert await answer(model) == [TextDelta("Cut"), Usage(3, 4), Finished("length")]


async def test_an_error_comes_where_it_stands():
    model = ScriptedModel([["One ", ModelError("server_error", "it broke", "Ask again.")]])
    stream = model.stream(REQUEST)
    assert await anext(stream) == TextDelta("One ")
    with pytest.raises(ModelError) as caught:
        await anext(stream)
    assert caught.value.code == "server_error"


async def test_a_script_that_ran_out_says_so():
    model = ScriptedModel([])
    with pytest.raises(ModelError, match="as many answers") as caught:
        await answer(model)
    assert caught.value.code == "script_ended"


async def test_a_function_answers_each_request():
    model = ScriptedModel(lambda request: request.model)
    assert (await answer(model))[0] == TextDelta("any")
    assert (await answer(model))[0] == TextDelta("any")


async def test_a_gate_holds_the_answer_until_another_thread_opens_it():
    gate = Gate()
    model = ScriptedModel([["One ", gate, "two"]])
    task = asyncio.create_task(answer(model))
    assert await asyncio.to_thread(gate.reached.wait, 10)
    assert not task.done()
    await asyncio.to_thread(gate.open)
    assert [e.text for e in await task if isinstance(e, TextDelta)] == ["One ", "two"]


async def test_an_answer_that_waits_can_be_cancelled():
    gate = Gate()
    task = asyncio.create_task(answer(ScriptedModel([gate])))
    assert await asyncio.to_thread(gate.reached.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    gate.open()  # nobody waits any more
