"""The adapter to OpenAI-compatible endpoints, against a server that also has bad days."""

import asyncio
import json

import pytest

from eventstore import ImagePart, ModelError, RefusalPart, TextPart, ToolCallPart, ToolResultPart
from eventstore.engine.models import (
    Finished,
    ModelRequest,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
    Usage,
    content_of,
)
from eventstore.engine.models.chat import to_chat
from eventstore.engine.models.openai_chat import OpenAIModel
from eventstore.engine.settings import RunSettings
from eventstore.testing.model_server import Reply, calls, chunk, refuses, says
from tests.engine.models.conftest import KEY, asked, message

WORDS = "the words of a user"
SETTINGS = {
    "temperature": 0.5,
    "max_completion_tokens": 9,
    "parallel_tool_calls": False,
    "top_k": 3,
}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


async def failure(model, request=None, events=None):
    with pytest.raises(ModelError) as caught:
        await asked(model, request, events=events)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None, "the SDK's error holds words"
    assert KEY not in f"{error!r} {error.__dict__}"
    assert WORDS not in f"{error!r} {error.__dict__}"
    return error


async def test_text_streams_as_it_arrives_and_ends_with_the_reported_usage(serving):
    with serving([says("Four degrees, rain.")]) as (server, model):
        assert await asked(model) == [
            TextDelta("Four "),
            TextDelta("degrees, "),
            TextDelta("rain."),
            Usage(7, 5),
            Finished("stop"),
        ]
    assert server.requests[0]["stream"] is True
    assert server.requests[0]["stream_options"] == {"include_usage": True}


async def test_two_parallel_calls_come_whole_and_in_order(serving):
    reply = calls(("a", "weather", '{"city": "Oslo"}'), ("b", "no_such_tool", "{half"))
    with serving([reply]) as (_, model):
        assert await asked(model) == [
            ToolCall("a", "weather", '{"city": "Oslo"}'),
            ToolCall("b", "no_such_tool", "{half"),
            Usage(9, 4),
            Finished("tool_calls"),
        ]


async def test_the_request_holds_instructions_messages_tools_and_settings(serving):
    request = ModelRequest(
        "any",
        (
            message("user", TextPart(text="Look:"), ImagePart(file_id="f1")),
            message("assistant", ToolCallPart(id="a", name="weather", arguments={"city": "Oslo"})),
            message("tool", ToolResultPart(call_id="a", output={"degrees": 4})),
        ),
        instructions="Be brief.",
        tools=(WEATHER,),
        settings=RunSettings.model_validate(SETTINGS),
    )
    image = {"resolve_image": lambda part: f"https://pictures.example/{part.file_id}"}
    with serving([says("Yes.")], max_tokens_field="max_tokens", **image) as (server, model):
        await asked(model, request)
    (sent,) = server.requests
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image_url", "image_url": {"url": "https://pictures.example/f1"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "a",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": '{"degrees": 4}'},
    ]
    assert sent["tools"] == [WEATHER]
    given = ("model", "temperature", "max_tokens", "parallel_tool_calls", "top_k")
    assert [sent[name] for name in given] == ["tiny", 0.5, 9, False, 3]
    assert "top_p" not in sent
    assert "tool_choice" not in sent


async def test_reasoning_with_a_signature_survives_and_is_sent_back_as_it_came(serving):
    def signed(text, **more):
        return {"index": 0, "type": "reasoning.text", "text": text, **more}

    deltas = [
        {"reasoning": "It ", "reasoning_details": [signed("It ")]},
        {"reasoning": "rains.", "reasoning_details": [signed("rains.", signature="c2ln")]},
    ]
    with serving([says("Rain.", deltas=deltas)]) as (_, model):
        events = await asked(model)
    assert events[:2] == [ReasoningDelta("It "), ReasoningDelta("rains.")]
    form = events[-1].provider
    answer = message("assistant", *content_of(events), provider=form)
    assert [part.type for part in answer.content] == ["reasoning", "text"]
    assert to_chat(answer) == [
        {
            "role": "assistant",
            "content": "Rain.",
            "reasoning": "It rains.",
            "reasoning_details": [signed("It rains.", signature="c2ln")],
        }
    ]


async def test_a_plain_answer_needs_no_form_of_its_provider(serving):
    with serving([says("Rain."), calls(("a", "weather", "{}"))]) as (_, model):
        assert (await asked(model))[-1].provider is None


async def test_a_refusal_survives(serving):
    deltas = [{"refusal": "I will "}, {"refusal": "not."}]
    with serving([says("", deltas=deltas)]) as (_, model):
        events = await asked(model)
    assert events[:2] == [RefusalDelta("I will "), RefusalDelta("not.")]
    assert content_of(events) == (RefusalPart(text="I will not."),)


async def test_an_answer_that_was_cut_off_calls_nothing(serving):
    cut = calls(("a", "delete_all", '{"really": "no'), text="I ")
    frames = [*cut.frames[:-2], chunk(finish="length"), cut.frames[-1]]
    with serving([type(cut)(frames=tuple(frames))]) as (_, model):
        assert await asked(model) == [TextDelta("I "), Usage(9, 4), Finished("length")]


async def test_calls_without_ids_get_some_and_odd_servers_are_understood(serving):
    whole = {"id": "", "function": {"name": "weather", "arguments": ""}}
    deltas = [{"tool_calls": [whole]}, {"tool_calls": [{**whole, "id": "b"}]}]
    with serving([says("", deltas=deltas, finish="stop", usage=None)]) as (_, model):
        first, second, end = await asked(model)
    assert first.id
    assert second.id == "b"
    assert {first.arguments, second.arguments} == {"{}"}
    assert end == Finished("tool_calls")


async def test_an_overload_and_a_failure_are_asked_again_after_the_pause_asked_for(serving, pauses):
    script = [refuses(429, retry_after=7), refuses(500), refuses(503), says("Here.")]
    with serving(script) as (server, model):
        assert content_of(await asked(model)) == (TextPart(text="Here."),)
    assert len(server.requests) == 4
    assert pauses[0] == 7
    assert all(0 <= pause <= 30 for pause in pauses)


async def test_the_pause_may_be_given_as_a_date(serving, pauses):
    wait = refuses(429, retry_after="Wed, 01 Jan 2025 00:00:09 GMT")
    wait = type(wait)(429, {**wait.headers, "Date": "Wed, 01 Jan 2025 00:00:00 GMT"}, wait.error)
    with serving([wait, says("Here.")]) as (_, model):
        await asked(model)
    assert pauses == [9]


async def test_a_pause_of_an_hour_is_not_waited_for(serving, pauses):
    with serving([refuses(429, retry_after=3600)]) as (server, model):
        error = await failure(model)
    assert (error.code, error.retry_after_seconds, pauses) == ("rate_limit_exceeded", 3600, [])
    assert len(server.requests) == 1


async def test_attempts_end(serving, pauses):
    with serving([refuses(500)] * 5) as (server, model):
        error = await failure(model)
    assert (error.code, len(server.requests), len(pauses)) == ("server_error", 4, 3)


@pytest.mark.parametrize("shown", [0, 1])
@pytest.mark.parametrize(
    "broken",
    [
        lambda reply, shown: reply.ending("cut", shown),
        lambda reply, shown: reply.ending("done", shown),  # a proxy closes it politely
        lambda reply, shown: type(reply)(frames=(*reply.frames[:shown], b'{"choices": [{"del')),
        lambda reply, shown: type(reply)(
            frames=(*reply.frames[:shown], b'{"error": {"message": "m", "type": "server_error"}}')
        ),
    ],
    ids=["cut", "no end", "half a document", "error frame"],
)
async def test_a_stream_that_breaks_before_the_first_token_is_asked_again(serving, broken, shown):
    with serving([broken(says("Here."), shown), says("Here.")]) as (server, model):
        assert content_of(await asked(model)) == (TextPart(text="Here."),)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (lambda reply: reply.ending("cut", 2), "unreachable"),
        (lambda reply: reply.ending("done", 2), "stream_broken"),
        (lambda reply: type(reply)(frames=(*reply.frames[:2], b'{"cho')), "stream_broken"),
    ],
    ids=["cut", "no end", "half a document"],
)
async def test_a_stream_that_breaks_later_is_an_error_behind_what_was_shown(serving, broken, code):
    with serving([broken(says("One two")), says("Never.")]) as (server, model):
        events: list[object] = []
        error = await failure(model, events=events)
    assert events == [TextDelta("One ")]
    assert error.code == code
    assert len(server.requests) == 1


async def test_a_stream_that_breaks_behind_the_end_lacks_the_usage_alone(serving):
    reply = says("Here.", usage=None).ending("cut")
    with serving([reply]) as (_, model):
        assert await asked(model) == [TextDelta("Here."), Finished("stop")]


@pytest.mark.parametrize(
    "frame",
    [
        {"choices": "a"},
        {"choices": [5]},
        {"choices": {"0": {}}},
        {"choices": [{"index": 0, "delta": "a"}]},
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": 5}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [5]}}]},
        {"choices": [], "usage": {"prompt_tokens": "many"}},
    ],
    ids=str,
)
async def test_frames_of_another_shape_are_no_answer(serving, frame, pauses):
    del pauses
    reply = Reply(frames=(json.dumps(frame).encode(),))
    with serving([reply] * 4) as (server, model):
        assert (await failure(model)).code == "stream_broken"
    assert len(server.requests) == 4


async def test_silence_ends_in_a_timeout(serving):
    reply = says("One two").ending("silence", 2)
    with serving([reply], timeout_seconds=0.2) as (server, model):
        events: list[object] = []
        error = await failure(model, events=events)
        assert server.dropped.wait(10)
    assert events == [TextDelta("One ")]
    assert error.code == "timeout"


async def test_closing_the_answer_hangs_up(serving):
    with serving([says("One two").ending("silence", 2)]) as (server, model):
        stream = model.stream(ModelRequest("tiny", (message("user"),)))
        assert await anext(stream) == TextDelta("One ")
        await stream.aclose()
        assert await asyncio.to_thread(server.dropped.wait, 10)
        await model.aclose()


async def test_cancelling_the_task_hangs_up_even_before_the_first_token(serving):
    with serving([says("One").ending("silence", 0)]) as (server, model):
        task = asyncio.create_task(asked(model))
        assert await asyncio.to_thread(server.asked.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.dropped.wait, 10)


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refuses(400, message=f"{WORDS} {KEY}"), "bad_request"),
        (refuses(400, code="context_length_exceeded", message=WORDS), "context_length_exceeded"),
        (refuses(400, message="Range of input length should be [1, 9]"), "context_length_exceeded"),
        (refuses(403, message=WORDS), "permission_denied"),
        (refuses(404, code="model_not_found", message=WORDS), "model_not_found"),
        (refuses(429, code="insufficient_quota", message=WORDS), "rate_limit_exceeded"),
    ],
    ids=["400", "its code", "its words", "403", "404", "no quota"],
)
async def test_a_refusal_has_a_code_and_none_of_the_words(serving, reply, code):
    request = ModelRequest("tiny", (message("user", TextPart(text=WORDS)),))
    with serving([reply]) as (server, model):
        error = await failure(model, request)
    assert (error.code, error.retryable) == (code, False)
    assert "req-1" in str(error)
    assert "tiny at 127.0.0.1" in str(error)
    assert len(server.requests) == 1


async def test_a_wrong_key_has_a_code(serving):
    with serving([says("Never.")], api_key="sk-other") as (_, model):
        error = await failure(model)
    assert error.code == "invalid_api_key"
    assert "sk-other" not in str(error)


@pytest.mark.parametrize("key", ["", "  ", "sk-ключ", "sk-a\nb"])
def test_a_key_that_no_header_can_hold_is_refused_at_once(key):
    with pytest.raises(ModelError) as caught:
        OpenAIModel("tiny", api_key=key)
    assert caught.value.code == "invalid_api_key"


async def test_an_endpoint_that_is_down_has_a_code(serving, pauses):
    with serving([]) as (_, model):
        pass
    error = await failure(model)
    assert error.code == "unreachable"
    assert len(pauses) == 3


async def test_settings_cannot_replace_what_the_adapter_sends(serving):
    request = ModelRequest(
        "tiny", (message("user"),), settings=RunSettings.model_validate({"stream": False})
    )
    with serving([]) as (_, model):
        error = await failure(model, request)
    assert error.code == "bad_request"
    assert "stream" in str(error)


async def test_a_form_is_sent_back_byte_for_byte_in_a_round_of_tools(serving):
    deltas = [{"reasoning_content": "Ask."}]
    with serving([says("One.", deltas=deltas), says("Two.")]) as (server, model):
        events = [event async for event in model.stream(ModelRequest("t", (message("user"),)))]
        form = events[-1].provider
        path = (message("user"), message("assistant", *content_of(events), provider=form))
        await asked(model, ModelRequest("t", (*path, message("user"))))
    assert server.requests[1]["messages"][1] == json.loads(form.data)
