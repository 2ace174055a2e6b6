"""Accepted JSON values, and their limits.

JSON without NaN, integers within 64 bits, string keys, no lone surrogates: exactly the values that
every database, language and backup carries unchanged. Arguments are checked before anything is
decided.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.core.codec import COVERED
from eventstore.errors import InvalidInput

__all__ = ["Json", "Limits", "check_json", "check_text"]

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
"""A JSON value in plain types."""

NAME_MAX: Final = 255
"""Most characters of a name, an id of somebody else's, or a code."""
_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1
_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,40}\Z")


class Limits(NamedTuple):
    """Limits on a caller's values; each can be given to ``open(limits=…)``."""

    content_bytes_max: int = 16 * 1024 * 1024
    """Encoded content of one event."""
    metadata_bytes_max: int = 64 * 1024
    """Encoded metadata of one object."""
    depth_max: int = 32
    """Nesting of JSON values."""
    page_size_max: int = 10_000
    """Largest ``limit`` of a page."""
    batch_size_max: int = 10_000
    """Most commands in one batch, most messages in one ``create_many``."""


def check_name(value: object, field: str, characters_max: int = NAME_MAX) -> str:
    """Return ``value`` if it is a name: text without NUL, which databases cannot compare.

    Raises:
        InvalidInput: naming ``field``.
    """
    name = check_text(value, field, characters_max)
    if "\0" in name:
        raise InvalidInput(field, "holds the character NUL", "Leave it out: names cannot hold it.")
    if name.startswith(COVERED):
        raise InvalidInput(field, "begins as a sealed word does", "Leave the character U+0002 out.")
    return name


def too_large(field: str, size: int, most: int) -> InvalidInput:
    """Return the error for a value of too many bytes."""
    return InvalidInput(
        field,
        f"{size} bytes encoded, {most} allowed",
        "Keep large data elsewhere and refer to it, or shorten it.",
    )


def check_text(value: object, field: str, characters_max: int | None = None) -> str:
    """Return ``value`` if it is Unicode text without lone surrogates.

    Raises:
        InvalidInput: naming ``field``.
    """
    if characters_max is None and type(value) is str and value.isascii():  # the usual case
        return value
    if not isinstance(value, str):
        raise InvalidInput(field, f"expected text, got {type(value).__name__}", "Give a str.")
    if characters_max is not None and not 0 < len(value) <= characters_max:
        raise InvalidInput(
            field,
            f"has {len(value)} characters",
            f"Give between 1 and {characters_max} characters.",
        )
    surrogate = _lone_surrogate(value)
    if surrogate is not None:
        raise InvalidInput(
            field,
            f"holds a lone surrogate at character {surrogate}",
            "Decode the text properly, or encode it with errors='replace' first.",
        )
    return str.__str__(value)  # a plain str, even if it was a subclass


def _lone_surrogate(text: str) -> int | None:
    """Return the index of the first one. The codec error holds the text, so it is not passed on."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def check_json(value: object, field: str, depth_max: int) -> Json:
    """Return a copy of a JSON value in plain types; refuse everything else.

    A copy, because the caller may change the value while it waits to be written.

    Raises:
        InvalidInput: naming the path to the value, for example ``metadata.tags[2]``.
    """
    if isinstance(value, str):
        return check_text(value, field)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _checked_number(value, field)
    if not isinstance(value, (dict, list, tuple, Mapping)):
        raise InvalidInput(
            field,
            f"{type(value).__name__} is not JSON",
            "Use str, int, float, bool, None, lists and dicts with text keys.",
        )
    if isinstance(value, (dict, Mapping)):
        return check_items(value, field, depth_max)
    if depth_max <= 0:
        raise _too_deep(field)
    return [
        check_json(item, f"{field}[{index}]", depth_max - 1) for index, item in enumerate(value)
    ]


def check_items(value: Mapping[Any, object], field: str, depth_max: int) -> dict[str, Json]:
    """Return a copy of a JSON object in plain types; :func:`check_json` says what it refuses."""
    if depth_max <= 0:
        raise _too_deep(field)
    checked: dict[str, Json] = {}
    for key, item in value.items():  # a comprehension is a frame more
        if not (type(key) is str and key.isascii()):  # not the usual case
            key = _checked_key(key, field)  # noqa: PLW2901
        if not (type(item) is str and item.isascii()):  # likewise
            item = check_json(item, _below(field, key), depth_max - 1)  # noqa: PLW2901
        checked[key] = item
    return checked


def _too_deep(field: str) -> InvalidInput:
    return InvalidInput(field, "nested too deeply", "Flatten it, or give it as text.")


def _checked_key(key: object, field: str) -> str:
    if not isinstance(key, str):
        raise InvalidInput(
            field, f"key of type {type(key).__name__}", "JSON objects have text keys."
        )
    return check_text(key, f"a key of {field}")


def _checked_number(value: float, field: str) -> float:
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise InvalidInput(field, "integer outside 64 bits", "Give it as text.")
        return int(value)
    if not math.isfinite(value):
        raise InvalidInput(field, f"{value} is not JSON", "Give a finite number or null.")
    return float(value)


def _below(field: str, key: object) -> str:
    """Return the path to a value: its key, unless the key might be a user's words."""
    return f"{field}.{key if _WORD.match(str(key)) else '…'}"


def check_object(value: object, field: str, limits: Limits) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object.

    Raises:
        InvalidInput: naming the field or the path within it.
    """
    if type(value) is not dict and not isinstance(value, Mapping):  # the latter asks an ABC: 1 µs
        raise InvalidInput(
            field,
            f"expected a JSON object, got {type(value).__name__}",
            "Give a dict with text keys.",
        )
    return check_items(value, field, limits.depth_max)
