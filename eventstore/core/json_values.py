"""What counts as JSON here, and how large it may be.

JSON without NaN, integers within 64 bits, string keys, no lone surrogates: exactly what every
database, language and backup can carry unchanged. Checked at the door, before anything is decided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from eventstore.errors import InvalidInput

__all__ = ["Limits", "check_json", "check_text"]

_INT_MIN, _INT_MAX = -(2**63), 2**63 - 1


class Limits(NamedTuple):
    """How large a caller's values may be; each can be given to ``open(limits=…)``."""

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
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidInput(
            field,
            f"holds a lone surrogate at character {error.start}",
            "Decode the text properly, or encode it with errors='replace' first.",
        ) from None
    return value


def check_json(value: object, field: str, depth_max: int) -> None:
    """Accept JSON values, refuse everything else.

    Raises:
        InvalidInput: naming the path to the value, for example ``metadata.tags[2]``.
    """
    if isinstance(value, str):
        check_text(value, field)
    elif value is None or isinstance(value, bool):
        return
    elif isinstance(value, (int, float)):
        _check_number(value, field)
    elif depth_max <= 0:
        raise InvalidInput(field, "nested too deeply", "Flatten it, or give it as text.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check_key(key, field)
            if type(item) is not str or not item.isascii():
                check_json(item, f"{field}.{key:.40}", depth_max - 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            check_json(item, f"{field}[{index}]", depth_max - 1)
    else:
        raise InvalidInput(
            field,
            f"{type(value).__name__} is not JSON",
            "Use str, int, float, bool, None, lists and dicts with text keys.",
        )


def _check_key(key: object, field: str) -> None:
    if not isinstance(key, str):
        raise InvalidInput(
            field, f"key of type {type(key).__name__}", "JSON objects have text keys."
        )
    if not key.isascii():
        check_text(key, f"{field} key")


def _check_number(value: float, field: str) -> None:
    if isinstance(value, int):
        if not _INT_MIN <= value <= _INT_MAX:
            raise InvalidInput(field, "integer outside 64 bits", "Give it as text.")
    elif not math.isfinite(value):
        raise InvalidInput(field, f"{value} is not JSON", "Give a finite number or null.")


def check_object(value: Any, field: str, limits: Limits) -> dict[str, Any]:  # noqa: ANN401 (that is the point)
    """Return ``value`` if it is a JSON object.

    Raises:
        InvalidInput: naming the field or the path within it.
    """
    if not isinstance(value, Mapping):
        raise InvalidInput(
            field,
            f"expected a JSON object, got {type(value).__name__}",
            "Give a dict with text keys.",
        )
    check_json(value, field, limits.depth_max)
    return dict(value)
