"""The option ``encryption=`` of ``open()``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventstore.encryption.data_keys import DataKeyStore
from eventstore.encryption.key_ring import KeyRing
from eventstore.encryption.master_keys import MasterKey, aes_gcm
from eventstore.encryption.sealed_codec import SealedCodec
from eventstore.errors import InvalidInput

__all__ = ["DatabaseKeys", "Encryption"]

_ASKED: Final = ("newest", "get", "put", "reserve", "page", "replace", "destroy", "destroy_tenant")


class DatabaseKeys:
    """Says that data keys are kept in the database itself, in the table ``data_keys``.

    A backup then holds the wrapped keys next to what they seal. Destroying one makes no backup
    unreadable that was taken before; only the loss of the master key does.
    """


class Encryption:
    """Seals content with AES-256-GCM, by a data key for each subject."""

    def __init__(
        self,
        master_key: MasterKey,
        keys: DataKeyStore | DatabaseKeys,
        *,
        former_master_keys: Sequence[MasterKey] = (),
        may_store_words: Sequence[str] = (),
        keys_in_memory: int = 10_000,
        memory_seconds: float = 300.0,
    ) -> None:
        """Check the options.

        Args:
            master_key: Wraps data keys.
            keys: Where data keys are kept: ``SqliteKeys("keys.db")``, ``DatabaseKeys()`` or a key
                store of your own.
            former_master_keys: Master keys that wrapped data keys earlier; needed until
                ``store.keys.rotate()`` has wrapped all of them again.
            may_store_words: Names of projections that may store plain words in tables of theirs,
                for example ``["message_search"]``.
            keys_in_memory: Most unwrapped keys that the store keeps.
            memory_seconds: How long it keeps one before it asks the key store again.

        Raises:
            InvalidInput: naming the argument; or ``cryptography`` is not installed.
        """
        aes_gcm(bytes(32))
        self.masters: Final = (master_key, *former_master_keys)
        for one in self.masters:
            if not all(hasattr(one, name) for name in ("id", "wrap", "unwrap")):
                raise InvalidInput(
                    "master_key", "is no MasterKey", "Give a LocalMasterKey, or one of your own."
                )
        if not isinstance(keys, DatabaseKeys) and not all(hasattr(keys, one) for one in _ASKED):
            raise InvalidInput(
                "keys", "is no DataKeyStore", "Give SqliteKeys(path) or DatabaseKeys()."
            )
        if isinstance(may_store_words, str):
            raise InvalidInput("may_store_words", "is one text", "Give a list of names.")
        if keys_in_memory < 1 or memory_seconds <= 0:
            raise InvalidInput("keys_in_memory", "is less than one", "Give a positive number.")
        self.keys: Final = keys
        self.may_store_words: Final = frozenset(may_store_words)
        self._keys_in_memory = keys_in_memory
        self._memory_seconds = memory_seconds

    def codec(self) -> SealedCodec:
        """Return the codec of one store."""
        ring = KeyRing(self.masters, keys_max=self._keys_in_memory, seconds=self._memory_seconds)
        return SealedCodec(ring, None if isinstance(self.keys, DatabaseKeys) else self.keys)
