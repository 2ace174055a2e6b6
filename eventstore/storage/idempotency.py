"""Store idempotency keys, so that a repeated request is recognised and not performed again.

A key is kept within its stream, with a salted digest of the request and the version at which each
of its commands ended, from which the answer is rebuilt. An erasure deletes salt and digest, which
together would confirm a guess of the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from eventstore.core import codec
from eventstore.core.events import StreamKey
from eventstore.errors import IdempotencyConflict
from eventstore.storage.requests import AppendRequest
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = ["IdempotencyKeys", "KeptKey", "digested_command"]

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
    def of(cls, request: AppendRequest, salt: bytes, first: int, ends: Sequence[int]) -> KeptKey:
        """Return the record of a request that was just accepted."""
        return cls(salt, _digest(salt, request.digested), first, ends)

    def check(self, request: AppendRequest) -> None:
        """Check that a repeat equals the first request; without a digest the decider compares.

        Raises:
            IdempotencyConflict: the key was used for something else.
        """
        same = not self.digest or self.digest == _digest(self.salt, request.digested)
        if not same or len(self.ends) != len(request.commands):
            raise IdempotencyConflict(request.stream.text, request.key or "")


class _Place(Protocol):
    """The place of a stream's rows: its head, as the transaction has it."""

    tenant: int | None
    category: int | None
    key: StreamKey

    @property
    def new(self) -> bool:
        """True while the database does not have the stream yet."""


class IdempotencyKeys:
    """The keys of one transaction: those in the tables, and those just accepted."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._kept: dict[tuple[StreamKey, str], KeptKey] = {}
        self._rows: list[tuple[Any, ...]] = []

    def find(self, request: AppendRequest, place: _Place) -> KeptKey | None:
        """Return the record of an earlier request with the same key to the same stream."""
        assert request.key is not None  # noqa: S101 (asked by the caller)
        kept = self._kept.get((request.stream, request.key))
        if kept is not None or place.new:
            return kept
        where = (place.tenant, place.category, place.key.id, request.key)
        row = self._tx.one(_FIND, where)
        if row is None:
            return None
        salt, digest, first, last, ends = row
        return KeptKey(salt, digest, first, [last] if ends is None else codec.decode_any(ends))

    def keep(self, request: AppendRequest, place: _Place, kept: KeptKey) -> None:
        """Remember a request that was accepted."""
        assert request.key is not None  # noqa: S101 (asked by the caller)
        self._kept[request.stream, request.key] = kept
        salt, digest, first, ends = kept
        several = codec.encode(ends) if len(ends) > 1 else None
        self._rows.append(
            (
                *(place.tenant, place.category, place.key.id, request.key),
                *(salt, digest, first, ends[-1], several),
            )
        )

    def write(self) -> None:
        """Write the remembered records."""
        if self._rows:
            self._tx.write(_INSERT, self._rows)
            self._rows = []


def _digest(salt: bytes, digested: bytes) -> bytes:
    return sha256(salt + digested).digest()


def digested_command(commands: Sequence[Any], guards: Any) -> bytes:  # noqa: ANN401
    """Return the bytes to digest for an idempotency key: named commands and their guards."""
    named = [
        [type(command).__name__, msgspec.to_builtins(command, builtin_types=(bytes,))]
        for command in commands
    ]
    return codec.encode_canonical([named, guards])
