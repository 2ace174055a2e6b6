"""The table ``key_stores``: the ids of the key stores that hold keys of this database.

A key store that was exchanged, or is gone, is noticed by it, and a database that holds sealed
content by a row in it.
"""

from __future__ import annotations

from typing import Final

from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = ["known_key_stores", "note_key_store"]

_ALL: Final = "SELECT id FROM {key_stores}"
_NOTE: Final = Insert("key_stores", ("id",), conflict=("id",))


def known_key_stores(tx: Transaction) -> list[bytes]:
    """Return the ids of the key stores; none if nothing was ever sealed."""
    return [bytes(row[0]) for row in tx.all(_ALL)]


def note_key_store(tx: Transaction, key_store: bytes) -> None:
    """Note that a key store holds keys of this database."""
    tx.write(_NOTE, [(key_store,)])
