"""A thread as its rows in the database say: the view that deciding reads inside a transaction.

Its rows, read and changed, are in :mod:`~eventstore.projections.kept_rows`; here are the questions.
One that spans several rows merges what was read with what was changed, so the tenth command of a
batch sees what the first nine did.

The writer keeps views between its transactions for as long as nobody else wrote, which is why a
message at the head of a thread that is being written reads nothing. Of a small tree the shape is
known whole (:mod:`~eventstore.projections.shape`), so that selecting a branch there reads nothing
either.

A fork asks its source for what it inherits, one hop further, as of the version it was forked at.

Long because the protocol is: one class answers every question of ``ThreadView`` and its extensions,
and each answer looks at the same rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.history import changes_message
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    LabelRow,
    MessageRow,
    Place,
    Row,
    RunRow,
    SegmentRow,
    StepRow,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.conversation.view import Told
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey, Trace
from eventstore.projections.inherited import Inherited
from eventstore.projections.kept_rows import KeptRows
from eventstore.projections.messages import WAITS
from eventstore.projections.runs import OPEN_RUNS
from eventstore.projections.shape import SEGMENTS_MAX, Shape, read_shape
from eventstore.projections.stretches import read_stretch
from eventstore.storage import read

__all__ = ["StoredThread"]


class StoredThread(KeptRows):
    """What is asked of one thread's rows; keeps the protocol ``ThreadView``."""

    def _forget_rows(self) -> None:
        self._source: StoredThread | None = None
        self._inherited: Inherited | None = None
        super()._forget_rows()

    def take_changed(self) -> list[tuple[int, bytes, Row]]:
        changed = self._moved is not None  # also if no row has to be written of it
        rows = super().take_changed()
        if changed and self._source is not None:
            self._forget()
        return rows

    # -- rows by key ---------------------------------------------------------------------------

    def message(self, message_id: bytes) -> MessageRow | None:
        row: MessageRow | None = self._known[MessageRow].get(message_id)
        if row is None:
            row = self._row(MessageRow, message_id, "message = ?", message_id)
        if row is None:
            inherited = self._inheritance()
            return None if inherited is None else inherited.message(message_id)
        return row if self._as_of is None else self._as_it_was(row)

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        inherited = self._inheritance() if hop else None
        if inherited is not None:
            return inherited.segment(hop, segment)
        key = (hop, segment)
        if self._shape is not None:
            return self._shape.segments.get(key)
        row: SegmentRow | None = self._row(SegmentRow, key, "hop = ? AND segment = ?", *key)
        return row

    def run(self, run_id: bytes) -> RunRow | None:
        row: RunRow | None = self._row(RunRow, run_id, "run = ?", run_id)
        return row

    def step(self, step_id: bytes) -> StepRow | None:
        row: StepRow | None = self._row(StepRow, step_id, "step = ?", step_id)
        return row

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
            return inherited.ranges[hop, segment].end
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
            where = "hop = ? AND segment = ? AND depth = ?"
            row = self._row(BranchPointRow, place, where, *place)
        return self._inherited_turn(place) if row is None else row

    def _inherited_turn(self, place: Place) -> BranchPointRow | None:
        inherited = self._inheritance() if place.hop or place == ROOT else None
        return None if inherited is None else inherited.turn(place)

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        points = self._points_in(hop, segment, start, end)
        turn = self._inherited_turn(Place(hop, segment, self.end_of(hop, segment))) if hop else None
        if turn is not None and start <= turn.place.depth <= end:
            points.setdefault(turn.place, turn)
        return [points[place] for place in sorted(points) if points[place].active is not None]

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
        return first + [Place(*one, below) for one in begun]  # what was inherited comes first

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
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ? AND removed IS NOT NULL"
        found = self._find(MessageRow, where, (hop, segment, start, end))
        rows = {row.message_id: row for row in found}
        rows.update({row.message_id: row for row in self._changed_in(hop, segment)})
        depths = [
            row.place.depth
            for row in rows.values()
            if row.removed is not None and row.place is not None
        ]
        return min((depth for depth in depths if start <= depth <= end), default=None)

    # -- what waits, what runs, what has a name ------------------------------------------------

    def queued_messages(self) -> Sequence[MessageRow]:
        found = self._find(MessageRow, WAITS, ())
        rows = {row.message_id: row for row in [*found, *self._changed_of(MessageRow)]}
        waiting = [row for row in rows.values() if row.status == "queued" and row.removed is None]
        return sorted(waiting, key=lambda row: row.waits_since)

    def open_runs(self) -> Sequence[RunRow]:
        found = self._find(RunRow, OPEN_RUNS, ())
        rows = {row.run_id: row for row in [*found, *self._changed_of(RunRow)]}
        running = [row for row in rows.values() if row.status not in TERMINAL]
        return sorted(running, key=lambda row: row.version)

    def label(self, label: str) -> LabelRow | None:
        found = self._find(LabelRow, "label = ?", (label,))
        rows = {row.message_id: row for row in [*found, *self._changed_of(LabelRow)]}
        return next((row for row in rows.values() if row.label == label), None)

    def label_of(self, message_id: bytes) -> str | None:
        row: LabelRow | None = self._row(LabelRow, message_id, "message = ?", message_id)
        return None if row is None else row.label

    def labels(self) -> dict[bytes, str]:
        """Return every label by message."""
        found = self._find(LabelRow, "label IS NOT NULL", ())
        rows = {row.message_id: row.label for row in [*found, *self._changed_of(LabelRow)]}
        return {key: label for key, label in rows.items() if label is not None}

    # -- history: what presenting needs beyond deciding ------------------------------------------

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        """Return the versions of later events about a thread, message, run or step, in order."""
        found = self._find(TouchRow, "subject = ?", (subject_id,))
        rows = {*found, *self._changed_of(TouchRow)}
        versions = [row.version for row in rows if row.subject_id == subject_id]
        return sorted(v for v in versions if self._as_of is None or v <= self._as_of)

    def event(self, version: int) -> Event:
        """Return one event of this thread: of this transaction, read before, or read now."""
        event = self._events.get(version)
        if event is None:
            stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
            stored = read.event_at(self._tx, stream, version)
            event = self._events[version] = read.as_event(self._log, stored)
        return replace(event, content=None) if version in self._erased else event

    def traces(self, after: int = 0) -> Sequence[Trace]:
        """Return the events of this thread without content, as they are once this is written."""
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        found = read.traces(self._tx, self._log, stream, after=after)
        for version in range(after + len(found) + 1, 1 + max(self._events, default=0)):
            found.append(self._events[version].trace)  # of this transaction
        erased = self._erased
        return [t._replace(has_content=False) if t.version in erased else t for t in found]

    # -- what a fork inherits ------------------------------------------------------------------

    @property
    def source(self) -> StoredThread | None:
        """For a fork: its source, as of the version it was forked at."""
        thread = self.thread
        if thread is None or thread.fork is None:
            return None
        if self._inherited is None:
            fork = thread.fork
            self._source = self._source or self._view_of(fork.thread_id, fork.version)
            self._inherited = Inherited(self._source, fork)
        return self._source

    def _view_of(self, thread_id: bytes, version: int) -> StoredThread:
        return StoredThread(self._tx, self._log, self.tenant_name, thread_id, as_of=version)

    def will_inherit(self, source: StoredThread) -> None:
        """Know the view of the source of a fork that is about to begin here."""
        self._source = source

    def as_it_stands(self) -> StoredThread:
        """Return a view of this thread as of now that has read what this one has.

        One of its own: a fork sees the thread like this even if the same transaction goes on to
        change it. Only events, which do not change, are shared: the next fork need not read them.
        """
        row = self.thread
        assert row is not None  # noqa: S101 (asked by the caller)
        view = self._view_of(self.thread_id, row.version)
        view.start_with(row, self._segments, self._events)
        return view

    def start_with(self, row: ThreadRow, segments: int, events: dict[int, Event]) -> None:
        """Take a row, the number of segments and events as read."""
        self.thread = row
        self._segments = segments
        self._events = events

    def _inheritance(self) -> Inherited | None:
        return None if self.source is None else self._inherited

    def _as_it_was(self, row: MessageRow) -> MessageRow | None:
        """Take back from a row of this thread what happened to it after :attr:`_as_of`."""
        if self._as_of is None or row.changed is None or row.changed <= self._as_of:
            return row
        touches = [self.event(version) for version in self.touches_of(row.message_id)]
        changes = [event for event in touches if changes_message(event, row.message_id)]
        beneath = self._beneath(row.message_id)
        if beneath is not None and not changes:
            return beneath
        amended = sum(event.type == "MessageAmended" for event in changes)
        before = 0 if beneath is None else beneath.revision
        last = changes[-1].version if changes else None
        return replace(row, changed=last, revision=before + amended)

    def _beneath(self, message_id: bytes) -> MessageRow | None:
        """Return the row of an inherited message without what this thread did to it."""
        inherited = self._inheritance()
        return None if inherited is None else inherited.message(message_id)

    @property
    def looks_elsewhere(self) -> bool:
        """Rows of other threads were read, which may have been erased from since."""
        return self._source is not None

    # -- reading many at once: only for views that change nothing ------------------------------

    def stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterator[tuple[MessageRow, Told]]:
        """Return messages that follow one another, each with the event that holds its words."""
        if hop:
            return self._inherited_stretch(hop, segment, start, end)
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        found = read_stretch(self._tx, self._log, stream, (segment, start, end))
        if self._as_of is not None:
            found = ((self._as_it_was(row) or row, event) for row, event in found)
        return ((row, Told(self.thread_id, event)) for row, event in found)

    def _inherited_stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterator[tuple[MessageRow, Told]]:
        """Yield what the source has there, under what happened to it in this thread."""
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ? ORDER BY depth"
        found = self._find(MessageRow, where, (hop, segment, start, end))
        own = {row.message_id: self._as_it_was(row) or row for row in found}
        inherited = self._inheritance()
        assert inherited is not None  # noqa: S101 (who has a place with a hop is a fork)
        for row, born in inherited.stretch(hop, segment, start, end):
            yield own.get(row.message_id) or row, born

    def branched(self, hop: int, segment: int, start: int, end: int) -> Collection[int]:
        """Return the depths start..end of a segment from which other segments hang."""
        points = self._known[BranchPointRow]
        points.setdefault(Place(hop, segment, start), None)  # unless it is found now
        if self._is_one_line:
            return ()
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        found = self._find(BranchPointRow, where, (hop, segment, start, end))
        points.update({point.place: point for point in found})
        return {point.place.depth for point in found}

    @property
    def _is_one_line(self) -> bool:
        """Nothing of this thread branches: its segment hangs from the root, a fork has none."""
        thread = self.thread
        return thread is not None and self._segments <= (0 if thread.fork is not None else 1)

    def prefetch(self, stretch: tree.Range) -> None:
        """Read a stretch whose messages will be asked for one by one, and all that hangs there."""
        if stretch.hop:
            return
        for row, born in self.stretch(*stretch):
            self._keep(MessageRow, row.message_id, row)
            self._events[born.event.version] = born.event
        branched = self.branched(*stretch)
        points = self._known[BranchPointRow]
        for depth in range(stretch.start, stretch.end + 1):
            if depth not in branched:
                points.setdefault(Place(stretch.hop, stretch.segment, depth), None)
