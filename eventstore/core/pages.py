"""Pages and cursors: a listing is read by pages, a cursor says where the next one begins."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict

from eventstore.core import codec
from eventstore.errors import InvalidInput

__all__ = ["PageOf", "check_limit", "decode_cursor", "encode_cursor"]

T = TypeVar("T")


class PageOf(BaseModel, Generic[T]):
    """One page of a listing; iterating it gives its own items."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    data: tuple[T, ...]
    next_cursor: str | None = None
    """Hand it back as ``after``; None at the end."""

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]  # pydantic iterates over fields
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> T:
        return self.data[index]


def encode_cursor(kind: str, *values: Any) -> str:  # noqa: ANN401 (JSON values)
    """Return a cursor of plain values as opaque text."""
    raw = codec.encode([kind, *values])
    return "c_" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(kind: str, text: str, field: str = "after") -> list[Any]:
    """Return the values of a cursor of this kind.

    Raises:
        InvalidInput: naming ``field``.
    """
    try:
        padded = text[2:] + "=" * (-len(text[2:]) % 4)
        found, *values = codec.decode_any(base64.urlsafe_b64decode(padded))
    except (ValueError, TypeError, binascii.Error, msgspec.MsgspecError):
        found, values = None, []
    if found != kind or not text.startswith("c_"):
        raise InvalidInput(field, "is not a cursor of this listing", "Give a page's next_cursor.")
    return list(values)


def check_limit(limit: object, page_size_max: int) -> int | None:
    """Return ``limit`` if it is None (everything) or between 1 and the most that is allowed.

    Raises:
        InvalidInput: on ``limit``.
    """
    if limit is None:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= page_size_max:
        raise InvalidInput(
            "limit", f"{limit!r:.40} is not a page size", f"Give 1 to {page_size_max}, or None."
        )
    return limit
