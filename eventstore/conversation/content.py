"""Content of a message: a list of typed parts.

``content="…"`` is one text part. Parts are frozen pydantic models. :func:`packed` turns callers'
values into their stored form, and :func:`from_stored` turns them back. A plain text part, the most
frequent kind, is stored as a bare string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from eventstore.core.json_values import check_json, check_text
from eventstore.core.trusted import trusted
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value
from eventstore.errors import InvalidInput

__all__ = [
    "Content",
    "ContentPart",
    "DataPart",
    "FilePart",
    "ImagePart",
    "Part",
    "ReasoningPart",
    "RefusalPart",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
    "check_role_of_tools",
    "from_stored",
    "packed",
    "parse",
    "parts_and_text",
    "text_of",
]

_CALLS_MAX: Final = 128
_CALL_ID: Final = r"^[^\x00-\x1f\x7f]*$"
"""No control characters: one column holds the open calls, separated by a control character."""


class _Part(Value):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class TextPart(_Part):
    """Text."""

    type: Literal["text"] = "text"
    """Kind of part."""
    text: Unshown[str] = Field(min_length=1)
    """The text; not empty."""


class ImagePart(_Part):
    """An image, by address or by the application's file id; exactly one of the two."""

    type: Literal["image"] = "image"
    """Kind of part."""
    url: Unshown[str | None] = None
    """Address of the image."""
    file_id: Unshown[str | None] = None
    """The application's own id of the image."""
    detail: str | None = None
    """Level of detail for the model: for example ``"low"`` or ``"high"``."""

    @model_validator(mode="after")
    def _one_source(self) -> ImagePart:
        if (self.url is None) == (self.file_id is None):
            message = "give either url or file_id"
            raise ValueError(message)
        return self


class FilePart(_Part):
    """A file, by the application's own id or address."""

    type: Literal["file"] = "file"
    """Kind of part."""
    file_id: Unshown[str] = Field(min_length=1)
    """The application's own id or address of the file."""
    name: Unshown[str | None] = None
    """Name of the file."""
    media_type: str | None = None
    """Media type, for example ``"application/pdf"``."""


class ToolCallPart(_Part):
    """A model asks for a tool."""

    type: Literal["tool_call"] = "tool_call"
    """Kind of part."""
    id: str = Field(min_length=1, max_length=255, pattern=_CALL_ID)
    """The provider's id of the call, whatever its shape."""
    name: str = Field(min_length=1)
    """Name of the tool."""
    arguments: Unshown[Any] = None
    """Arguments as JSON."""


class ToolResultPart(_Part):
    """The answer of a tool to a call."""

    type: Literal["tool_result"] = "tool_result"
    """Kind of part."""
    call_id: str = Field(min_length=1, max_length=255, pattern=_CALL_ID)
    """Id of the call that it answers."""
    output: Unshown[Any] = None
    """Any JSON value."""
    status: Literal["completed", "failed", "cancelled"] = "completed"
    """Outcome of the call."""


class ReasoningPart(_Part):
    """Thoughts that a model had before it answered."""

    type: Literal["reasoning"] = "reasoning"
    """Kind of part."""
    text: Unshown[str]
    """The thoughts."""


class RefusalPart(_Part):
    """A model declined to answer."""

    type: Literal["refusal"] = "refusal"
    """Kind of part."""
    text: Unshown[str]
    """The words of the refusal."""


class DataPart(_Part):
    """Any JSON value."""

    type: Literal["data"] = "data"
    """Kind of part."""
    data: Unshown[Any] = None
    """The value."""


Part: TypeAlias = Annotated[
    TextPart
    | ImagePart
    | FilePart
    | ToolCallPart
    | ToolResultPart
    | ReasoningPart
    | RefusalPart
    | DataPart,
    Field(discriminator="type"),
]

StoredPart: TypeAlias = str | dict[str, Any]

ContentPart: TypeAlias = (
    TextPart
    | ImagePart
    | FilePart
    | ToolCallPart
    | ToolResultPart
    | ReasoningPart
    | RefusalPart
    | DataPart
    | Mapping[str, Any]
)
"""One part as a caller may give it: a part, or a dict of its fields with ``type``."""

Content: TypeAlias = str | ContentPart | Sequence[str | ContentPart]
"""Content as a caller may give it: text, a part, or a list of texts and parts."""

_PARTS: Final[TypeAdapter[tuple[Part, ...]]] = TypeAdapter(tuple[Part, ...])
_FIELDS: Final = frozenset(
    name
    for kind in (TextPart, ImagePart, FilePart, ToolCallPart, ToolResultPart, DataPart)
    for name in kind.model_fields
)
_EMPTY = "Give text, or at least one part."


Calls: TypeAlias = tuple[str, ...]


def packed(content: object, depth_max: int) -> tuple[list[StoredPart], Calls, Calls]:
    """Return a caller's content in its stored form, and the ids of calls that it makes and answers.

    Raises:
        InvalidInput: as :func:`parse` does.
    """
    if isinstance(content, str):
        if not content:
            raise InvalidInput("content", "is empty", _EMPTY)
        return [check_text(content, "content")], (), ()
    parts = parse(content, depth_max)
    return _to_stored(parts), _calls_in(parts), _answers_in(parts)


def parse(content: object, depth_max: int, field: str = "content") -> tuple[Part, ...]:
    """Return the parts of a caller's content: a part, or a list of parts, dicts or strings.

    Raises:
        InvalidInput: naming the part and what is wrong with it; never quoting its text.
    """
    if isinstance(content, (BaseModel, Mapping)):
        content = [content]
    if not isinstance(content, Sequence) or isinstance(content, (str, bytes, bytearray)):
        raise InvalidInput(field, f"expected text or parts, got {type(content).__name__}", _EMPTY)
    if not content:
        raise InvalidInput(field, "has no parts", _EMPTY)
    plain = [_plain(part, f"{field}[{index}]", depth_max) for index, part in enumerate(content)]
    try:
        parts = _PARTS.validate_python(plain)
    except ValidationError as error:
        refusal = _explained(error, field)
    else:
        _check_call_ids(parts, field)
        return parts
    raise refusal  # outside of except, to keep pydantic's error and its input out of the context


def _plain(part: object, field: str, depth_max: int) -> dict[str, Any]:
    value = part.model_dump(warnings=False) if isinstance(part, BaseModel) else part
    if isinstance(value, str):
        value = {"type": "text", "text": value}
    if not isinstance(value, Mapping):
        raise InvalidInput(
            field, f"expected a part, got {type(part).__name__}", "Give a dict with a type."
        )
    plain: dict[str, Any] = check_json(value, field, depth_max)
    return plain


def _explained(error: ValidationError, field: str) -> InvalidInput:
    """Return an error that names the part and its field, without the input: a user's words."""
    first = error.errors(include_input=False, include_url=False)[0]
    index, *rest = [str(step) for step in first["loc"]] or ["0"]
    inside = [step for step in rest[1:] if step in _FIELDS]  # others are the caller's own words
    where = ".".join([f"{field}[{index}]", *inside])
    if first["type"].startswith("union_tag"):
        known = "text, image, file, tool_call, tool_result, reasoning, refusal, data"
        return InvalidInput(where, "unknown type of part", f"Use one of: {known}.")
    return InvalidInput(where, first["msg"], "See eventstore.conversation.content for the parts.")


def _check_call_ids(parts: tuple[Part, ...], field: str) -> None:
    calls, answers = _calls_in(parts), _answers_in(parts)
    for found, what in ((calls, "tool call"), (answers, "tool result")):
        if len(set(found)) < len(found):
            raise InvalidInput(field, f"a {what} id appears twice", "Give each its own id.")
    if len(calls) > _CALLS_MAX:
        raise InvalidInput(field, f"{len(calls)} tool calls", f"Give at most {_CALLS_MAX}.")


def _calls_in(parts: Sequence[Part]) -> Calls:
    """Return the ids of the tool calls among ``parts``."""
    return tuple(part.id for part in parts if isinstance(part, ToolCallPart))


def _answers_in(parts: Sequence[Part]) -> Calls:
    """Return the call ids that tool results among ``parts`` answer."""
    return tuple(part.call_id for part in parts if isinstance(part, ToolResultPart))


def check_role_of_tools(role: str, calls: Sequence[str], answers: Sequence[str]) -> None:
    """Check that only assistants call tools, and that tool messages, and no others, hold results.

    Raises:
        InvalidInput: on ``content``.
    """
    if calls and role != "assistant":
        raise InvalidInput(
            "content", f"a {role} message has a tool_call part", "Only an assistant calls tools."
        )
    if answers and role != "tool":
        raise InvalidInput(
            "content", f"a {role} message has a tool_result part", "Use role='tool' for results."
        )
    if role == "tool" and not answers:
        raise InvalidInput(
            "content", "a tool message has no tool_result part", "Add one, with its call_id."
        )


def text_of(parts: Sequence[Part]) -> str:
    """Return the text parts, joined."""
    return "".join([part.text for part in parts if type(part) is TextPart])


def _to_stored(parts: Sequence[Part]) -> list[StoredPart]:
    """Return parts in their stored form."""
    return [
        part.text if type(part) is TextPart else part.model_dump(exclude_none=True)
        for part in parts
    ]


def parts_and_text(stored: Sequence[StoredPart]) -> tuple[tuple[Part, ...], str]:
    """Return stored parts as typed parts, and their :func:`text_of`."""
    if len(stored) == 1 and isinstance(text := stored[0], str):  # the usual case
        return (trusted(TextPart, {"type": "text", "text": text}),), text
    return from_stored(stored), "".join([part for part in stored if isinstance(part, str)])


def from_stored(stored: Sequence[StoredPart]) -> tuple[Part, ...]:
    """Return stored parts as typed parts."""
    if len(stored) == 1 and isinstance(text := stored[0], str):  # not validated again
        return (trusted(TextPart, {"type": "text", "text": text}),)
    return _PARTS.validate_python(
        [{"type": "text", "text": part} if isinstance(part, str) else part for part in stored]
    )
