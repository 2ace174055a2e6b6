"""Converts the store's messages to chat completion messages, and back.

Pure functions between :class:`eventstore.Message` and the dictionaries that OpenAI-compatible
endpoints take. Two laws hold. A message made of parts that chat completions know comes back as it
was: ``from_chat(to_chat(m))`` equals its role and parts, with reasoning first and calls last.
And a model always sees the same: ``to_chat`` of whatever came back equals the first ``to_chat``.

A message that carries the provider's own form of the format ``"openai.chat"`` is sent in that form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

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

__all__ = ["FORMAT", "ChatMessage", "from_chat", "output_text", "part_text", "to_chat"]

FORMAT: Final = "openai.chat"
_NO_WORDS: Final = (ToolResultPart, ImagePart, FilePart)
"""Parts of a tool message that are left out of its words: no endpoint takes pictures there."""
_NAME: Final = re.compile(r"[^\s<|\\/>]{1,64}\Z")
"""Names of speakers that chat completions accept; others are left out."""

ChatMessage = dict[str, Any]


class Spoken(Protocol):
    """The fields of a message that a model sees."""

    @property
    def id(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def content(self) -> tuple[Part, ...]: ...
    @property
    def name(self) -> str | None: ...
    @property
    def provider(self) -> ProviderForm | None: ...


def to_chat(message: Spoken, *, reasoning: str | None = None) -> list[ChatMessage]:
    """Return a message as chat completion messages: one, or one for each tool result.

    Args:
        message: The message.
        reasoning: Name of the field in which the endpoint takes reasoning, such as
            ``"reasoning_content"``; None leaves it out, unless the provider's own form has it.

    Raises:
        ModelError: with the code ``unsupported_content``, for an image without an address.
    """
    match message.role:
        case "assistant":
            own = _own_form(message)
            said = own if own is not None else _assistant(message.content, reasoning)
        case "tool":
            return _results(message.content)
        case role:
            said = {"role": role, "content": _input(message, only_text=role == "system")}
    if message.name and _NAME.match(message.name):
        said["name"] = message.name
    return [said]


def from_chat(said: Mapping[str, Any]) -> tuple[str, tuple[Part, ...]]:
    """Return role and parts of a chat completion message, from a request or from an answer."""
    role = "system" if said["role"] == "developer" else str(said["role"])
    content = said.get("content")
    if role == "tool":
        return role, (ToolResultPart(call_id=said["tool_call_id"], output=_joined(content)),)
    thoughts = said.get("reasoning_content") or said.get("reasoning")
    parts: list[Part] = [ReasoningPart(text=thoughts)] if thoughts else []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}] if content else []
    parts += [_part(item) for item in content or []]
    if said.get("refusal"):
        parts.append(RefusalPart(text=said["refusal"]))
    parts += [
        ToolCallPart(
            id=call["id"],
            name=call["function"]["name"],
            arguments=arguments_of(call["function"].get("arguments") or ""),
        )
        for call in said.get("tool_calls") or []
    ]
    return role, tuple(parts)


def output_text(part: ToolResultPart) -> str:
    """Return a result as a model reads it: text as it is, other JSON as JSON text.

    A result that failed or was cancelled says so, as chat completions have no field for it.
    """
    if part.status == "completed":
        return part.output if isinstance(part.output, str) else _json(part.output)
    found = {} if part.output is None else {"output": part.output}
    return _json({"status": part.status, **found})


def part_text(part: Part) -> str:
    """Return a part as text, where an endpoint takes nothing else."""
    match part:
        case TextPart() | ReasoningPart() | RefusalPart():
            return part.text
        case DataPart():
            return _json(part.data)
        case ImagePart():
            return f"[image {part.file_id or _shown(part.url or '')}]"
        case FilePart():
            return f"[file {part.name or _shown(part.file_id)}]"
        case _:
            return _json(part.model_dump(exclude_none=True))


def _own_form(message: Spoken) -> ChatMessage | None:
    """Return the provider's own form, if it is of this format and still makes the same calls."""
    form = message.provider
    if form is None or form.format != FORMAT:
        return None
    said: ChatMessage = json.loads(form.data)
    calls = [call["id"] for call in said.get("tool_calls") or []]
    made = [part.id for part in message.content if isinstance(part, ToolCallPart)]
    return said if calls == made else None


def _assistant(parts: Sequence[Part], reasoning: str | None) -> ChatMessage:
    items = [item for part in parts if (item := _assistant_item(part)) is not None]
    calls = [_call(part) for part in parts if isinstance(part, ToolCallPart)]
    thoughts = "".join([part.text for part in parts if isinstance(part, ReasoningPart)])
    said: ChatMessage = {"role": "assistant", "content": _shortest(items)}
    if not items and calls:
        said["content"] = None
    if thoughts and reasoning is not None:
        said[reasoning] = thoughts
    if calls:
        said["tool_calls"] = calls
    return said


def _assistant_item(part: Part) -> dict[str, Any] | None:
    match part:
        case RefusalPart():
            return {"type": "refusal", "refusal": part.text}
        case ToolCallPart() | ReasoningPart():
            return None
        case _:
            return _text(part)


def _call(part: ToolCallPart) -> dict[str, Any]:
    function = {"name": part.name, "arguments": arguments_text(part.arguments)}
    return {"id": part.id, "type": "function", "function": function}


def _results(parts: Sequence[Part]) -> list[ChatMessage]:
    results = [
        {"role": "tool", "tool_call_id": part.call_id, "content": output_text(part)}
        for part in parts
        if isinstance(part, ToolResultPart)
    ]
    rest = [part_text(part) for part in parts if not isinstance(part, _NO_WORDS)]
    if results and rest:
        results[-1]["content"] = "\n".join([results[-1]["content"], *rest])
    return results


def _input(message: Spoken, *, only_text: bool) -> str | list[dict[str, Any]]:
    return _shortest(
        [_text(part) if only_text else _input_item(part, message.id) for part in message.content]
    )


def _input_item(part: Part, message_id: str) -> dict[str, Any]:
    match part:
        case ImagePart(url=str()):
            detail = {} if part.detail is None else {"detail": part.detail}
            return {"type": "image_url", "image_url": {"url": part.url, **detail}}
        case ImagePart():
            raise ModelError(
                "unsupported_content",
                f"{message_id} has an image without an address, and chat completions take no "
                "file ids of images",
                "Give the image by url (a data URL will do), or give the model resolve_image=.",
            )
        case FilePart() if part.file_id.startswith("data:"):
            name = {} if part.name is None else {"filename": part.name}
            return {"type": "file", "file": {**name, "file_data": part.file_id}}
        case FilePart():
            name = {} if part.name is None else {"filename": part.name}
            return {"type": "file", "file": {**name, "file_id": part.file_id}}
        case _:
            return _text(part)


def _text(part: Part) -> dict[str, Any]:
    return {"type": "text", "text": part_text(part)}


def _shown(address: str) -> str:
    """Return an address without the data that it may consist of."""
    return address.partition(",")[0] if address.startswith("data:") else address


def _shortest(items: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return one text as a plain string, which every endpoint takes."""
    if not items:
        return ""
    if len(items) == 1 and items[0]["type"] == "text":
        text: str = items[0]["text"]
        return text
    return items


def _part(item: Mapping[str, Any]) -> Part:
    match item:
        case {"type": "text", "text": str(text)} if text:
            return TextPart(text=text)
        case {"type": "refusal", "refusal": str(text)}:
            return RefusalPart(text=text)
        case {"type": "image_url", "image_url": {"url": str(url), **rest}}:
            return ImagePart(url=url, detail=_text_or_none(rest.get("detail")))
        case {"type": "file", "file": {"file_id": str(place), **rest}} | {
            "type": "file",
            "file": {"file_data": str(place), **rest},
        }:
            return FilePart(file_id=place, name=_text_or_none(rest.get("filename")))
        case _:
            return DataPart(data=dict(item))


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _joined(content: str | Sequence[Mapping[str, Any]] | None) -> str:
    if isinstance(content, str):
        return content
    return "".join([str(item.get("text", "")) for item in content or []])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
