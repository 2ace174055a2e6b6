"""Know a thread's removed messages, all of them while they are few.

Every append checks whether its place is hidden. By key that is a statement for each range of the
path above, and a trip to the server. Most threads have removed a handful of messages, which are
read at once and kept with the view.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from eventstore.conversation.rows import MessageRow

__all__ = ["REMOVED", "REMOVED_MAX", "Removed"]

REMOVED_MAX: Final = 64
"""Largest number of removed messages that are all known."""

REMOVED: Final = "removed IS NOT NULL AND hop >= 0"
"""SQL that selects them; there is an index of them alone."""


class Removed:
    """The places of a thread's removed messages, inherited ones included."""

    def __init__(self, rows: Iterable[MessageRow]) -> None:
        self._depths: Final[dict[tuple[int, int], set[int]]] = defaultdict(set)
        for row in rows:
            self.keep(row)

    def keep(self, row: MessageRow) -> None:
        """Note a message that was removed, restored or neither."""
        if row.place is None:
            return
        depths = self._depths[row.place[:2]]
        if row.removed is None:
            depths.discard(row.place.depth)
        else:
            depths.add(row.place.depth)

    def first(self, hop: int, segment: int, start: int, end: int) -> int | None:
        """Return the first depth start..end of a segment at which a message was removed."""
        depths = self._depths.get((hop, segment), ())
        return min((depth for depth in depths if start <= depth <= end), default=None)

    def first_inherited(self, start: int, end: int) -> int | None:
        """Return the first depth start..end of the inherited path at which one was removed."""
        found = [self.first(*key, start, end) for key in self._depths if key[0]]
        return min((depth for depth in found if depth is not None), default=None)
