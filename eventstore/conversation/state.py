"""A thread folded from its events, in memory, as an immutable value.

Persistent maps share what did not change, so the states after each of n events together take the
room of n changes, and looking at any of them later is safe: this is what replay walks through. The
same class answers as a :class:`~eventstore.conversation.view.ThreadView`, so the deciders run on it
in tests, and its rows are what the decision tables are compared with.

A fork is folded from a **prefix**: what it sees of its source (:meth:`FoldedThread.prefix_for`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Self

import msgspec
from msgspec.structs import replace
from rpds import HashTrieMap

from eventstore.conversation import tree
from eventstore.conversation.evolve import evolve
from eventstore.conversation.history import told_born
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    CopyRow,
    ForkPoint,
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
from eventstore.core.events import Event, Trace

__all__ = ["FoldedThread", "fold"]

_Stretch = tuple[int, int]
"""Hop and segment."""


def _empty() -> Any:  # noqa: ANN401 (each field names its own type)
    return HashTrieMap()


class FoldedThread(msgspec.Struct, frozen=True):
    """Everything the events so far say about one thread."""

    thread_id: bytes
    thread: ThreadRow | None = None
    messages: HashTrieMap[bytes, MessageRow] = msgspec.field(default_factory=_empty)
    places: HashTrieMap[Place, bytes] = msgspec.field(default_factory=_empty)
    segments: HashTrieMap[_Stretch, SegmentRow] = msgspec.field(default_factory=_empty)
    ends: HashTrieMap[_Stretch, int] = msgspec.field(default_factory=_empty)
    hanging: HashTrieMap[Place, tuple[_Stretch, ...]] = msgspec.field(default_factory=_empty)
    """Segments that hang from a place."""
    branch_points: HashTrieMap[Place, BranchPointRow] = msgspec.field(default_factory=_empty)
    bends: HashTrieMap[_Stretch, tuple[int, ...]] = msgspec.field(default_factory=_empty)
    """Depths of a segment's branch points, sorted."""
    gone: HashTrieMap[_Stretch, tuple[int, ...]] = msgspec.field(default_factory=_empty)
    """Depths of a segment's removed messages, sorted."""
    waiting: tuple[bytes, ...] = ()
    runs: HashTrieMap[bytes, RunRow] = msgspec.field(default_factory=_empty)
    active_runs: tuple[bytes, ...] = ()
    steps: HashTrieMap[bytes, StepRow] = msgspec.field(default_factory=_empty)
    labels: HashTrieMap[bytes, LabelRow] = msgspec.field(default_factory=_empty)
    labelled: HashTrieMap[str, bytes] = msgspec.field(default_factory=_empty)
    touches: HashTrieMap[bytes, tuple[int, ...]] = msgspec.field(default_factory=_empty)
    events: HashTrieMap[int, Event] = msgspec.field(default_factory=_empty)
    """The thread's own events, by version: where content is found."""
    copies: HashTrieMap[bytes, tuple[Told, ...]] = msgspec.field(default_factory=_empty)
    """For a fork whose source is gone: what its own events hold of it, from the first one on."""
    source: FoldedThread | None = None
    """For a fork: the thread it came from, as of the version it was forked at."""

    # -- the view ------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Version of the last event folded in; 0 before the first."""
        return 0 if self.thread is None else self.thread.version

    def message(self, message_id: bytes) -> MessageRow | None:
        return self.messages.get(message_id)

    def message_at(self, place: Place) -> MessageRow | None:
        message_id = self.places.get(place)
        return None if message_id is None else self.messages[message_id]

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        return self.segments.get((hop, segment))

    def end_of(self, hop: int, segment: int) -> int:
        return self.ends.get((hop, segment), 0)

    def branch_point(self, place: Place) -> BranchPointRow | None:
        return self.branch_points.get(place)

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        depths = self.bends.get((hop, segment), ())
        points = [self.branch_points[Place(hop, segment, d)] for d in depths if start <= d <= end]
        return [point for point in points if point.active is not None]

    def children(self, place: Place) -> Sequence[Place]:
        below = place.depth + 1
        next_place = place._replace(depth=below)
        first = [next_place] if place.segment and next_place in self.places else []
        return first + [Place(*stretch, below) for stretch in self.hanging.get(place, ())]

    def first_removed(self, hop: int, segment: int, start: int, end: int) -> int | None:
        depths = self.gone.get((hop, segment), ())
        return next((depth for depth in depths if start <= depth <= end), None)

    def queued_messages(self) -> Sequence[MessageRow]:
        rows = [self.messages[message_id] for message_id in self.waiting]
        waiting = [row for row in rows if row.removed is None]
        return sorted(waiting, key=lambda row: row.waits_since)

    def open_runs(self) -> Sequence[RunRow]:
        return [self.runs[run_id] for run_id in self.active_runs]

    def run(self, run_id: bytes) -> RunRow | None:
        return self.runs.get(run_id)

    def step(self, step_id: bytes) -> StepRow | None:
        return self.steps.get(step_id)

    def label(self, label: str) -> LabelRow | None:
        message_id = self.labelled.get(label)
        return None if message_id is None else self.labels.get(message_id)

    def label_of(self, message_id: bytes) -> str | None:
        row = self.labels.get(message_id)
        return None if row is None else row.label

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        return self.touches.get(subject_id, ())

    def event(self, version: int) -> Event:
        return self.events[version]

    def copies_of(self, subject_id: bytes) -> Sequence[Told]:
        return self.copies.get(subject_id, ())

    def traces(self, after: int = 0) -> Sequence[Trace]:
        return [self.events[version].trace for version in range(after + 1, self.version + 1)]

    def stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterable[tuple[MessageRow, Told]]:
        rows = [self.message_at(Place(hop, segment, depth)) for depth in range(start, end + 1)]
        return [(row, told_born(self, row, hop)) for row in rows if row is not None]

    def branched(self, hop: int, segment: int, start: int, end: int) -> Collection[int]:
        return [depth for depth in self.bends.get((hop, segment), ()) if start <= depth <= end]

    # -- folding -------------------------------------------------------------------------------

    def after(self, event: Event) -> Self:
        """Return the state after one more event."""
        return self.with_rows(evolve(self, event), event)

    def with_rows(self, rows: Iterable[Row], event: Event) -> Self:
        """Return the state with an event's rows in place."""
        return replace(self.holding(rows), events=_told(self.events, event))

    def holding(self, rows: Iterable[Row]) -> Self:
        """Return the state with rows in place, whatever brought them."""
        changes: dict[str, Any] = {}
        for row in rows:
            _KEEPERS[type(row)](self, changes, row)
        return replace(self, **changes)

    def prefix_for(self, fork_id: bytes, fork: ForkPoint) -> FoldedThread:
        """Return the state in which a fork begins: the path to the fork's message, one hop further.

        ``self`` must be the source as of the fork's version.
        """
        messages, places, segments, ends = {}, {}, {}, {}
        points, bends, hanging = {}, {}, {}
        below: Place | None = None
        for stretch in tree.ranges(self, fork.place):
            key = (stretch.hop + 1, stretch.segment)
            ends[key] = stretch.end
            row = self.segments[stretch.hop, stretch.segment]
            parent = _rebased(row.parent)
            segments[key] = replace(row, hop=key[0], parent=parent, ordinal=0)
            if below is not None:
                turn = Place(*key, stretch.end)
                points[turn] = BranchPointRow(turn, children=1, active=(below.hop, below.segment))
                bends[key] = (stretch.end,)
                hanging[turn] = ((below.hop, below.segment),)
            below = Place(*key, stretch.start)
            for depth in range(stretch.start, stretch.end + 1):
                message = self.message_at(Place(stretch.hop, stretch.segment, depth))
                assert message is not None  # noqa: S101 (a range names only messages there are)
                place = Place(*key, depth)
                messages[message.message_id] = replace(message, place=place)
                places[place] = message.message_id
        if below is not None:
            points[ROOT] = BranchPointRow(ROOT, children=1, active=(below.hop, below.segment))
            hanging[ROOT] = ((below.hop, below.segment),)
        return FoldedThread(
            fork_id,
            messages=HashTrieMap(messages),
            places=HashTrieMap(places),
            segments=HashTrieMap(segments),
            ends=HashTrieMap(ends),
            branch_points=HashTrieMap(points),
            bends=HashTrieMap(bends),
            hanging=HashTrieMap(hanging),
            source=self,
        )


def _told(events: HashTrieMap[int, Event], event: Event) -> HashTrieMap[int, Event]:
    """Return the events with one more; what it says was erased is gone here, too."""
    if event.type == "ContentErased":
        for version in event.data.versions:
            events = events.insert(version, replace(events[version], content=None))
    return events.insert(event.version, event)


def _rebased(place: Place) -> Place:
    return place._replace(hop=place.hop + 1) if place.segment else place


def fold(start: FoldedThread, events: Iterable[Event]) -> FoldedThread:
    """Fold events, in order, into a state."""
    state = start
    for event in events:
        state = state.after(event)
    return state


# -- keeping rows: one function a kind -------------------------------------------------------------


def _put(
    state: FoldedThread, changes: dict[str, Any], name: str, key: object, value: object
) -> None:
    changes[name] = changes.get(name, getattr(state, name)).insert(key, value)


def _has(state: FoldedThread, changes: dict[str, Any], name: str, key: object) -> Any:  # noqa: ANN401
    return changes.get(name, getattr(state, name)).get(key)


def _keep_thread(_: FoldedThread, changes: dict[str, Any], row: ThreadRow) -> None:
    changes["thread"] = row


def _keep_message(state: FoldedThread, changes: dict[str, Any], row: MessageRow) -> None:
    before: MessageRow | None = _has(state, changes, "messages", row.message_id)
    _put(state, changes, "messages", row.message_id, row)
    waiting = changes.get("waiting", state.waiting)
    if row.place is None:
        if before is None:
            changes["waiting"] = (*waiting, row.message_id)
        elif row.status == "replaced":
            changes["waiting"] = tuple(key for key in waiting if key != row.message_id)
        return
    stretch = (row.place.hop, row.place.segment)
    if before is None or before.place is None:
        _put(state, changes, "places", row.place, row.message_id)
        _put(state, changes, "ends", stretch, row.place.depth)
        if before is not None:
            changes["waiting"] = tuple(key for key in waiting if key != row.message_id)
    elif (before.removed is None) != (row.removed is None):
        gone = set(_has(state, changes, "gone", stretch) or ()) ^ {row.place.depth}
        _put(state, changes, "gone", stretch, tuple(sorted(gone)))


def _keep_segment(state: FoldedThread, changes: dict[str, Any], row: SegmentRow) -> None:
    stretch = (row.hop, row.segment)
    if _has(state, changes, "segments", stretch) is not None:
        return  # copied of a prefix, which was there from the beginning
    _put(state, changes, "segments", stretch, row)
    hanging = _has(state, changes, "hanging", row.parent) or ()
    _put(state, changes, "hanging", row.parent, (*hanging, stretch))


def _keep_branch_point(state: FoldedThread, changes: dict[str, Any], row: BranchPointRow) -> None:
    if _has(state, changes, "branch_points", row.place) is None:
        stretch = (row.place.hop, row.place.segment)
        bends = {*(_has(state, changes, "bends", stretch) or ()), row.place.depth}
        _put(state, changes, "bends", stretch, tuple(sorted(bends)))
    _put(state, changes, "branch_points", row.place, row)


def _keep_run(state: FoldedThread, changes: dict[str, Any], row: RunRow) -> None:
    active = changes.get("active_runs", state.active_runs)
    if row.status in TERMINAL:
        changes["active_runs"] = tuple(run_id for run_id in active if run_id != row.run_id)
    elif row.run_id not in active:
        changes["active_runs"] = (*active, row.run_id)
    _put(state, changes, "runs", row.run_id, row)


def _keep_step(state: FoldedThread, changes: dict[str, Any], row: StepRow) -> None:
    _put(state, changes, "steps", row.step_id, row)


def _keep_label(state: FoldedThread, changes: dict[str, Any], row: LabelRow) -> None:
    before: LabelRow | None = _has(state, changes, "labels", row.message_id)
    labelled = changes.get("labelled", state.labelled)
    if before is not None and before.label is not None:
        labelled = labelled.discard(before.label)
    if row.label is not None:
        labelled = labelled.insert(row.label, row.message_id)
    changes["labelled"] = labelled
    _put(state, changes, "labels", row.message_id, row)


def _keep_touch(state: FoldedThread, changes: dict[str, Any], row: TouchRow) -> None:
    touches = _has(state, changes, "touches", row.subject_id) or ()
    _put(state, changes, "touches", row.subject_id, (*touches, row.version))


def _keep_copy(_: FoldedThread, __: dict[str, Any], ___: CopyRow) -> None:
    """A state made of copies has held them all along."""


_KEEPERS: Final[Mapping[type[Any], Callable[[FoldedThread, dict[str, Any], Any], None]]] = {
    ThreadRow: _keep_thread,
    MessageRow: _keep_message,
    SegmentRow: _keep_segment,
    BranchPointRow: _keep_branch_point,
    RunRow: _keep_run,
    StepRow: _keep_step,
    LabelRow: _keep_label,
    TouchRow: _keep_touch,
    CopyRow: _keep_copy,
}
