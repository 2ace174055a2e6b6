"""Read the messages of a thread's tree by id and by place, those that a fork inherits included.

Inherited messages are looked up in :mod:`~eventstore.threads.inherited`; the fork's own rows lie
over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    ForkPoint,
    MessageRow,
    Place,
    Row,
    RunRow,
    SegmentRow,
    ThreadRow,
)
from eventstore.core import ids
from eventstore.core.events import Event, made
from eventstore.storage import stream_heads
from eventstore.threads.ancestry import Ancestry
from eventstore.threads.cached_rows import CachedRows
from eventstore.threads.inherited import Inherited
from eventstore.threads.removed import REMOVED, REMOVED_MAX, Removed
from eventstore.threads.shape import SEGMENTS_MAX, Shape, read_shape

__all__ = ["StoredTree"]

R = TypeVar("R", bound=Row)

_INHERITED_AT: Final = "hop > 0 AND depth BETWEEN ? AND ?"
"""On an inherited path the depth alone names the message."""


class StoredTree(CachedRows):
    """Answers for rows by key and for places; of a small tree it knows the whole shape."""

    # -- rows by key ---------------------------------------------------------------------------

    def row(self, kind: type[R], key: object) -> R | None:
        return self._row(kind, key)

    def message(self, message_id: bytes) -> MessageRow | None:
        row: MessageRow | None = self._known[MessageRow].get(message_id)
        if row is None:
            row = self._row(MessageRow, message_id)
        if row is None and (inherited := self._inheritance()) is not None:
            return inherited.message(message_id)
        return row if row is None or self._as_of is None else self._as_it_was(row)

    def _as_it_was(self, row: MessageRow) -> MessageRow | None:
        """Return an own row as of an earlier version; see ``PastThread``."""
        return row

    def _beneath(self, message_id: bytes) -> MessageRow | None:
        """Return the row of an inherited message without this thread's own changes."""
        inherited = self._inheritance()
        return None if inherited is None else inherited.message(message_id)

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        if hop and (inherited := self._inheritance()) is not None:
            return inherited.path.segment(hop, segment)
        key = (hop, segment)
        if self._shape is not None:
            return self._shape.segments.get(key)
        row: SegmentRow | None = self._row(SegmentRow, key)
        return row

    def run(self, run_id: bytes) -> RunRow | None:
        return self.row(RunRow, run_id)

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
        if shape is not None and place.depth > shape.ends.get((0, place.segment), 0):
            return None
        where = "hop = ? AND segment = ? AND depth = ?"
        row: MessageRow | None = self._find_one(MessageRow, where, place)
        if row is None and place.hop and (inherited := self._inheritance()) is not None:
            row = inherited.message_at(place)
        elif row is not None and self._as_of is not None:
            row = self._as_it_was(row)
        self._placed[place] = row
        return row

    def free_below_head(self) -> Place | None:
        """Return the place below the head: if all is known that may forbid a plain message there.

        The head is the thread's own message, waits for no tool, and nothing is below it.
        """
        thread, known = self.thread, self._known
        head: MessageRow | None = None if thread is None else known[MessageRow].get(thread.head)
        place = None if head is None or head.open_calls else head.place
        if place is None:
            return None
        hop, segment, depth = place
        if hop:
            return None
        below = made(Place, (0, segment, depth + 1))
        if (shape := self._shape) is not None:
            free = shape.ends.get((0, segment), 0) <= depth
        else:
            free = self._placed.get(below, head) is known[BranchPointRow].get(place, head) is None
        return below if free else None

    def put_below_head(self, event: Event, row: MessageRow, thread: ThreadRow) -> None:
        """Lay a message over what was read, at the place of :meth:`free_below_head`."""
        place = row.place
        assert place is not None  # noqa: S101 (it is below the head)
        self._events[event.version] = event
        self._changed[MessageRow][row.message_id] = row
        self._known[MessageRow][row.message_id] = row
        self._known[BranchPointRow][place] = None
        self._placed[place] = row
        _, segment, depth = place
        if self._shape is not None:
            self._shape.ends[0, segment] = depth
        else:
            self._placed[made(Place, (0, segment, depth + 1))] = None
        self.thread = self._moved = thread

    def end_of(self, hop: int, segment: int) -> int:
        if hop and (inherited := self._inheritance()) is not None:
            return inherited.path.end_of(hop, segment)
        if (shape := self._tree()) is not None:
            return shape.ends.get((hop, segment), 0)
        where = "hop = ? AND segment = ? ORDER BY depth DESC"
        last = self._find_one(MessageRow, where, (hop, segment))
        rows = [*self._changed_of(MessageRow), *([] if last is None else [last])]
        places = [row.place for row in rows if row.place is not None]
        return max((one.depth for one in places if one[:2] == (hop, segment)), default=0)

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
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        gone = self._removed_in(where, (hop, segment, start, end))
        return None if gone is None else gone.first(hop, segment, start, end)

    def first_inherited_removed(self, start: int, end: int) -> int | None:
        gone = self._removed_in(_INHERITED_AT, (start, end))
        return None if gone is None else gone.first_inherited(start, end)

    def _removed_in(self, where: str, parameters: Sequence[int]) -> Removed | None:
        """Return removed messages: all if they are few, or at least the first of a range."""
        if self.thread is None or not self.thread.removed_messages:
            return None
        if self._gone is None and self.thread.removed_messages <= REMOVED_MAX:
            rows = self._find(MessageRow, REMOVED, (), few=True)
            self._gone = Removed([*rows, *self._changed_of(MessageRow)])
        if self._gone is not None:
            return self._gone
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

    # -- inherited by a fork ----------------------------------------------------------------------

    def _inheritance(self) -> Inherited | None:
        """Return the inherited part of this thread; None if it is no fork."""
        if self._inherited is None and self.thread is not None and self.thread.fork is not None:
            self._inherited = self._look_up(self.thread.fork)
        return self._inherited

    def _look_up(self, fork: ForkPoint, ancestry: Ancestry | None = None) -> Inherited:
        assert self._tenant is not None  # noqa: S101 (there is the source)
        tenant = self._tenant, self.tenant_name
        return Inherited(self._tx, self._log, tenant, fork, ancestry)

    @property
    def ancestry(self) -> Ancestry | None:
        """The ancestors, if this is a fork."""
        inherited = self._inheritance()
        return None if inherited is None else inherited.ancestry

    @property
    def tenant(self) -> int:
        """The number of the tenant of a thread that exists."""
        assert self._tenant is not None  # noqa: S101
        return self._tenant

    def changes_inherited(self) -> bool:
        """Return whether this fork has its own rows about inherited messages."""
        return self._find_one(MessageRow, "hop > 0 LIMIT 1", ()) is not None

    def share_book(self, inherited: Inherited) -> None:
        """Share the events that were read here with a fork of this thread, which adds to them."""
        inherited.open_book(self.thread_id, self._events)

    def owner(self, hop: int) -> bytes:
        inherited = self._inheritance() if hop else None
        return self.thread_id if inherited is None else inherited.ancestry.at(hop).thread_id

    def ancestors(self) -> list[bytes]:
        """Return the ancestors of a fork, the nearest first."""
        ancestry = self.ancestry
        return [] if ancestry is None else [one.thread_id for one in ancestry.ancestors]

    def sources(self, hops: int) -> list[tuple[bytes, int]]:
        """Return the threads up to that many hops above a fork, each with its present version."""
        above = self.ancestors()[:hops] if hops else []
        versions = stream_heads.head_versions(self._tx, self.tenant_name, ids.THREAD, above)
        return [(thread_id, versions[thread_id]) for thread_id in above]
