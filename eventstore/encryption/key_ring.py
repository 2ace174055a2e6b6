"""The data keys that one store has in memory, unwrapped.

The ring is bounded. A key is forgotten after a while and fetched again, which shows whether it was
destroyed: so a key that another process destroyed leaves the memory of this one, too. Until then it
can open nothing that is still stored, and seal nothing: that is checked under the write lock.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from hashlib import sha256
from hmac import digest
from itertools import count
from typing import Any, Final, TypeAlias

from eventstore.core.codec import KEY_ID_BYTES, WORDS
from eventstore.core.events import StreamKey
from eventstore.encryption.data_keys import KEY_BYTES, WrappedKey
from eventstore.encryption.master_keys import MasterKey, aes_gcm
from eventstore.errors import KeyUnavailable

__all__ = ["RESERVED", "USES_MAX", "DataKey", "Destroyed", "Found", "KeyRing", "WordKey"]

USES_MAX: Final = 2**32 - 2**20
"""Contents that one key seals. Nonces of 96 random bits are safe for 2**32; the rest is room for
processes that still seal with their share while another one makes the next key."""
RESERVED: Final = 2**16
"""Uses that a process takes at a time: counted before they happen, so a crash loses some."""


class WordKey:
    """Three keys made of a tenant's key for words."""

    __slots__ = ("aes", "nonces", "tokens")

    def __init__(self, raw: bytes) -> None:
        self.tokens: Final = digest(raw, b"eventstore/words/token/1", sha256)
        self.nonces: Final = digest(raw, b"eventstore/words/nonce/1", sha256)
        self.aes: Final = aes_gcm(digest(raw, b"eventstore/words/cover/1", sha256))


class DataKey:
    """An unwrapped key."""

    __slots__ = ("aes", "generation", "granted", "key_id", "owner", "until", "used", "words")

    def __init__(self, key: WrappedKey, raw: bytes, granted: int, until: float) -> None:
        self.key_id: Final = key.key_id
        self.owner: Final = key.owner
        self.generation: Final = key.generation
        self.aes: Final = aes_gcm(raw)
        self.words: Final = WordKey(raw) if key.owner.category == WORDS else None
        self.used: Final[Callable[[], int]] = count(1).__next__
        """Counts a use; one step in C, so threads share it."""
        self.granted: Final = granted
        """Contents that it may seal here; 0 if it only opens."""
        self.until: float = until


class Destroyed:
    """Stands for a key that was destroyed."""

    __slots__ = ("until",)

    def __init__(self, until: float) -> None:
        self.until: float = until


Found: TypeAlias = dict[bytes, DataKey | Destroyed]
"""Keys by their ids."""


class KeyRing:
    """Keeps unwrapped keys; used from many threads."""

    def __init__(self, masters: Sequence[MasterKey], *, keys_max: int, seconds: float) -> None:
        self._masters: Final[Mapping[str, MasterKey]] = {one.id: one for one in masters}
        self._master: Final = masters[0]
        self._keys_max: Final = keys_max
        self._seconds: Final = seconds
        # A reentrant lock: a signal handler may run in the middle of a call, and write.
        self._lock = threading.RLock()
        self._sealing: dict[StreamKey, DataKey] = {}
        """By owner: its newest key, with uses left here."""
        self._opening: Found = {}
        """By id: keys to open with."""
        self._retired: dict[StreamKey, int] = {}
        self.problem: str | None = None
        """Why no key can be had at all, for example that the key store is another one."""
        self.bound = False
        """True once the database names the key store."""
        self.locked: Final[ContextVar[bool]] = ContextVar("eventstore_locked", default=False)
        """True in a transaction that holds the write lock, where nothing may be fetched."""
        _forget_in_children(self)

    # -- without asking anybody ----------------------------------------------------------------

    def sealing(self, owner: StreamKey) -> DataKey | None:
        """Return the key that seals an owner's content now; None if it has to be fetched."""
        key = self._sealing.get(owner)
        return None if key is None or key.until < time.monotonic() else key

    def opening(self, key_id: bytes) -> DataKey | Destroyed | None:
        """Return a key by its id; None if it has to be fetched."""
        key = self._opening.get(key_id)
        return None if key is None or key.until < time.monotonic() else key

    def words(self, owner: StreamKey) -> WordKey | None:
        """Return the key for a tenant's words; None if it has to be fetched."""
        key = self.sealing(owner)
        return None if key is None else key.words

    def floor(self, owner: StreamKey) -> int:
        """Return the generation up to which an owner's keys seal nothing any more, if known."""
        return self._retired.get(owner, 0)

    def __len__(self) -> int:
        return max(len(self._opening), len(self._sealing))

    # -- keeping and forgetting ----------------------------------------------------------------

    def keep(self, key: WrappedKey, raw: bytes | None, granted: int = 0) -> DataKey | Destroyed:
        """Keep an unwrapped key, or that it was destroyed; ``granted`` uses are reserved."""
        until = time.monotonic() + self._seconds
        made = Destroyed(until) if raw is None else DataKey(key, raw, granted, until)
        with self._lock:
            self._opening.pop(key.key_id, None)
            self._opening[key.key_id] = made
            if isinstance(made, DataKey) and (granted or made.words is not None):
                self._sealing.pop(key.owner, None)
                self._sealing[key.owner] = made
            while len(self._opening) > self._keys_max:
                self._opening.pop(next(iter(self._opening)), None)
            while len(self._sealing) > self._keys_max:
                self._sealing.pop(next(iter(self._sealing)), None)
        return made

    def renewed(self, key: WrappedKey) -> bool:
        """Keep a key for longer that is still the newest one; False if it has to be unwrapped."""
        with self._lock:
            known = self._sealing.get(key.owner)
            if known is None or known.key_id != key.key_id or key.wrapped is None:
                return False
            known.until = time.monotonic() + self._seconds
            return True

    def spent(self, key: DataKey) -> None:
        """Forget a key whose reserved uses are used up; more of them are reserved, or another."""
        with self._lock:
            if self._sealing.get(key.owner) is key:
                self._sealing.pop(key.owner, None)

    def retired(self, owner: StreamKey, generation: int) -> None:
        """Note that an owner's keys up to a generation seal nothing any more."""
        with self._lock:
            if len(self._retired) > self._keys_max:
                self._retired.clear()  # the check under the lock tells again
            self._retired[owner] = max(generation, self._retired.get(owner, 0))
            known = self._sealing.get(owner)
            if known is not None and known.generation <= generation:
                self._sealing.pop(owner, None)

    def forget(self, chosen: Callable[[StreamKey], bool] = lambda _: True) -> None:
        """Drop the keys of chosen owners, or all."""
        with self._lock:
            for owner in [*filter(chosen, self._sealing)]:
                self._sealing.pop(owner, None)
            for key_id, key in [*self._opening.items()]:
                if isinstance(key, Destroyed) or chosen(key.owner):
                    self._opening.pop(key_id, None)

    def _forget_in_child(self) -> None:
        """Drop everything: what is reserved is the parent's."""
        self._lock = threading.RLock()
        self._sealing, self._opening = {}, {}

    # -- wrapping ------------------------------------------------------------------------------

    def made(self, owner: StreamKey, generation: int) -> tuple[WrappedKey, bytes]:
        """Return a new key of an owner, wrapped by the first master key; and its bytes."""
        raw = os.urandom(KEY_BYTES)
        bare = WrappedKey(
            os.urandom(KEY_ID_BYTES), owner, generation, self._master.id, b"", RESERVED
        )
        return self.wrapped(bare, raw), raw

    def wrapped(self, key: WrappedKey, raw: bytes) -> WrappedKey:
        """Return a key wrapped by the first master key.

        Raises:
            KeyUnavailable: the master key cannot be used.
        """
        try:
            wrapped = self._master.wrap(raw, key.context)
        except Exception as error:  # noqa: BLE001 (a service raises whatever it likes)
            raise _unusable(self._master.id, error) from None
        return key._replace(master=self._master.id, wrapped=wrapped)

    def wrapped_again(self, key: WrappedKey) -> WrappedKey:
        """Return a key that was not destroyed, wrapped by the first master key.

        Raises:
            KeyUnavailable: as :meth:`unwrapped` and :meth:`wrapped` say.
        """
        raw = self.unwrapped(key)
        return key if raw is None else self.wrapped(key, raw)

    def unwrapped(self, key: WrappedKey) -> bytes | None:
        """Return the bytes of a key; None if it was destroyed.

        Raises:
            KeyUnavailable: its master key is not known here, cannot be used, or did not wrap it.
        """
        if key.wrapped is None:
            return None
        master = self._masters.get(key.master)
        if master is None:
            raise KeyUnavailable(
                _shown(key.owner),
                f"it is wrapped by the master key {key.master}, and the store was opened with"
                f" {', '.join(self._masters)}",
            )
        try:
            raw = master.unwrap(key.wrapped, key.context)
        except Exception as error:  # noqa: BLE001 (a service raises whatever it likes)
            raise KeyUnavailable(
                _shown(key.owner),
                f"the master key {key.master} does not open its row in the key store, which was"
                f" changed or belongs to another ({type(error).__name__})",
            ) from None
        if len(raw) != KEY_BYTES:
            raise KeyUnavailable(
                _shown(key.owner), f"the master key {key.master} gave no key of {KEY_BYTES} bytes"
            )
        return raw

    @property
    def master_id(self) -> str:
        """The id of the master key that wraps."""
        return self._master.id


def _unusable(master: str, error: Exception) -> KeyUnavailable:
    return KeyUnavailable(
        "new content", f"the master key {master} cannot be used ({type(error).__name__})"
    )


def _shown(owner: StreamKey) -> str:
    """Name an owner in an error."""
    if owner.category == WORDS:
        return "the words of a tenant"
    return f"{owner.category.lstrip('#')} {owner.id.hex()}"


_RINGS: Final[weakref.WeakSet[Any]] = weakref.WeakSet()


def _forget_in_children(ring: KeyRing) -> None:
    _RINGS.add(ring)


def _after_fork() -> None:
    for ring in list(_RINGS):
        ring._forget_in_child()  # noqa: SLF001 (this module's own)


os.register_at_fork(after_in_child=_after_fork)
