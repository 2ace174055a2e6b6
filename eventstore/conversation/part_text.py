"""Describes the parts of a message in words, for people who read a conversation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import assert_never

from eventstore.conversation.parts import (
    DataPart,
    FilePart,
    ImagePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

__all__ = ["arguments_text", "json_text", "part_text"]


def part_text(part: Part) -> str:
    """Return a part in words; a text part as it is."""
    match part:
        case TextPart() | RefusalPart():
            said = part.text
        case ReasoningPart():
            said = f"(thinks) {part.text}"
        case ToolCallPart():
            said = f"calls {part.name}({arguments_text(part.arguments)})"
        case ToolResultPart():
            state = "" if part.status == "completed" else f" ({part.status})"
            said = f"{part.call_id}{state} → {json_text(part.output)}"
        case ImagePart():
            said = f"[image {_address(part.url or part.file_id or '')}]"
        case FilePart():
            said = f"[file {part.name or _address(part.file_id)}]"
        case DataPart():
            said = json_text(part.data)
        case _:
            assert_never(part)
    return said


def _address(address: str) -> str:
    """Return an address; of one that holds the bytes themselves, their type and size."""
    if not address.startswith("data:"):
        return address
    kind, _, held = address.removeprefix("data:").partition(",")
    media_type, *_ = kind.split(";")
    size = len(held) * 3 // 4 if kind.endswith(";base64") else len(held)
    return f"{media_type or 'text/plain'}, {max(1, size // 1000):,} kB"


def arguments_text(arguments: object) -> str:
    """Return the arguments of a tool call, as a Python programmer writes them."""
    if not isinstance(arguments, Mapping):
        return "" if arguments is None else json_text(arguments)
    return ", ".join(f"{name}={json_text(value)}" for name, value in arguments.items())


def json_text(value: object) -> str:
    """Return a JSON value as text, in one line."""
    return json.dumps(value, ensure_ascii=False)
