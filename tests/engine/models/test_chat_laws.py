"""Messages become chat messages and come back as they were; a model always sees the same."""

import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from eventstore import (
    DataPart,
    FilePart,
    ImagePart,
    ModelError,
    ProviderForm,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.conversation.parts import Part
from eventstore.engine.models.arguments import arguments_of, arguments_text
from eventstore.engine.models.chat import from_chat, to_chat
from eventstore.testing import json_values, texts

OPENAI = TypeAdapter(ChatCompletionMessageParam)


@dataclass(frozen=True)
class Said:
    role: str
    content: tuple[Part, ...]
    name: str | None = None
    provider: ProviderForm | None = None
    id: str = "msg_0"


words = texts().filter(bool)
text_parts = st.builds(TextPart, text=words)
call_ids = st.from_regex(r"call_[a-zA-Z0-9]{1,8}", fullmatch=True)
objects = st.dictionaries(texts(), json_values(), max_size=3)
malformed = texts().filter(lambda text: isinstance(arguments_of(text), str))
user_parts = (
    text_parts
    | st.builds(ImagePart, url=words, detail=st.sampled_from([None, "low", "high"]))
    | st.builds(FilePart, file_id=words, name=st.none() | words)
)
answer_parts = text_parts | st.builds(RefusalPart, text=words)
tool_calls = st.builds(
    ToolCallPart,
    id=call_ids,
    name=st.sampled_from(["weather", "time"]),
    arguments=objects | malformed,
)
results = st.builds(
    ToolResultPart,
    call_id=call_ids,
    output=json_values(),
    status=st.sampled_from(["completed", "failed", "cancelled"]),
)


def unique(parts):
    return st.lists(parts, max_size=3, unique_by=lambda part: part.id)


answers = st.builds(
    lambda thoughts, said, calls: Said("assistant", (*thoughts, *said, *calls)),
    st.lists(st.builds(ReasoningPart, text=words), max_size=1),
    st.lists(answer_parts, max_size=3),
    unique(tool_calls),
)
questions = st.builds(
    Said,
    st.sampled_from(["user", "system"]).filter(lambda role: role == "user"),
    st.lists(user_parts, min_size=1, max_size=4).map(tuple),
)
systems = st.builds(Said, st.just("system"), st.lists(text_parts, min_size=1).map(tuple))
tools = st.builds(Said, st.just("tool"), st.lists(results, min_size=1, max_size=3).map(tuple))
anything = st.builds(
    Said,
    st.sampled_from(["user", "assistant", "system"]),
    st.lists(user_parts | answer_parts | st.builds(DataPart, data=json_values()), max_size=4).map(
        tuple
    ),
)


@given(questions | answers | systems)
def test_a_message_comes_back_as_it_was(said):
    (chat,) = to_chat(said, reasoning="reasoning_content")
    assert from_chat(json.loads(json.dumps(chat))) == (said.role, said.content)


@given(questions | answers | systems | tools | anything)
def test_a_model_sees_the_same_of_what_came_back(said):
    chats = to_chat(said, reasoning="reasoning_content")
    back = [Said(*from_chat(chat)) for chat in chats]
    assert [to_chat(again, reasoning="reasoning_content")[0] for again in back] == chats


@given(questions | answers | systems | tools | anything)
def test_each_chat_message_is_one_of_the_openai_sdk(said):
    for chat in to_chat(said):
        OPENAI.validate_python(chat, strict=True)
        content = chat["content"]  # a type of the SDK takes an iterator for a list
        assert isinstance(content, str | list) or (content is None and chat["tool_calls"])


@given(answers)
def test_arguments_are_always_a_json_object_for_the_endpoint(said):
    for call in to_chat(said)[0].get("tool_calls", ()):
        assert isinstance(json.loads(call["function"]["arguments"]), dict)


@given(objects)
def test_arguments_that_are_an_object_become_it(arguments):
    assert arguments_of(arguments_text(arguments)) == arguments or set(arguments) == {
        "INVALID_JSON"
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"city": "Os',
        "Oslo",
        '"Oslo"',
        "[1]",
        '{"a": NaN}',
        '{"n": 99999999999999999999}',
        '{"a": "\\ud800"}',
        '{"a":' * 5000 + "1" + "}" * 5000,
    ],
)
def test_arguments_that_cannot_be_stored_as_an_object_stay_the_text(text):
    assert arguments_of(text) == text
    assert arguments_of(arguments_text(text)) == text


def test_empty_arguments_are_an_empty_object():
    assert arguments_of("") == arguments_of(" \n") == {}
    assert arguments_text(None) == "{}"


FORM = {"role": "assistant", "content": "Hi", "reasoning_details": [{"signature": "abc"}]}


def test_the_providers_own_form_is_sent_as_it_is():
    form = ProviderForm(format="openai.chat", data=json.dumps(FORM).encode())
    said = Said("assistant", (TextPart(text="Hi"),), provider=form)
    assert to_chat(said) == [FORM]


def test_a_form_of_another_provider_or_with_other_calls_is_not_sent():
    plain = [{"role": "assistant", "content": "Hi"}]
    said = Said("assistant", (TextPart(text="Hi"),))
    other = ProviderForm(format="anthropic.messages", data=b"no JSON")
    assert to_chat(replace(said, provider=other)) == plain
    called = {**FORM, "tool_calls": [{"id": "call_x"}]}
    stale = ProviderForm(format="openai.chat", data=json.dumps(called).encode())
    assert to_chat(replace(said, provider=stale)) == plain


def test_a_result_that_failed_says_so():
    failed = ToolResultPart(call_id="a", output="no network", status="failed")
    cancelled = ToolResultPart(call_id="b", status="cancelled")
    assert [chat["content"] for chat in to_chat(Said("tool", (failed, cancelled)))] == [
        '{"status": "failed", "output": "no network"}',
        '{"status": "cancelled"}',
    ]


def test_pictures_of_a_tool_are_left_out_and_its_texts_are_not():
    result = ToolResultPart(call_id="a", output={"files": ["plot.png"]})
    picture = ImagePart(url="data:image/png;base64,AAAA")
    said = Said("tool", (result, picture, TextPart(text="Done.")))
    assert [chat["content"] for chat in to_chat(said)] == ['{"files": ["plot.png"]}\nDone.']


def test_an_image_without_an_address_is_refused_with_a_code():
    with pytest.raises(ModelError, match="resolve_image") as caught:
        to_chat(Said("user", (ImagePart(file_id="secret-name"),)))
    assert caught.value.code == "unsupported_content"
    assert "secret-name" not in str(caught.value)


def test_an_assistant_shows_pictures_as_words():
    parts = (ImagePart(url="data:image/png;base64,AAAA"), ImagePart(file_id="f1"))
    assert to_chat(Said("assistant", parts)) == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "[image data:image/png;base64]"},
                {"type": "text", "text": "[image f1]"},
            ],
        }
    ]


def test_a_name_is_sent_if_endpoints_take_it():
    said = Said("user", (TextPart(text="Hi"),), name="Ada")
    assert to_chat(said)[0]["name"] == "Ada"
    assert "name" not in to_chat(replace(said, name="Ada Lovelace"))[0]
