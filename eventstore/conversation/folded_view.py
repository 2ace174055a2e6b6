"""The questions that a thread folded in memory answers, from maps of its rows.

:class:`~eventstore.conversation.state.FoldedThread` has maps that share what did not change,
:class:`~eventstore.conversation.draft.ThreadDraft` has dictionaries; the answers are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeAlias

from eventstore.conversation.history import told_born
from eventstore.conversation.rows import (
    BranchPointRow,
    LabelRow,
    MessageRow,
    Place,
    RunRow,
    SegmentRow,
    StepRow,
    ThreadRow,
)
from eventstore.conversation.view import Told
from eventstore.core.events import Event, Trace

__all__ = ["FoldedView", "Stretch"]

Stretch: TypeAlias = tuple[int, int]
"""Hop and segment."""


class FoldedView:
    """Keeps ``conversation.view.ThreadHistory``; whoever inherits it has the maps."""

    __slots__ = ()

    thread_id: bytes
    thread: ThreadRow | None
    source: FoldedView | None
    messages: Mapping[bytes, MessageRow]
    places: Mapping[Place, bytes]
    segments: Mapping[Stretch, SegmentRow]
    ends: Mapping[Stretch, int]
    hanging: Mapping[Place, tuple[Stretch, ...]]
    branch_points: Mapping[Place, BranchPointRow]
    bends: Mapping[Stretch, tuple[int, ...]]
    gone: Mapping[Stretch, tuple[int, ...]]
    waiting: tuple[bytes, ...]
    runs: Mapping[bytes, RunRow]
    active_runs: tuple[bytes, ...]
    steps: Mapping[bytes, StepRow]
    labels: Mapping[bytes, LabelRow]
    labelled: Mapping[str, bytes]
    touches: Mapping[bytes, tuple[int, ...]]
    events: Mapping[int, Event]

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

    def traces(self, after: int = 0) -> Sequence[Trace]:
        return [self.events[version].trace for version in range(after + 1, self.version + 1)]

    def stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterable[tuple[MessageRow, Told]]:
        rows = [self.message_at(Place(hop, segment, depth)) for depth in range(start, end + 1)]
        return [(row, told_born(self, row, hop)) for row in rows if row is not None]

    def branched(self, hop: int, segment: int, start: int, end: int) -> Collection[int]:
        return [depth for depth in self.bends.get((hop, segment), ()) if start <= depth <= end]
