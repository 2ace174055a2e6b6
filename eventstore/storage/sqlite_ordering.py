"""Order on SQLite: one writer at a time, so the order of positions is the order of commits.

That holds because every write begins with BEGIN IMMEDIATE, and because no position is ever used
again: a trigger refuses to delete the last event, so whoever purges a stream appends the tombstone
first. AUTOINCREMENT would do the same with a counter that is one more page to write for every
commit. ``epoch`` and ``xid`` are 0 for every event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventstore.core.events import Position
from eventstore.storage.ordering import HeadRow, Heads, Place

__all__ = ["SqliteOrdering"]

_HEAD: Final = (
    "SELECT version, recorded_at, hash, epoch, xid FROM {streams}"
    " WHERE tenant = ? AND category = ? AND stream = ?"
)
_LAST: Final = "SELECT coalesce(max(position), 0) FROM {events}"
_KEPT: Final = "last position"


class _Counting:
    """Counts on from the last position, which nobody else moves meanwhile."""

    epoch = 0
    xid = 0

    def __init__(self, tx: Any) -> None:  # noqa: ANN401 (a Transaction)
        self._last: dict[None, int] = tx.kept.setdefault(_KEPT, {})
        if None not in self._last:
            self._last[None] = int(tx.one(_LAST)[0])

    def next(self) -> int:
        self._last[None] += 1
        return self._last[None]


class SqliteOrdering:
    """Keeps the protocol ``Ordering``."""

    alone = True
    order = "position"
    last = _LAST
    version = "SELECT 'SQLite ' || sqlite_version()"

    def take(self, tx: Any, places: Sequence[Place], events: int, *, patient: bool) -> Heads:  # noqa: ANN401, ARG002 (nobody has to be waited for)
        rows = {
            place: HeadRow(*row) for place in places if (row := tx.one(_HEAD, place)) is not None
        }
        return Heads(rows, _Counting(tx))

    def confirm_absent(self, tx: Any, places: Sequence[Place]) -> None:  # noqa: ANN401
        """Nobody else writes meanwhile."""

    def confirm_whole(self, tx: Any) -> None:  # noqa: ANN401
        """It is one file."""

    def after(self, tx: Any, position: Position) -> tuple[str, tuple[Any, ...]]:  # noqa: ANN401, ARG002
        return "position > ?", (position.sequence,)

    def holder(self, tx: Any) -> None:  # noqa: ANN401
        """Nobody can: what is committed is seen."""
