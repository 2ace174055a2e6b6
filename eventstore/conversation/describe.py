"""Describes an event's data for people: ids as text, hashes as hex.

In the log ids are 16 bytes, and the field implies their prefix. Only this table maps fields to
kinds of ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args, get_origin

from msgspec import Struct, structs, to_builtins

from eventstore.core import ids

__all__ = ["described"]

_PREFIX: Final[Mapping[str, str]] = {
    "message_id": ids.MESSAGE,
    "parent_id": ids.MESSAGE,
    "replaces": ids.MESSAGE,
    "head": ids.MESSAGE,
    "requested": ids.MESSAGE,
    "regenerates": ids.MESSAGE,
    "left_out": ids.MESSAGE,
    "erased": ids.MESSAGE,
    "message_ids": ids.MESSAGE,
    "also": ids.MESSAGE,
    "unlabelled": ids.MESSAGE,
    "run_id": ids.RUN,
    "run_ids": ids.RUN,
    "step_id": ids.STEP,
    "assistant_id": ids.ASSISTANT,
    "source_id": ids.THREAD,
    "subject_id": ids.SUBJECT,
    "thread_id": ids.THREAD,
    "forks": ids.THREAD,
}


def described(value: Struct) -> dict[str, Any]:
    """Return an event's data or content as JSON values, fields at their default left out."""
    raw: dict[str, Any] = to_builtins(value, builtin_types=_AS_THEY_ARE)
    for name, prefix in _not_json(type(value)):
        if name in raw:
            found = raw[name]  # mostly bytes: a call for each would be felt
            raw[name] = prefix + found.hex() if type(found) is bytes else _readable(prefix, found)
    return raw


_AS_THEY_ARE: Final = (bytes,)


@cache
def _not_json(kind: type[Struct]) -> tuple[tuple[str, str], ...]:
    """Return the fields that may hold bytes or tuples, each with the prefix of its text.

    Computed once for each class: inspecting each value of each event costs more than decoding it.
    """
    return tuple(
        (field.name, f"{_PREFIX[field.name]}_" if field.name in _PREFIX else "")
        for field in structs.fields(kind)
        if _may_not_be_json(field.type)
    )


def _may_not_be_json(annotation: object) -> bool:
    inside = get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return bool(_not_json(annotation))
    return (
        annotation is bytes or get_origin(annotation) is tuple or any(map(_may_not_be_json, inside))
    )


def _readable(prefix: str, value: object) -> object:
    if isinstance(value, bytes):
        return prefix + value.hex()
    if isinstance(value, (list, tuple)):
        return [item if type(item) is str else _readable(prefix, item) for item in value]
    if isinstance(value, dict):
        return {name: _readable(prefix, item) for name, item in value.items()}
    return value
