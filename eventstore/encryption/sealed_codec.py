"""Seals content and words: the codec of a store that was opened with encryption.

Sealed content is 0xC1, the format 1, the id of the key, a random nonce, and AES-256-GCM over the
content, with its place in the log as associated data. ``docs/format.md`` has the bytes.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import struct
from collections.abc import Callable, Sequence
from contextvars import Token
from functools import partial
from hashlib import sha256
from hmac import digest
from typing import Final, TypeVar

from sqlalchemy.util import await_only
from sqlalchemy.util.concurrency import in_greenlet

from eventstore.core.codec import (
    COVERED,
    KEY_ID_BYTES,
    SEALED,
    ContentCodec,
    KeysWanted,
    SqlTransaction,
    WordCodec,
    owner_of,
    words_of,
)
from eventstore.core.events import StreamKey
from eventstore.encryption.data_keys import DataKeys, DataKeyStore
from eventstore.encryption.fetching import fetched_by, look_up
from eventstore.encryption.key_ring import DataKey, Destroyed, Found, KeyRing, WordKey
from eventstore.encryption.key_table import KeyTable
from eventstore.errors import BrokenChain, KeyUnavailable

__all__ = ["SealedCodec"]

T = TypeVar("T")

_HEADER: Final = bytes([SEALED, 1])
_NONCE_BYTES: Final = 12
_NONCE_AT: Final = len(_HEADER) + KEY_ID_BYTES
_CONTENT_AT: Final = _NONCE_AT + _NONCE_BYTES
_TAG: Final = b"eventstore/sealed/1"
_VERSION: Final = struct.Struct(">q")
_TOKEN_BYTES: Final = 24
_RETIRED: Final = (
    "SELECT generation FROM {retired_keys}"
    " WHERE tenant = (SELECT id FROM {tenants} WHERE name = ?) AND kind = ? AND owner = ?"
)


class SealedCodec(ContentCodec):
    """Seals with the keys of a ring, and opens what any of them sealed."""

    seals = True
    as_is = False

    def __init__(self, ring: KeyRing, keys: DataKeyStore | None) -> None:
        """``keys`` is a key store that any thread can ask; None for one in the database."""
        self.ring: Final = ring
        self.keys: Final = keys
        self.words: WordCodec = _SealedWords(self)

    # -- down ----------------------------------------------------------------------------------

    def seal(
        self, content: bytes, stream: StreamKey, subject: bytes | None, place: bytes, version: int
    ) -> bytes:
        owner = owner_of(stream, subject)
        key = self.ring.sealing(owner)
        if key is None:
            raise KeysWanted([owner])
        if key.used() > key.granted:
            self.ring.spent(key)
            raise KeysWanted([owner])
        nonce = os.urandom(_NONCE_BYTES)
        sealed = key.aes.encrypt(nonce, content, _TAG + place + _VERSION.pack(version))
        return b"".join((_HEADER, key.key_id, nonce, sealed))

    def retired(self, owner: StreamKey, generation: int) -> None:
        self.ring.retired(owner, generation)

    def lock(self) -> Token[bool]:
        return self.ring.locked.set(True)

    def unlock(self, mark: Token[bool] | None) -> None:
        if mark is not None:
            self.ring.locked.reset(mark)

    def close(self) -> None:
        self.ring.forget()
        close = getattr(self.keys, "close", None)  # a key store need not have it
        if close is not None:
            close()

    # -- up ------------------------------------------------------------------------------------

    def unseal(
        self,
        tx: SqlTransaction,
        sealed: Sequence[tuple[bytes, bytes, int]],
        told: Callable[[int], tuple[str, int]],
    ) -> list[bytes | None]:
        key_ids = [raw[len(_HEADER) : _NONCE_AT] for raw, _, _ in sealed]
        keys = {key_id: self.ring.opening(key_id) for key_id in {*key_ids}}
        missing = [key_id for key_id, key in keys.items() if key is None]
        if missing and self.ring.problem is None:
            keys.update(self.load(tx, KeysWanted(key_ids=missing)))
        opened: list[bytes | None] = []
        for n, ((raw, place, version), key_id) in enumerate(zip(sealed, key_ids, strict=True)):
            key = keys[key_id]
            if isinstance(key, Destroyed):
                opened.append(None)
            elif isinstance(key, DataKey) and raw[: len(_HEADER)] == _HEADER:
                opened.append(_opened(key, raw, (place, version), partial(told, n)))
            else:
                raise self._no_key(raw, *told(n))
        return opened

    def load(self, tx: SqlTransaction, wanted: KeysWanted) -> Found:
        """Fetch keys in the middle of a read.

        Raises:
            KeysWanted: it is the read of a write, which holds the lock.
        """
        if self.ring.locked.get():
            raise wanted
        return self.asked(tx, lambda keys: fetched_by(keys, look_up(self.ring, wanted)))

    def asked(self, tx: SqlTransaction, act: Callable[[DataKeys], T]) -> T:
        """Ask the key store something in the middle of a transaction that holds no lock."""
        if self.keys is None:
            return act(KeyTable(tx))
        if not in_greenlet():
            return act(self.keys)
        return await_only(asyncio.to_thread(act, self.keys))  # the event loop goes on meanwhile

    def thought(self, act: Callable[[], T]) -> T:
        """Let the master keys work in the middle of a transaction that holds no lock."""
        return await_only(asyncio.to_thread(act)) if in_greenlet() else act()

    # -- destroying ----------------------------------------------------------------------------

    def generations(self, tx: SqlTransaction, key_ids: Sequence[bytes]) -> list[int]:
        """Return the generations of those of the keys that were not destroyed."""
        found = self.asked(tx, lambda keys: keys.get(key_ids)) if key_ids else ()
        return [key.generation for key in found if key.wrapped is not None]

    def destroyed(self, tx: SqlTransaction, owner: StreamKey, generation: int) -> int:
        """Destroy the keys of an owner up to a generation; return how many there were."""
        gone = self.asked(tx, lambda keys: keys.destroy(owner, generation))
        self.ring.forget(lambda one: one == owner)
        return gone

    def _no_key(self, raw: bytes, stream: str, version: int) -> KeyUnavailable:
        if raw[: len(_HEADER)] != _HEADER:
            problem = "it was sealed in a format that this version does not know"
        else:
            problem = self.ring.problem or "the key store does not have it"
        return KeyUnavailable(f"the content of {stream} at version {version}", problem)


def _opened(
    key: DataKey, raw: bytes, where: tuple[bytes, int], told: Callable[[], tuple[str, int]]
) -> bytes:
    place, version = where
    nonce, sealed = raw[_NONCE_AT:_CONTENT_AT], raw[_CONTENT_AT:]
    try:
        opened = key.aes.decrypt(nonce, sealed, _TAG + place + _VERSION.pack(version))
    except Exception:  # noqa: BLE001 (InvalidTag, or ValueError for too few bytes)
        raise BrokenChain(
            *told(), "its content was sealed for another place, or was changed"
        ) from None
    return opened


class _SealedWords:
    """Hides words with the key of their tenant."""

    def __init__(self, codec: SealedCodec) -> None:
        self._codec = codec

    def _known(self, tx: SqlTransaction, tenant: str) -> WordKey | None:
        """Return the key of a tenant; None if it never wrote a word with encryption.

        Another process may have erased the tenant and written with another key since this one was
        fetched. A write checks that under its lock, and a read here, in its own transaction.
        """
        ring, owner = self._codec.ring, words_of(tenant)
        if not ring.locked.get() and ring.words(owner) is not None:
            for (generation,) in tx.all(_RETIRED, owner):
                ring.retired(owner, generation)
        key = ring.words(owner)
        if key is None and ring.problem is None:
            found = self._codec.load(tx, KeysWanted([owner]))
            key = next((one.words for one in found.values() if isinstance(one, DataKey)), None)
        return key

    def _key(self, tx: SqlTransaction, tenant: str) -> WordKey:
        key = self._known(tx, tenant)
        if key is None:
            problem = self._codec.ring.problem or "the key store does not have it"
            raise KeyUnavailable("the words of a tenant", problem)
        return key

    def token(self, tx: SqlTransaction, tenant: str, word: str) -> str:
        key = self._known(tx, tenant)
        if key is None:
            return word  # no table has a sealed one
        found = digest(key.tokens, word.encode(), sha256)[:_TOKEN_BYTES]
        return COVERED + base64.urlsafe_b64encode(found).decode()

    def cover(self, tx: SqlTransaction, tenant: str, place: bytes, word: str) -> str:
        key, raw = self._key(tx, tenant), word.encode()
        nonce = digest(key.nonces, place + raw, sha256)[:_NONCE_BYTES]  # equal for equal words
        sealed = key.aes.encrypt(nonce, raw, _TAG + place)
        return COVERED + base64.urlsafe_b64encode(nonce + sealed).decode()

    def uncover(self, tx: SqlTransaction, tenant: str, place: bytes, covered: str) -> str:
        if not covered.startswith(COVERED):
            return covered
        for last in (False, True):
            try:
                raw = base64.urlsafe_b64decode(covered.removeprefix(COVERED))
                nonce, sealed = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
                word = self._key(tx, tenant).aes.decrypt(nonce, sealed, _TAG + place)
                return word.decode()
            except (binascii.Error, ValueError, _invalid_tag()):
                if last:
                    break
                owner = words_of(tenant)  # perhaps the tenant was erased, and has another key now
                self._codec.ring.forget(owner.__eq__)
        raise KeyUnavailable("a label", "it was sealed for another place, or changed")

    def blind(self, tx: SqlTransaction, tenant: str, raw: bytes) -> bytes:
        return digest(self._key(tx, tenant).tokens, b"\0digest" + raw, sha256)


def _invalid_tag() -> type[Exception]:
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (an extra)

    return InvalidTag
