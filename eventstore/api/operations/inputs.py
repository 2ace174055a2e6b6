"""Check callers' values once, on entry, and pack them.

Every refusal names the field and the remedy, and happens before anything is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar, get_args

from msgspec import UNSET, UnsetType
from pydantic import BaseModel, ValidationError

from eventstore.conversation.commands import Draft, OnBusy
from eventstore.conversation.content import check_role_of_tools, packed
from eventstore.conversation.events import Usage
from eventstore.conversation.provider_form import ProviderForm, packed_form
from eventstore.conversation.rows import MessageStatus, Role
from eventstore.conversation.run_values import TokenUsage
from eventstore.conversation.tool_definition import Defined
from eventstore.core import codec, ids
from eventstore.core.events import microseconds
from eventstore.core.json_values import (
    NAME_MAX,
    Limits,
    check_name,
    check_object,
    check_text,
    too_large,
)
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput

T = TypeVar("T")
X = TypeVar("X")

__all__ = [
    "check_updates",
    "checked_choice",
    "checked_draft",
    "checked_flag",
    "checked_metadata",
    "checked_offset",
    "checked_on_busy",
    "checked_order",
    "checked_role",
    "checked_sequence",
    "checked_sort",
    "checked_status",
    "checked_tools",
    "checked_usage",
    "checked_version",
    "message_key",
    "optional_id",
    "optional_name",
    "optional_text",
    "run_key",
]

_TOKENS_MAX: Final = 10**12
"""Limit of one run or step: nine million of them add up to a number that a database holds."""
_ROLES: Final = frozenset(get_args(Role))
_STATUSES: Final = frozenset({"completed", "incomplete"})
_ON_BUSY: Final = frozenset(get_args(OnBusy))
_ORDERS: Final = frozenset({"asc", "desc"})
_SORTS: Final = frozenset({"created", "activity"})
_LAST: Final = 2**62
"""Above every version and position there can be, within 64 bits."""


def message_key(message_id: str, field: str = "message_id") -> bytes:
    """Return the packed id of a message."""
    return ids.parse(ids.MESSAGE, message_id, field)


def run_key(run_id: str) -> bytes:
    """Return the packed id of a run."""
    return ids.parse(ids.RUN, run_id, "run_id")


def optional_id(prefix: str, text: str | None, field: str) -> bytes | None:
    """Return a packed id, or None."""
    return None if text is None else ids.parse(prefix, text, field)


def check_updates(**given: object) -> None:
    """Refuse an update without changes: it would add a version without a difference.

    Raises:
        InvalidInput: on the first of the fields.
    """
    if all(value is UNSET for value in given.values()):
        first, *others = given
        named = f"{', '.join([first, *others[:-1]])} or {others[-1]}" if others else first
        raise InvalidInput(first, "nothing to update was given", f"Give {named}.")


def checked_role(role: str) -> Role:
    """Return a known role."""
    if type(role) is str and role in _ROLES:  # the usual case
        return role  # type: ignore[return-value]
    return checked_choice(role, _ROLES, "role")  # type: ignore[return-value]


def checked_status(status: str) -> MessageStatus:
    """Return a status that a caller may give."""
    return checked_choice(status, _STATUSES, "status")  # type: ignore[return-value]


def checked_on_busy(on_busy: str | None) -> OnBusy:
    """Return the behaviour for a busy thread; ``enqueue`` by default."""
    if on_busy is None:
        return "enqueue"
    return checked_choice(on_busy, _ON_BUSY, "on_busy")  # type: ignore[return-value]


def checked_order(order: str) -> bool:
    """Return whether the newest comes first."""
    return checked_choice(order, _ORDERS, "order") == "desc"


def checked_sort(sort: str) -> str:
    """Return the sort order of threads."""
    return checked_choice(sort, _SORTS, "sort")


def checked_choice(value: object, known: frozenset[str], field: str) -> str:
    """Return one of some known words."""
    if not isinstance(value, str) or value not in known:
        listed = ", ".join(sorted(known))
        raise InvalidInput(field, f"{quoted(value)} is unknown", f"Use one of: {listed}.")
    return value


def checked_flag(value: object, field: str) -> bool:
    """Return True or False; refuse other values, since they would be kept for ever."""
    if not isinstance(value, bool):
        raise InvalidInput(field, f"{quoted(value)} is not a bool", "Give True or False.")
    return value


def checked_version(value: object, field: str, least: int = 1) -> int:
    """Return a version of a stream."""
    return _checked_number(value, field, least, "a version")


def checked_fence(value: object) -> int | None:
    """Return the fence of a run's holder, or None."""
    return None if value is None else checked_version(value, "fence")


def checked_count(value: object, field: str) -> int:
    """Return a number of events."""
    return _checked_number(value, field, 1, "allowed")


def checked_offset(value: object, field: str) -> int:
    """Return a number of characters."""
    return _checked_number(value, field, 0, "a number of characters")


def _checked_number(value: object, field: str, least: int, meant: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _LAST:
        raise InvalidInput(field, f"{quoted(value)} is not {meant}", f"Give {least} or more.")
    return int(value)


def checked_sequence(value: object, field: str, remedy: str) -> Sequence[Any]:
    """Return a list or tuple, or another sequence that is not text."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray, memoryview)):
        raise InvalidInput(field, f"expected a list, got {type(value).__name__}", remedy)
    return value


def optional_name(value: str | None, field: str) -> str | None:
    """Return text that names something, or None."""
    return None if value is None else check_name(value, field)


def optional_text(value: str | None, field: str, characters_max: int | None = None) -> str | None:
    """Return text, or None."""
    return None if value is None else check_text(value, field, characters_max)


def checked_metadata(
    value: Mapping[str, Any] | None, limits: Limits, field: str = "metadata"
) -> dict[str, Any] | None:
    """Return a JSON object of allowed size, or None."""
    if value is None:
        return None
    checked = check_object(value, field, limits)
    size = len(codec.encode(checked))
    if size > limits.metadata_bytes_max:
        raise too_large(field, size, limits.metadata_bytes_max)
    return checked


def checked_tools(
    tools: Sequence[object] | UnsetType | None,
    limits: Limits,
) -> list[dict[str, Any]] | UnsetType | None:
    """Return tool definitions as JSON objects."""
    if tools is None or tools is UNSET:
        return None if tools is None else UNSET
    remedy = "Give dicts, or tools of eventstore.engine."
    return [
        _without_credentials(check_object(_definition(tool), f"tools[{index}]", limits), index)
        for index, tool in enumerate(checked_sequence(tools, "tools", remedy))
    ]


def _without_credentials(tool: dict[str, Any], index: int) -> dict[str, Any]:
    """Return a definition unless it holds credentials: it is recorded, and they must not be."""
    if "auth" in tool:
        raise InvalidInput(
            f"tools[{index}].auth",
            "holds credentials, and definitions are recorded",
            "Leave it out, and give the plug-in a credentials= callback that returns them.",
        )
    return tool


def _definition(tool: object) -> object:
    return tool.definition if isinstance(tool, Defined) else tool


def checked_usage(usage: object) -> Usage | None:
    """Return token counts from a mapping or a ``TokenUsage``.

    Raises:
        InvalidInput: they are no counts, or so large that what adds them up would run over.
    """
    if usage is None:
        return None
    given = usage.model_dump(warnings=False) if isinstance(usage, BaseModel) else usage
    counted = _counted(check_object(given, "usage", Limits()))
    used = Usage(counted.input_tokens, counted.output_tokens, counted.total_tokens)
    for name in Usage.__struct_fields__:
        count = getattr(used, name)
        if not 0 <= count <= _TOKENS_MAX:
            raise InvalidInput(
                f"usage.{name}", f"{count} is not a token count", f"Give 0 to {_TOKENS_MAX}."
            )
    return used


def _counted(given: dict[str, Any]) -> TokenUsage:
    try:
        return TokenUsage.model_validate(given, strict=True)
    except ValidationError as error:
        problem = error.errors(include_input=False, include_url=False)[0]["msg"]
    # Raised out here, or pydantic's error with its input would be the context of ours.
    raise InvalidInput(
        "usage", problem, "Give input_tokens, output_tokens and total_tokens as integers."
    )


def checked_draft(
    role: Role | None,
    content: object,
    limits: Limits,
    *,
    name: str | None = None,
    external_id: str | None = None,
    original_created_at: datetime | None = None,
    metadata: Mapping[str, Any] | None = None,
    provider: ProviderForm | None = None,
) -> Draft:
    """Return a checked message, ready to be decided."""
    parts, calls, answers = packed(content, limits.depth_max)
    if role is not None and (calls or answers or role == "tool"):
        check_role_of_tools(role, calls, answers)
    return Draft(
        parts=parts,
        calls=calls,
        answers=answers,
        metadata=None if metadata is None else checked_metadata(metadata, limits),
        name=None if name is None else check_text(name, "name", NAME_MAX),
        external_id=None if external_id is None else check_name(external_id, "external_id"),
        original_created_at_us=None
        if original_created_at is None
        else microseconds(original_created_at, "original_created_at"),
        provider=None if provider is None else packed_form(provider),
    )


def unset_or(value: T | UnsetType, checked: Callable[[T], X]) -> X | UnsetType:
    """Return UNSET as it is, anything else checked."""
    return UNSET if isinstance(value, UnsetType) else checked(value)
