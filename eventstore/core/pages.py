"""Pages and cursors: listings are read page by page; a cursor marks the next page."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from hashlib import blake2b
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar

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
"""A LIMIT that limits nothing: PostgreSQL refuses SQLite's -1."""

_MARK: Final = "c_"
_CURSOR_MAX: Final = 1_000

Order: TypeAlias = Literal["asc", "desc"]
"""Order of a listing: oldest first, or newest first."""

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
"""A version, position or depth inside a cursor; bounded because a caller may forge a cursor."""

T = TypeVar("T")


class PageOf(Value, Generic[T]):
    """One page of a listing. Iterating over it yields the items of this page only."""

    model_config: ClassVar[ConfigDict] = ConfigDict(arbitrary_types_allowed=True)

    data: tuple[T, ...]
    """Items of the page."""
    next_cursor: str | None = None
    """Pass it as ``after`` to get the next page; None at the end."""

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
        """Leave out the store from which the next page would be read."""
        state = super().__getstate__()
        kept = {name: value for name, value in state["__dict__"].items() if name != "_next"}
        return {**state, "__dict__": kept}

    def _alone(self) -> InvalidInput:
        """Return the error for asking a page without a store for its next page."""
        return InvalidInput(
            "page",
            "was copied, or made without a store, so it cannot fetch the pages after it",
            "List again with the same arguments and after=page.next_cursor.",
        )


def listing_key(*values: object) -> bytes:
    """Return a digest that identifies a listing: its kind, tenant, filters and order."""
    return blake2b(codec.encode_canonical(values), digest_size=8).digest()


def encode_cursor(listing: bytes, *values: object) -> str:
    """Return a place in a listing as opaque text."""
    raw = codec.encode([listing, *values])
    return _MARK + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(listing: bytes, text: object, shape: type[T], field: str = "after") -> T:
    """Return the place behind a cursor of this listing; ``shape`` is its type.

    Raises:
        InvalidInput: naming ``field``; also for a cursor of another listing.
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
    """Encrypt a number of 64 bits, so that it says nothing without the key.

    A cursor that shows a place in the order of the whole store would show a tenant how much other
    tenants write. Equal numbers give equal bytes; their order stays hidden.
    """
    left, right = divmod(number, _HALF)
    for turn in range(_TURNS):
        left, right = right, left ^ _mixed(key, turn, right)
    return (left * _HALF + right).to_bytes(8, "big")


def unseal(key: bytes, sealed: bytes) -> int:
    """Return the number that was sealed; for forged bytes, an arbitrary number."""
    left, right = divmod(int.from_bytes(sealed, "big"), _HALF)
    for turn in reversed(range(_TURNS)):
        left, right = right ^ _mixed(key, turn, left), left
    return left * _HALF + right


_HALF: Final = 2**32
_TURNS: Final = 4
"""Rounds of the Feistel network. Four resist even an attacker who chooses the cursors."""


def _mixed(key: bytes, turn: int, half: int) -> int:
    mixed = blake2b(half.to_bytes(4, "big"), digest_size=4, key=key, salt=bytes([turn]))
    return int.from_bytes(mixed.digest(), "big")


def check_limit(limit: object, page_size_max: int, field: str = "limit") -> int | None:
    """Return ``limit`` if it is None (everything) or between 1 and ``page_size_max``.

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
