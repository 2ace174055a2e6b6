"""Order on SQLite: one writer at a time, so the order of positions is the order of commits.

That holds because every write begins with BEGIN IMMEDIATE, and because positions come from
AUTOINCREMENT's own counter, which never goes back (a plain rowid is used again once its row is
gone). ``epoch`` and ``xid`` are 0 for every event.
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
_LAST: Final = "SELECT seq FROM sqlite_sequence WHERE name = ?"
_KEPT: Final = "last position"


class _Counting:
    """Counts on from the last position, which nobody else moves meanwhile."""

    epoch = 0
    xid = 0

    def __init__(self, tx: Any) -> None:  # noqa: ANN401 (a Transaction)
        self._last: dict[None, int] = tx.kept.setdefault(_KEPT, {})
        if None not in self._last:
            row = tx.one(_LAST, (tx.naming.plain("events"),))
            self._last[None] = 0 if row is None else int(row[0])

    def next(self) -> int:
        self._last[None] += 1
        return self._last[None]


class SqliteOrdering:
    """Keeps the protocol ``Ordering``."""

    alone = True
    order = "position"
    last = "SELECT coalesce(max(position), 0) FROM {events}"
    version = "SELECT 'SQLite ' || sqlite_version()"

    def take(self, tx: Any, places: Sequence[Place], events: int, *, patient: bool) -> Heads:  # noqa: ANN401, ARG002 (nobody has to be waited for)
        rows = {
            place: HeadRow(*row) for place in places if (row := tx.one(_HEAD, place)) is not None
        }
        return Heads(rows, _Counting(tx))

    def confirm_absent(self, tx: Any, places: Sequence[Place]) -> None:  # noqa: ANN401
        """Nobody else writes meanwhile."""

    def after(self, position: Position) -> tuple[str, tuple[Any, ...]]:
        return "position > ?", (position.sequence,)

    def holder(self, tx: Any) -> None:  # noqa: ANN401
        """Nobody can: what is committed is seen."""
