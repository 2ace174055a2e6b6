"""Snapshots of the states of streams: bytes that readers keep for later readers of the same store.

Nothing depends on a snapshot. It stands in memory only, so no other process and no backup has it,
and it is worth nothing without the log: it names the hash of the event that it was taken at, and is
used only while that event stands there. When the store is full of them, the oldest go.
"""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

from eventstore.storage.chain_pages import event_hash_at
from eventstore.storage.ordering import Place
from eventstore.storage.transaction import Transaction

__all__ = ["Kept", "Snapshots"]

BYTES_MAX: Final = 16 * 2**20
"""Size of all snapshots of a store."""


class Kept(NamedTuple):
    """A snapshot, and the event after which it was taken."""

    version: int
    hash: bytes
    state: bytes


class Snapshots:
    """The snapshots of one store, by stream."""

    def __init__(self) -> None:
        self._kept: dict[Place, tuple[Kept, ...]] = {}
        self._bytes = 0
        self._changing = threading.Lock()
        """Never waited for: whoever finds it taken keeps nothing, also in a forked child."""

    def nearest(self, tx: Transaction, place: Place, until: int) -> Kept | None:
        """Return the last snapshot of a stream at a version or before it, if it still holds."""
        for one in reversed(self._kept.get(place, ())):
            if one.version <= until and event_hash_at(tx, place, one.version) == one.hash:
                return one
        return None

    def keep(self, tx: Transaction, place: Place, version: int, state: bytes) -> None:
        """Keep a snapshot of a stream, taken in this transaction after one of its events."""
        digest = event_hash_at(tx, place, version)
        if digest is None or len(state) > BYTES_MAX or not self._changing.acquire(blocking=False):
            return
        try:
            before = self._kept.pop(place, ())
            others = [one for one in before if one.version != version]
            self._kept[place] = tuple(sorted([*others, Kept(version, digest, state)]))
            self._bytes += len(state) - sum(len(one.state) for one in before if one not in others)
            while self._bytes > BYTES_MAX:
                self._drop_one()
        finally:
            self._changing.release()

    def _drop_one(self) -> None:
        place, kept = next(iter(self._kept.items()))
        self._bytes -= len(kept[0].state)
        if len(kept) > 1:
            self._kept[place] = kept[1:]
        else:
            del self._kept[place]
