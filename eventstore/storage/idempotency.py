"""Store idempotency keys, so that a repeated request is recognised and not performed again.

A key is kept within its stream, with a salted digest of the request and the version at which each
of its commands ended, from which the answer is rebuilt. An erasure deletes salt and digest, which
together would confirm a guess of the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from eventstore.core import codec
from eventstore.storage.ordering import Place
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = ["KeptKey", "digested_command", "find_key", "key_row", "write_keys"]

_FIND: Final = (
    "SELECT salt, digest, first_version, last_version, ends FROM {idempotency_keys}"
    " WHERE tenant = ? AND category = ? AND stream = ? AND key = ?"
)
_INSERT: Final = Insert(
    "idempotency_keys",
    (
        *("tenant", "category", "stream", "key"),
        *("salt", "digest", "first_version", "last_version", "ends"),
    ),
)


class KeptKey(NamedTuple):
    """The stored record of one request."""

    salt: bytes
    digest: bytes
    """Empty once it was erased, with the content it was made of."""
    first: int
    """Version of its first event."""
    ends: Sequence[int]
    """The version at which each of its commands ended."""

    @classmethod
    def of(cls, digested: bytes, salt: bytes, first: int, ends: Sequence[int]) -> KeptKey:
        """Return the record of a request that was just accepted."""
        return cls(salt, _digest(salt, digested), first, ends)

    def is_of(self, digested: bytes, commands: int) -> bool:
        """Return whether a repeat may equal the first request; without a digest the events tell."""
        same = not self.digest or self.digest == _digest(self.salt, digested)
        return same and len(self.ends) == commands


def find_key(tx: Transaction, place: Place, key: str) -> KeptKey | None:
    """Return the stored record of a key within a stream."""
    row = tx.one(_FIND, (*place, key))
    if row is None:
        return None
    salt, digest, first, last, ends = row
    return KeptKey(salt, digest, first, [last] if ends is None else codec.decode_any(ends))


def key_row(place: Place, key: str, kept: KeptKey) -> tuple[Any, ...]:
    """Return the row of an accepted request, for :func:`write_keys`."""
    salt, digest, first, ends = kept
    several = codec.encode(ends) if len(ends) > 1 else None
    return (*place, key, salt, digest, first, ends[-1], several)


def write_keys(tx: Transaction, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write the records of accepted requests."""
    tx.write(_INSERT, rows)


def _digest(salt: bytes, digested: bytes) -> bytes:
    return sha256(salt + digested).digest()


def digested_command(commands: Sequence[Any], guards: Sequence[Any]) -> bytes:
    """Return the bytes to digest for an idempotency key: named commands and their guards."""
    named = [
        [type(command).__name__, msgspec.to_builtins(command, builtin_types=(bytes,))]
        for command in commands
    ]
    return codec.encode_canonical([named, guards])
