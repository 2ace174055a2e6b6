"""Know the whole shape of a thread's tree: its segments, their ends, and their branch points.

Deciding asks many small questions about a tree: the end of a segment, the segments that hang from a
place, the turns of the path. By key each is a trip to the server, so that selecting a branch took
eight times as long as appending. But a conversation has few branches: up to :data:`SEGMENTS_MAX`
segments, one statement reads all of them, and the shape answers every question, also in the next
transaction, because events' changes are laid over it. Larger trees are read by key as before, which
costs the same for any number of branches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from eventstore.conversation.rows import (
    BranchPointRow,
    MessageRow,
    Place,
    SegmentRow,
)
from eventstore.storage.transaction import Transaction

__all__ = ["SEGMENTS_MAX", "Shape", "read_shape"]

SEGMENTS_MAX: Final = 64
"""Segments up to which a tree is read whole; each takes 200 bytes of a kept view."""

_SHAPE: Final = (
    "SELECT 0, g.hop, g.segment, g.parent_hop, g.parent_segment, g.parent_depth, g.ordinal,"
    " (SELECT max(m.depth) FROM {messages} m WHERE m.tenant = g.tenant AND m.thread = g.thread"
    " AND m.hop = g.hop AND m.segment = g.segment)"
    " FROM {segments} g WHERE g.tenant = ? AND g.thread = ?"
    " UNION ALL SELECT 1, hop, segment, depth, children, removed, active_hop, active_segment"
    " FROM {branch_points} WHERE tenant = ? AND thread = ?"
)


class Shape:
    """A thread's own part of its tree, without what a fork inherits."""

    def __init__(self) -> None:
        self.segments: Final[dict[tuple[int, int], SegmentRow]] = {}
        self.points: Final[dict[Place, BranchPointRow]] = {}
        self.ends: Final[dict[tuple[int, int], int]] = {}
        """Depths of the last messages of segments that have one."""
        self._hanging: dict[Place, set[tuple[int, int]]] = {}

    def keep(self, row: object) -> None:
        """Apply a changed row; rows that do not concern the shape are ignored."""
        if isinstance(row, MessageRow):
            if row.place is not None:
                place = row.place
                if place.depth > self.ends.get(place[:2], 0):
                    self.ends[place[:2]] = place.depth
        elif isinstance(row, SegmentRow):
            self.segments[row.hop, row.segment] = row
            self._hanging.setdefault(row.parent, set()).add((row.hop, row.segment))
        elif isinstance(row, BranchPointRow):
            self.points[row.place] = row

    def points_in(self, hop: int, segment: int, start: int, end: int) -> Iterator[BranchPointRow]:
        """Yield the branch points at depths start..end of a segment, in no order."""
        for place, row in self.points.items():
            if place.segment == segment and place.hop == hop and start <= place.depth <= end:
                yield row

    def hanging_from(self, place: Place) -> Iterable[tuple[int, int]]:
        """Return hop and segment of the segments that hang from a place, in no order."""
        return self._hanging.get(place, ())

    def hanging_places(self) -> Iterable[Place]:
        """Return the places from which segments hang, in no order."""
        return self._hanging.keys()

    @classmethod
    def of_rows(cls, rows: Iterable[Sequence[Any]]) -> Shape:
        """Return the shape from rows of :data:`_SHAPE`."""
        shape = cls()
        for kind, hop, segment, *rest in rows:
            if kind:
                depth, children, removed, active_hop, active = rest
                turned = None if active_hop is None else (active_hop, active)
                shape.keep(BranchPointRow(Place(hop, segment, depth), children, removed, turned))
            else:
                parent_hop, parent, parent_depth, ordinal, end = rest
                above = Place(parent_hop, parent, parent_depth)
                shape.keep(SegmentRow(hop, segment, above, ordinal))
                if end is not None:
                    shape.ends[hop, segment] = end
        return shape


def read_shape(tx: Transaction, tenant: int, thread_id: bytes) -> Shape:
    """Return the stored shape of a thread's tree, in one trip."""
    return Shape.of_rows(tx.all(_SHAPE, (tenant, thread_id, tenant, thread_id)))
