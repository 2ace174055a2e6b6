"""Snapshots of the states of threads: bytes that a reader keeps for later readers.

Nothing depends on the table ``snapshots``. A row is worth nothing without the log: it names the
hash of the event that it was taken at, and is used only while that event stands there. Whoever
misses a row reads more events, so rows may be deleted at any time.

Reading never writes. A snapshot waits in the memory of its store, where readers find it already,
until the store writes something anyway, or is closed; then it goes into the table.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from eventstore.storage.chain_pages import event_hash_at
from eventstore.storage.ordering import Place
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = ["BYTES_MAX", "Kept", "Snapshots"]

BYTES_MAX: Final = 16 * 2**20
"""Size of all snapshots that wait; when there are more, the oldest go."""
_WRITTEN_BYTES: Final = 2**20
"""Size above which a transaction writes no further one: it has something else to do."""

_KEY: Final = ("tenant", "thread", "version")
_STATE: Final = ("hash", "state")
_INSERT: Final = Insert("snapshots", (*_KEY, *_STATE), conflict=_KEY, replaces=_STATE)
_STANDING: Final = (
    "FROM {snapshots} s WHERE s.tenant = ? AND s.thread = ?"
    " AND s.version <= ? AND s.version > ? AND EXISTS (SELECT 1 FROM {events} e"
    " WHERE e.tenant = s.tenant AND e.category = ? AND e.stream = s.thread"
    " AND e.version = s.version AND e.hash = s.hash) ORDER BY s.version DESC LIMIT 1"
)
_NEAREST: Final = f"SELECT s.version, s.hash, s.state {_STANDING}"
_LAST: Final = f"SELECT s.version {_STANDING}"
_HELD: Final = (
    "SELECT 1 FROM {streams} WHERE tenant = ? AND category = ? AND stream = ?"
    " FOR UPDATE SKIP LOCKED"
)
"""On PostgreSQL nobody purges the thread then before this transaction ends, and nobody waits."""


class Kept(NamedTuple):
    """A snapshot, and the event after which it was taken."""

    version: int
    hash: bytes
    state: bytes


class Snapshots:
    """The snapshots of one store, by thread.

    Threads change the dictionary without a lock, each in single steps. Where two meet, or where one
    is interrupted, a snapshot is lost, and nothing else.
    """

    def __init__(self) -> None:
        self.waiting: dict[Place, tuple[Kept, ...]] = {}
        """Those that no transaction has taken along yet; the thread that was read last is last."""

    def nearest(self, tx: Transaction, place: Place, until: int) -> Kept | None:
        """Return the last snapshot of a thread at a version or before it, if it still holds."""
        waiting = self._nearest_waiting(tx, place, until)
        tenant, category, thread = place
        after = 0 if waiting is None else waiting.version
        row = tx.one(_NEAREST, (tenant, thread, until, after, category))
        return waiting if row is None else Kept(row[0], bytes(row[1]), bytes(row[2]))

    def last(self, tx: Transaction, place: Place, until: int) -> int:
        """Return the version of the nearest snapshot; 0 if there is none."""
        waiting = self._nearest_waiting(tx, place, until)
        tenant, category, thread = place
        after = 0 if waiting is None else waiting.version
        row = tx.one(_LAST, (tenant, thread, until, after, category))
        return after if row is None else int(row[0])

    def waits(self, place: Place, until: int) -> bool:
        """Return whether one of a thread at a version or before it is in memory."""
        return any(one.version <= until for one in self.waiting.get(place, ()))

    def _nearest_waiting(self, tx: Transaction, place: Place, until: int) -> Kept | None:
        for one in reversed(self.waiting.get(place, ())):
            if one.version <= until and event_hash_at(tx, place, one.version) == one.hash:
                return one
        return None

    def keep(self, tx: Transaction, place: Place, version: int, state: bytes) -> None:
        """Keep a snapshot of a thread, taken in this transaction after one of its events."""
        digest = event_hash_at(tx, place, version)
        if digest is None or len(state) > BYTES_MAX:
            return
        others = [one for one in self.waiting.pop(place, ()) if one.version != version]
        self.waiting[place] = tuple(sorted([*others, Kept(version, digest, state)]))
        left = BYTES_MAX
        for known in reversed(list(self.waiting)):
            for one in reversed(self.waiting.get(known, ())):
                left -= len(one.state)
                if left < 0:
                    self._drop(known, one)

    def write(self, tx: Transaction, *, most: int = _WRITTEN_BYTES) -> None:
        """Write what waits, or some of it, in a transaction that writes anyway.

        If it is rolled back, these are lost, and somebody takes them again.
        """
        written = 0
        for place in list(self.waiting):
            for one in self.waiting.get(place, ()):
                if written >= most:
                    return
                self._drop(place, one)
                if self._may_be_written(tx, place, one):
                    tenant, _, thread = place
                    tx.write(_INSERT, [(tenant, thread, *one)])
                written += len(one.state)

    def _may_be_written(self, tx: Transaction, place: Place, one: Kept) -> bool:
        """Return whether the event of a snapshot stands in the log, and stays there meanwhile.

        The transaction in which it was taken may have been rolled back, or the thread purged since.
        """
        held = tx.ordering.single_writer or tx.one(_HELD, place) is not None
        return held and event_hash_at(tx, place, one.version) == one.hash

    def _drop(self, place: Place, kept: Kept) -> None:
        others = tuple(one for one in self.waiting.get(place, ()) if one is not kept)
        if others:
            self.waiting[place] = others
        else:
            self.waiting.pop(place, None)
