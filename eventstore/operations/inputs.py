"""Callers' values on their way in: checked once, at the door, then packed.

Every refusal names the field and the remedy, and happens before anything is decided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, UnsetType

from eventstore.conversation.commands import Draft, OnBusy
from eventstore.conversation.content import answers_in, calls_in, parse, to_stored
from eventstore.conversation.events import Usage
from eventstore.conversation.rows import MessageStatus, Role
from eventstore.core import codec, ids
from eventstore.core.events import microseconds
from eventstore.core.json_values import Limits, check_object, check_text
from eventstore.errors import InvalidInput

__all__ = [
    "checked_draft",
    "checked_metadata",
    "checked_on_busy",
    "checked_role",
    "checked_status",
    "checked_tools",
    "checked_usage",
    "message_key",
    "optional_id",
    "optional_text",
]

_NAME_MAX: Final = 255
_ROLES: Final = frozenset(get_args(Role))
_STATUSES: Final = frozenset({"completed", "incomplete"})
_ON_BUSY: Final = frozenset(get_args(OnBusy))


def message_key(message_id: str, field: str = "message_id") -> bytes:
    """Return the packed id of a message."""
    return ids.parse(ids.MESSAGE, message_id, field)


def optional_id(prefix: str, text: str | None, field: str) -> bytes | None:
    """Return a packed id, or None."""
    return None if text is None else ids.parse(prefix, text, field)


def checked_role(role: str) -> Role:
    """Return a known role."""
    if role not in _ROLES:
        raise InvalidInput("role", f"{role!r:.40} is not a role", f"Use {_listed(_ROLES)}.")
    return role  # type: ignore[return-value]


def checked_status(status: str) -> MessageStatus:
    """Return a status that a caller may give."""
    if status not in _STATUSES:
        raise InvalidInput(
            "status", f"{status!r:.40} is not a status", f"Use {_listed(_STATUSES)}."
        )
    return status  # type: ignore[return-value]


def checked_on_busy(on_busy: str | None) -> OnBusy:
    """Return what to do when a thread is busy; ``enqueue`` unless told."""
    if on_busy is None:
        return "enqueue"
    if on_busy not in _ON_BUSY:
        raise InvalidInput("on_busy", f"{on_busy!r:.40} is unknown", f"Use {_listed(_ON_BUSY)}.")
    return on_busy  # type: ignore[return-value]


def _listed(values: frozenset[str]) -> str:
    return ", ".join(sorted(values))


def optional_text(value: str | None, field: str, characters_max: int | None = None) -> str | None:
    """Return text, or None."""
    return None if value is None else check_text(value, field, characters_max)


def checked_metadata(
    value: Mapping[str, Any] | None, limits: Limits, field: str = "metadata"
) -> dict[str, Any] | None:
    """Return a JSON object of a bearable size, or None."""
    if value is None:
        return None
    checked = check_object(value, field, limits)
    size = len(codec.encode(checked))
    if size > limits.metadata_bytes_max:
        raise InvalidInput(
            field,
            f"{size} bytes encoded, {limits.metadata_bytes_max} allowed",
            "Keep large data elsewhere and put its id here.",
        )
    return checked


def checked_tools(
    tools: Any,  # noqa: ANN401 (a sequence of mappings, None or UNSET: checked)
    limits: Limits,
) -> list[dict[str, Any]] | UnsetType | None:
    """Return tool definitions as JSON objects."""
    if tools is None or tools is UNSET:
        return None if tools is None else UNSET
    if not isinstance(tools, Sequence) or isinstance(tools, (str, bytes)):
        raise InvalidInput("tools", f"expected a list, got {type(tools).__name__}", "Give dicts.")
    return [check_object(tool, f"tools[{index}]", limits) for index, tool in enumerate(tools)]


def checked_usage(usage: Any) -> Usage | None:  # noqa: ANN401 (a mapping or a model)
    """Return token counts from a mapping or a ``TokenUsage``."""
    if usage is None:
        return None
    given = usage.model_dump() if hasattr(usage, "model_dump") else usage
    try:
        return msgspec.convert(given, Usage)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            "usage", str(error), "Give input_tokens, output_tokens and total_tokens as integers."
        ) from None


def checked_draft(
    role: Role | None,
    content: object,
    limits: Limits,
    *,
    name: str | None = None,
    external_id: str | None = None,
    original_created_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> Draft:
    """Return what somebody says, ready to be decided about."""
    parts = parse(content, limits.depth_max)
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    if not isinstance(content, str):
        calls, answers = calls_in(parts), answers_in(parts)
        _check_role_of_tools(role, calls, answers)
    if role == "tool" and not answers:
        raise InvalidInput(
            "content", "a tool message has no tool_result part", "Add one, with its call_id."
        )
    return Draft(
        parts=to_stored(parts),
        calls=calls,
        answers=answers,
        metadata=checked_metadata(metadata, limits),
        name=optional_text(name, "name", _NAME_MAX),
        external_id=optional_text(external_id, "external_id", _NAME_MAX),
        original_created_at_us=None
        if original_created_at is None
        else microseconds(original_created_at, "original_created_at"),
    )


def _check_role_of_tools(
    role: Role | None, calls: tuple[str, ...], answers: tuple[str, ...]
) -> None:
    if calls and role not in {"assistant", None}:
        raise InvalidInput(
            "content", f"a {role} message has a tool_call part", "Only an assistant calls tools."
        )
    if answers and role not in {"tool", None}:
        raise InvalidInput(
            "content", f"a {role} message has a tool_result part", "Use role='tool' for results."
        )


def unset_or(value: Any, checked: Any) -> Any:  # noqa: ANN401
    """Return UNSET as it is, anything else checked."""
    return UNSET if value is UNSET else checked(value)
