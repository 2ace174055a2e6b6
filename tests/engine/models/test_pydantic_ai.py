"""The adapter to pydantic-ai: over a real provider of it, and its messages as pure functions."""

from contextlib import contextmanager

import pytest
from pydantic_ai import messages as theirs
from pydantic_ai.models.function import DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from eventstore import (
    FilePart,
    ImagePart,
    ModelError,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.engine.models import (
    Finished,
    ModelRequest,
    Models,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
    content_of,
)
from eventstore.engine.models.pydantic_ai import PydanticAIModel
from eventstore.engine.models.pydantic_messages import form_of, to_pydantic
from eventstore.engine.models.retrying import Retries
from eventstore.engine.settings import RunSettings
from eventstore.testing.model_server import ModelServer, calls, refuses, says
from tests.engine.models.conftest import KEY, asked, message

WORDS = "the words of a user"
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture
def serving(pauses):
    async def sleep(seconds):
        pauses.append(seconds)

    @contextmanager
    def serve(script, key=KEY):
        with ModelServer(script, key=KEY) as server:
            provider = OpenAIProvider(base_url=server.base_url, api_key=key)
            model = OpenAIChatModel("tiny", provider=provider)
            yield server, PydanticAIModel(model, retries=Retries(sleep=sleep))

    return serve


async def test_text_streams_with_usage(serving):
    with serving([says("Four degrees.")]) as (_, model):
        events = await asked(model)
    assert events == [TextDelta("Four "), TextDelta("degrees."), Usage(7, 5), Finished("stop")]


async def test_two_calls_and_the_next_round(serving):
    reply = calls(("a", "weather", '{"city": "Oslo"}'), ("b", "time", "{}"))
    settings = RunSettings.model_validate({"max_completion_tokens": 9, "tool_choice": "required"})
    path = [message("user", TextPart(text="Weather?"))]
    with serving([reply, says("Rain.")]) as (server, model):
        request = ModelRequest("any", tuple(path), "Be brief.", (WEATHER,), settings)
        events = [event async for event in model.stream(request)]
        assert events == [
            ToolCall("a", "weather", '{"city": "Oslo"}'),
            ToolCall("b", "time", "{}"),
            Usage(9, 4),
            Finished("tool_calls"),
        ]
        path += [
            message("assistant", *content_of(events)),
            message("tool", ToolResultPart(call_id="a", output={"degrees": 4})),
            message("tool", ToolResultPart(call_id="b", output="10:00", status="failed")),
        ]
        await asked(model, ModelRequest("any", tuple(path), "Be brief."))
    first, second = server.requests
    assert first["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (first["max_completion_tokens"], first["tool_choice"]) == (9, "required")
    assert [m["role"] for m in second["messages"]] == [
        *("system", "user", "assistant", "tool", "tool")
    ]
    assert second["messages"][3]["content"] == '{"degrees": 4}'


async def test_an_overload_is_asked_again_by_this_layer_alone(serving, pauses):
    with serving([refuses(429, retry_after=7), refuses(500), says("Here.")]) as (server, model):
        assert content_of(await asked(model)) == (TextPart(text="Here."),)
    assert len(server.requests) == 3
    assert pauses[0] == 7


@pytest.mark.parametrize("shown", [0, 1])
async def test_a_stream_that_breaks_before_the_first_token_is_asked_again(serving, shown):
    with serving([says("Here.").ending("cut", shown), says("Here.")]) as (server, model):
        assert content_of(await asked(model)) == (TextPart(text="Here."),)
    assert len(server.requests) == 2


async def test_a_stream_that_breaks_later_is_an_error(serving):
    events: list[object] = []
    with serving([says("One two").ending("cut", 2)]) as (server, model):
        with pytest.raises(ModelError) as caught:
            await asked(model, events=events)
        assert len(server.requests) == 1
    assert events == [TextDelta("One ")]
    assert caught.value.code == "unreachable"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refuses(400, message=WORDS), "bad_request"),
        (refuses(404, code="model_not_found", message=WORDS), "model_not_found"),
        (refuses(400, code="context_length_exceeded", message=WORDS), "context_length_exceeded"),
    ],
    ids=["400", "404", "too long"],
)
async def test_a_refusal_has_a_code_and_none_of_the_words(serving, reply, code):
    with serving([reply]) as (_, model), pytest.raises(ModelError) as caught:
        await asked(model)
    assert caught.value.code == code
    assert WORDS not in f"{caught.value!r} {caught.value.__dict__}"
    assert caught.value.__context__ is None


async def test_a_wrong_key_has_a_code(serving):
    with serving([], key="sk-other") as (_, model), pytest.raises(ModelError) as caught:
        await asked(model)
    assert caught.value.code == "invalid_api_key"
    assert "sk-other" not in str(caught.value)


@pytest.mark.parametrize("name", ["no-such:model", "anthropic:claude-sonnet-4-5"])
def test_a_model_that_cannot_be_made_has_a_code(name):
    with pytest.raises(ModelError) as caught:
        Models(environment={}).resolve(name)
    assert caught.value.code in {"unknown_model", "missing_dependency"}
    assert caught.value.__context__ is None


async def test_thoughts_and_calls_of_any_provider_are_understood():
    async def stream(_messages, _info):
        yield {0: DeltaThinkingPart(content="It "), 1: DeltaThinkingPart(content="")}
        yield {0: DeltaThinkingPart(content="rains.", signature="c2ln")}
        yield {2: DeltaToolCall(name="weather", json_args='{"city"', tool_call_id="a")}
        yield {2: DeltaToolCall(json_args=': "Oslo"}')}

    model = PydanticAIModel(FunctionModel(stream_function=stream))
    request = ModelRequest("any", (message("user"),), tools=(WEATHER,))
    *thoughts, call, usage, end = await asked(model, request)
    assert thoughts == [ReasoningDelta("It "), ReasoningDelta("rains.")]
    assert call == ToolCall("a", "weather", '{"city": "Oslo"}')
    assert isinstance(usage, Usage)
    assert isinstance(end, Finished)
    answer = message("assistant", *content_of([*thoughts, call]), provider=end.provider)
    back = to_pydantic([message("user"), answer], None, "any")[1]
    assert isinstance(back, theirs.ModelResponse)
    thought = back.parts[0]
    assert isinstance(thought, theirs.ThinkingPart)
    assert (thought.content, thought.signature) == ("It rains.", "c2ln")
    assert form_of(back) == end.provider, "byte for byte"


def test_a_plain_answer_needs_no_form_of_its_provider():
    text, call = theirs.TextPart("Hi"), theirs.ToolCallPart("weather", "{}", "a")
    assert form_of(theirs.ModelResponse([text, call])) is None


def test_all_parts_reach_pydantic_ai():
    path = [
        message("system", TextPart(text="Rules.")),
        message(
            "user",
            TextPart(text="Look:"),
            ImagePart(url="https://pictures.example/a.png"),
            ImagePart(url="data:image/png;base64,AAAA"),
            FilePart(file_id="https://files.example/a.pdf"),
            FilePart(file_id="file-1", media_type="application/pdf"),
        ),
        message(
            "assistant",
            ReasoningPart(text="Hm."),
            ToolCallPart(id="a", name="weather", arguments="{half"),
        ),
        message("tool", ToolResultPart(call_id="a", status="cancelled")),
    ]
    first, answer, last = to_pydantic(path, "Be brief.", "openai")
    assert isinstance(first, theirs.ModelRequest)
    assert [type(part).__name__ for part in first.parts] == ["SystemPromptPart", "UserPromptPart"]
    prompt = first.parts[1]
    assert isinstance(prompt, theirs.UserPromptPart)
    assert [type(item).__name__ for item in prompt.content] == [
        *("str", "ImageUrl", "BinaryImage", "DocumentUrl", "UploadedFile")
    ]
    assert answer.parts[0] == theirs.ThinkingPart("Hm.")
    call, result = answer.parts[1], last.parts[0]
    assert isinstance(call, theirs.ToolCallPart)
    assert call.args == {"INVALID_JSON": "{half"}
    assert isinstance(result, theirs.ToolReturnPart)
    assert (result.tool_name, result.outcome) == ("weather", "interrupted")
    assert isinstance(last, theirs.ModelRequest)
    assert last.instructions == "Be brief."


def test_an_image_without_an_address_is_refused_with_a_code():
    with pytest.raises(ModelError) as caught:
        to_pydantic([message("user", ImagePart(file_id="f1"))], None, "openai")
    assert caught.value.code == "unsupported_content"
