"""Content of a message: a list of typed parts.

``content="…"`` is one text part. Parts are frozen pydantic models. :func:`packed` turns callers'
values into their stored form, and :func:`from_stored` turns them back. A plain text part, the most
frequent kind, is stored as a bare string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, TypeAdapter, ValidationError

from eventstore.conversation.parts import (
    CALLS_MAX,
    DataPart,
    FilePart,
    ImagePart,
    Part,
    StoredPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.core.json_values import check_items, check_text
from eventstore.core.trusted import trusted
from eventstore.errors import InvalidInput

__all__ = [
    "check_role_of_tools",
    "from_stored",
    "packed",
    "parse",
    "text_of",
]


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
    return check_items(value, field, depth_max)


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
    if len(calls) > CALLS_MAX:
        raise InvalidInput(field, f"{len(calls)} tool calls", f"Give at most {CALLS_MAX}.")


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


def from_stored(stored: Sequence[StoredPart]) -> tuple[Part, ...]:
    """Return stored parts as typed parts."""
    if len(stored) == 1 and isinstance(text := stored[0], str):  # not validated again
        return (trusted(TextPart, {"type": "text", "text": text}),)
    return _PARTS.validate_python(
        [{"type": "text", "text": part} if isinstance(part, str) else part for part in stored]
    )
