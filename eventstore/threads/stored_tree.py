"""Read the places of a thread's tree: what stands there, hangs from there, and is removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    MessageRow,
    Place,
    SegmentRow,
)
from eventstore.threads.removed import REMOVED, REMOVED_MAX, Removed
from eventstore.threads.shape import SEGMENTS_MAX, Shape, read_shape
from eventstore.threads.stored_rows import StoredRows

__all__ = ["StoredTree"]

_INHERITED_AT: Final = "hop > 0 AND depth BETWEEN ? AND ?"
"""On an inherited path the depth alone names the message."""


class StoredTree(StoredRows):
    """Answers for places; of a small tree it knows the whole shape."""

    # -- places --------------------------------------------------------------------------------

    def _tree(self) -> Shape | None:
        """Return the shape of the tree if it is small enough to be known whole."""
        if self._shape is not None or self._as_of is not None or self.thread is None:
            return self._shape
        if self._tenant is not None and self._segments <= SEGMENTS_MAX:
            self._shape = read_shape(self._tx, self._tenant, self.thread_id)
            for rows in self._changed.values():
                for row in rows.values():
                    self._shape.keep(row)
        return self._shape

    def message_at(self, place: Place) -> MessageRow | None:
        if place in self._placed:
            return self._placed[place]
        shape = None if place.hop else self._shape
        if shape is not None and place.depth > shape.end_of(0, place.segment):
            return None
        where = "hop = ? AND segment = ? AND depth = ?"
        row: MessageRow | None = self._find_one(MessageRow, where, place)
        if row is None and place.hop and (inherited := self._inheritance()) is not None:
            row = inherited.message_at(place)
        elif row is not None and self._as_of is not None:
            row = self._as_it_was(row)
        self._placed[place] = row
        return row

    def end_of(self, hop: int, segment: int) -> int:
        if hop and (inherited := self._inheritance()) is not None:
            return inherited.path.end_of(hop, segment)
        if (shape := self._tree()) is not None:
            return shape.end_of(hop, segment)
        where = "hop = ? AND segment = ? ORDER BY depth DESC"
        last = self._find_one(MessageRow, where, (hop, segment))
        depths = [row.place.depth for row in self._changed_in(hop, segment) if row.place]
        if last is not None and last.place is not None:
            depths.append(last.place.depth)
        return max(depths, default=0)

    def branch_point(self, place: Place) -> BranchPointRow | None:
        row: BranchPointRow | None
        if self._shape is not None:
            row = self._shape.points.get(place)
        else:
            row = self._row(BranchPointRow, place)
        if row is None and (place.hop or place == ROOT):
            return self._inherited_turn(place)
        return row

    def _inherited_turn(self, place: Place) -> BranchPointRow | None:
        inherited = self._inheritance() if place.hop or place == ROOT else None
        return None if inherited is None else inherited.path.turn(place)

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        points = self._points_in(hop, segment, start, end)
        return [points[place] for place in sorted(points) if points[place].active is not None]

    @property
    def inherited(self) -> Inheritance | None:
        inherited = self._inheritance()
        return None if inherited is None else inherited.path

    def turns_off(self, start: int, end: int) -> Sequence[BranchPointRow]:
        if (shape := self._tree()) is not None:
            found = list(shape.points.values())
        else:
            found = self._find(BranchPointRow, _INHERITED_AT, (start, end), few=True)
            found += self._changed_of(BranchPointRow)
        points = {row.place.depth: row for row in found if row.place.hop}
        turned = [points[depth] for depth in sorted(points) if start <= depth <= end]
        return [row for row in turned if row.active is not None and row.active[0] == 0]

    def _points_in(
        self, hop: int, segment: int, start: int, end: int
    ) -> dict[Place, BranchPointRow]:
        """Return this thread's own branch points at depths start..end of a segment."""
        if (shape := self._tree()) is not None:
            return {row.place: row for row in shape.points_in(hop, segment, start, end)}
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        found = self._find(BranchPointRow, where, (hop, segment, start, end))
        points = {row.place: row for row in found}
        for row in self._changed_of(BranchPointRow):
            if row.place[:2] == (hop, segment) and start <= row.place.depth <= end:
                points[row.place] = row
        return points

    def children(self, place: Place) -> Sequence[Place]:
        below = place.depth + 1
        first = []
        next_place = place._replace(depth=below)
        if place != ROOT and self.message_at(next_place) is not None:
            first = [next_place]
        elif (turn := self._inherited_turn(place)) is not None and turn.active:
            first = [Place(*turn.active, below)]
        begun = sorted(self._hanging_from(place), key=lambda one: (-one[0], one[1]))
        return first + [Place(*one, below) for one in begun]  # inherited places come first

    def _hanging_from(self, place: Place) -> Iterable[tuple[int, int]]:
        """Return hop and segment of this thread's own segments that hang from a place."""
        if (shape := self._tree()) is not None:
            return shape.hanging_from(place)
        where = "parent_hop = ? AND parent_segment = ? AND parent_depth = ?"
        found = self._find(SegmentRow, where, place)
        changed = [row for row in self._changed_of(SegmentRow) if row.parent == place]
        return {(row.hop, row.segment) for row in (*found, *changed)}

    def first_removed(self, hop: int, segment: int, start: int, end: int) -> int | None:
        if self.thread is None or not self.thread.removed_messages:
            return None
        if (gone := self._removed()) is not None:
            return gone.first(hop, segment, start, end)
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        return self._first_of_removed(where, (hop, segment, start, end)).first(
            hop, segment, start, end
        )

    def first_inherited_removed(self, start: int, end: int) -> int | None:
        if self.thread is None or not self.thread.removed_messages:
            return None
        if (gone := self._removed()) is not None:
            return gone.first_inherited(start, end)
        found = self._first_of_removed(_INHERITED_AT, (start, end))
        return found.first_inherited(start, end)

    def _removed(self) -> Removed | None:
        """Return the removed messages if they are few enough to be known whole."""
        if self._gone is None and self.thread is not None:
            if self.thread.removed_messages > REMOVED_MAX:
                return None
            rows = self._find(MessageRow, REMOVED, (), few=True)
            self._gone = Removed([*rows, *self._changed_of(MessageRow)])
        return self._gone

    def _first_of_removed(self, where: str, parameters: Sequence[int]) -> Removed:
        """Return removed messages in a range: at least the present first one."""
        changed = self._changed_of(MessageRow)
        some = f"{where} AND {REMOVED} ORDER BY depth LIMIT {len(changed) + 1}"
        return Removed([*self._find(MessageRow, some, parameters, few=True), *changed])

    def removed_children(self, place: Place) -> Sequence[Place]:
        """Return the places of removed children, found by their parent: one step for each."""
        above = None if place == ROOT else self.message_at(place)
        parent = None if above is None else above.message_id
        below, where = ("parent IS NULL", ()) if parent is None else ("parent = ?", (parent,))
        found = self._find(MessageRow, f"{REMOVED} AND {below}", where, few=True)
        rows = {row.message_id: row for row in [*found, *self._changed_of(MessageRow)]}
        return [
            row.place
            for row in rows.values()
            if row.place and row.removed is not None and row.parent_id == parent
        ]
