"""Pages and cursors: a listing is read by pages, a cursor says where the next one begins."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from hashlib import blake2b
from typing import Annotated, Any, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec
from pydantic import ConfigDict

from eventstore.core import codec
from eventstore.core.quoting import quoted
from eventstore.core.values import Value
from eventstore.errors import InvalidInput

__all__ = [
    "EVERYTHING",
    "Count",
    "Order",
    "PageOf",
    "check_limit",
    "decode_cursor",
    "encode_cursor",
    "listing_key",
    "seal",
    "unseal",
]

EVERYTHING: Final = 2**62
"""A LIMIT that is none: PostgreSQL refuses SQLite's -1."""

_MARK: Final = "c_"
_CURSOR_MAX: Final = 1_000

Order: TypeAlias = Literal["asc", "desc"]
"""Order of a listing: oldest first, or newest first."""

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""A version, position or depth inside a cursor: somebody may have made it by hand."""

T = TypeVar("T")


class PageOf(Value, Generic[T]):
    """One page of a listing; iterating it gives its own items."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    data: tuple[T, ...]
    """Items of the page."""
    next_cursor: str | None = None
    """Hand it back as ``after``; None at the end."""

    def __iter__(self) -> Iterator[T]:  # type: ignore[override]  # pydantic iterates over fields
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> T:
        return self.data[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PageOf):
            return NotImplemented
        return (self.data, self.next_cursor) == (other.data, other.next_cursor)

    def __hash__(self) -> int:
        return hash((self.data, self.next_cursor))

    def __getstate__(self) -> dict[Any, Any]:
        """Leave the store behind that the next page would be read from."""
        state = super().__getstate__()
        kept = {name: value for name, value in state["__dict__"].items() if name != "_next"}
        return {**state, "__dict__": kept}

    def _alone(self) -> InvalidInput:
        """Return what is told to who wants the next page of one that does not know its store."""
        return InvalidInput(
            "page",
            "was copied or made without a store, and there are pages after it",
            "List again with the same arguments and after=page.next_cursor.",
        )


def listing_key(*values: object) -> bytes:
    """Return what tells one listing from another: its kind, whose it is, its filters, its order."""
    return blake2b(codec.encode_canonical(values), digest_size=8).digest()


def encode_cursor(listing: bytes, *values: object) -> str:
    """Return a place in a listing as opaque text."""
    raw = codec.encode([listing, *values])
    return _MARK + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(listing: bytes, text: object, shape: type[T], field: str = "after") -> T:
    """Return the place behind a cursor of this listing; ``shape`` is its type.

    Raises:
        InvalidInput: naming ``field``; also for another listing's, where it means another place.
    """
    refusal = InvalidInput(
        field,
        "is not a cursor of this listing",
        "Give a page's next_cursor, with the arguments that the page was listed with.",
    )
    if not isinstance(text, str) or not text.startswith(_MARK) or len(text) > _CURSOR_MAX:
        raise refusal
    try:
        padded = text[len(_MARK) :] + "=" * (-(len(text) - len(_MARK)) % 4)
        found, *values = codec.decode_any(base64.b64decode(padded, b"-_", validate=True))
        place = msgspec.convert(values, shape)
    except (ValueError, TypeError, RecursionError, msgspec.MsgspecError):
        raise refusal from None
    if found != listing:
        raise refusal
    return place


def seal(key: bytes, number: int) -> bytes:
    """Return a number of 64 bits so that nothing can be told from it without the key.

    A cursor that shows a place in the order of the whole store would tell a tenant how much others
    write. Equal numbers give equal bytes, and nothing else can be compared.
    """
    left, right = divmod(number, _HALF)
    for turn in range(_TURNS):
        left, right = right, left ^ _mixed(key, turn, right)
    return (left * _HALF + right).to_bytes(8, "big")


def unseal(key: bytes, sealed: bytes) -> int:
    """Return the number that was sealed; any, if the bytes were made by hand."""
    left, right = divmod(int.from_bytes(sealed, "big"), _HALF)
    for turn in reversed(range(_TURNS)):
        left, right = right ^ _mixed(key, turn, left), left
    return left * _HALF + right


_HALF: Final = 2**32
_TURNS: Final = 4
"""Of a Feistel network: as many as keep also those from telling anything who choose cursors."""


def _mixed(key: bytes, turn: int, half: int) -> int:
    mixed = blake2b(half.to_bytes(4, "big"), digest_size=4, key=key, salt=bytes([turn]))
    return int.from_bytes(mixed.digest(), "big")


def check_limit(limit: object, page_size_max: int, field: str = "limit") -> int | None:
    """Return ``limit`` if it is None (everything) or between 1 and the most that is allowed.

    Raises:
        InvalidInput: naming ``field``.
    """
    if limit is None:
        return None
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= page_size_max:
        raise InvalidInput(
            field, f"{quoted(limit)} is not a page size", f"Give 1 to {page_size_max}, or None."
        )
    return limit
