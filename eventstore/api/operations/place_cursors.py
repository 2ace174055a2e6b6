"""Cursors of listings in the order of the whole store, which hide positions.

Threads and assistants are listed in the order of their creation, which is a position of the whole
store: two of them would show a tenant how much others wrote in between. So the position is sealed
with the random id of the database.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from eventstore.core.pages import EVERYTHING, decode_cursor, encode_cursor, seal, unseal
from eventstore.errors import InvalidInput
from eventstore.storage.recognising import id_of_store
from eventstore.storage.transaction import Transaction

__all__ = ["cursor_of_place", "place_behind", "place_cursor"]

_Sealed: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
_REMEDY: Final = "Give a page's next_cursor, with the arguments that the page was listed with."


def cursor_of_place(tx: Transaction, listing: bytes, position: int) -> str:
    """Return the cursor of a place."""
    return encode_cursor(listing, seal(id_of_store(tx) + listing, position))


def place_cursor(listing: bytes, text: object) -> bytes:
    """Return the sealed position in a cursor of this listing.

    Raises:
        InvalidInput: it is none.
    """
    return decode_cursor(listing, text, tuple[_Sealed])[0]


def place_behind(tx: Transaction, listing: bytes, sealed: bytes) -> int:
    """Return the place behind a cursor.

    Raises:
        InvalidInput: it was made by hand, or by another store.
    """
    position = unseal(id_of_store(tx) + listing, sealed)
    if position > EVERYTHING:
        raise InvalidInput("after", "is not a cursor of this listing", _REMEDY)
    return position
