"""Data keys as they are kept, and the protocol of a store that keeps them.

A data key seals the content of one owner: a subject, or a stream where no subject is named. It is
kept wrapped by a master key, so a key store alone opens nothing. Destroying a key leaves its row
without the wrapped bytes, which tells a destroyed key from a lost one.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from eventstore.core.events import StreamKey

__all__ = ["KEY_BYTES", "DataKeyStore", "DataKeys", "WrappedKey"]

KEY_BYTES: Final = 32
_TAG: Final = b"eventstore/datakey/1"
_LENGTH: Final = struct.Struct(">I")


class WrappedKey(NamedTuple):
    """A data key as a key store keeps it."""

    key_id: bytes
    """16 random bytes; they stand before the content that the key sealed."""
    owner: StreamKey
    """Tenant, kind and 16 bytes: whose content the key seals."""
    generation: int
    """1, 2, 3 … among the keys of its owner; the newest one seals."""
    master: str
    """Id of the master key that wrapped it."""
    wrapped: bytes | None
    """None once it was destroyed."""
    uses: int
    """Contents that it may have sealed, counted before it seals them."""

    @property
    def context(self) -> bytes:
        """The bytes that are bound in when it is wrapped, so that no row can pass for another."""
        owner = self.owner
        fields = owner.tenant.encode(), owner.category.encode(), owner.id, self.key_id
        framed = b"".join(_LENGTH.pack(len(one)) + one for one in fields)
        return _TAG + framed + self.generation.to_bytes(8, "big")


class DataKeys(Protocol):
    """Wrapped data keys, to be read and changed."""

    def newest(self, owner: StreamKey) -> WrappedKey | None:
        """Return the key of the highest generation of an owner, also if it was destroyed."""

    def get(self, key_ids: Sequence[bytes]) -> Sequence[WrappedKey]:
        """Return those of the keys that there are, also destroyed ones."""

    def put(self, key: WrappedKey) -> bool:
        """Keep a new key, unless its owner has one of that generation; return whether it was."""

    def reserve(self, key_id: bytes, uses: int, most: int) -> bool:
        """Add to the uses of a key, unless they would exceed ``most``; return whether it was."""

    def page(self, after: bytes, most: int) -> Sequence[WrappedKey]:
        """Return the next keys in the order of their ids, destroyed ones left out."""

    def replace(self, old: WrappedKey, new: WrappedKey) -> bool:
        """Exchange what wraps a key, unless it changed meanwhile; return whether it was."""

    def destroy(self, owner: StreamKey, generation: int) -> int:
        """Destroy the keys of an owner up to a generation; return how many there were.

        Nobody can unwrap them from then on. To destroy a key twice is no error.
        """

    def destroy_tenant(self, tenant: str) -> int:
        """Destroy every key of a tenant; return how many there were."""


class DataKeyStore(DataKeys, Protocol):
    """Keeps wrapped data keys. Whatever a method changed is durable when it returns.

    Several processes use one key store at once, so :meth:`put`, :meth:`reserve`, :meth:`replace`
    and :meth:`destroy` must each be atomic.
    """

    @property
    def id(self) -> bytes | None:
        """16 random bytes that were made with the key store; None while it does not exist."""
