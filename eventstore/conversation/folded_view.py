"""Answers the queries of a view for a thread folded in memory, from maps of its rows.

:class:`~eventstore.conversation.state.FoldedThread` has persistent maps,
:class:`~eventstore.conversation.draft.ThreadDraft` has dictionaries; the answers are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from msgspec.structs import replace

from eventstore.conversation.inheritance import Inheritance, further
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    LabelRow,
    MessageRow,
    Place,
    Range,
    Row,
    RunRow,
    SegmentRow,
    ThreadRow,
)
from eventstore.conversation.view import SourcedEvent
from eventstore.core.events import Event, Trace

__all__ = ["FoldedView", "Stretch"]

R = TypeVar("R", bound=Row)

Stretch: TypeAlias = tuple[int, int]
"""Hop and segment."""


class FoldedView:
    """Implements ``conversation.view.ThreadHistory``; subclasses hold the maps."""

    __slots__ = ()

    thread_id: bytes
    thread: ThreadRow | None
    changes_inherited: bool
    inherited: Inheritance | None
    ancestors: tuple[FoldedView, ...]
    changing: tuple[int, ...]
    rows: Mapping[type[Any], Mapping[Any, Any]]
    places: Mapping[Place, bytes]
    ends: Mapping[Stretch, int]
    hanging: Mapping[Place, tuple[Stretch, ...]]
    bends: Mapping[Stretch, tuple[int, ...]]
    gone: Mapping[Stretch, tuple[int, ...]]
    waiting: tuple[bytes, ...]
    active_runs: tuple[bytes, ...]
    labelled: Mapping[str, bytes]
    touches: Mapping[bytes, Sequence[int]]
    events: Mapping[int, Event]

    @property
    def version(self) -> int:
        """Version of the last event folded; 0 before the first."""
        return 0 if self.thread is None else self.thread.version

    # -- rows, and places -----------------------------------------------------------------------

    def row(self, kind: type[R], key: object) -> R | None:
        found: R | None = self.rows[kind].get(key)
        return found

    def message(self, message_id: bytes) -> MessageRow | None:
        row = self.rows[MessageRow].get(message_id)
        if row is not None or self.inherited is None:
            return row
        for hop, ancestor in enumerate(self.ancestors, 1):  # the nearest one has the latest state
            found = ancestor.rows[MessageRow].get(message_id)
            if found is not None and found.place is not None:
                place = further(found.place, hop)
                if self.inherited.sees(place):
                    return _inherited(found, place)
        return None

    def message_at(self, place: Place) -> MessageRow | None:
        if not place.hop:
            message_id = self.places.get(place)
            return None if message_id is None else self.row(MessageRow, message_id)
        if self.inherited is None or not self.inherited.sees(place):
            return None
        owner = self.ancestors[place.hop - 1]
        message_id = owner.places[place._replace(hop=0)]
        row: MessageRow | None = self.rows[MessageRow].get(message_id)
        if row is not None:
            return row
        for hop in self._changing_below(place.hop):
            row = self.ancestors[hop - 1].rows[MessageRow].get(message_id)
            if row is not None:
                return _inherited(row, place)
        return _inherited(owner.rows[MessageRow][message_id], place)

    def _changing_below(self, hop: int) -> list[int]:
        """Return the hops of threads below an ancestor that changed messages that they inherit.

        The nearest one first.
        """
        return [one for one in self.changing if one < hop]

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        if not hop:
            return self.row(SegmentRow, (0, segment))
        row = self.ancestors[hop - 1].row(SegmentRow, (0, segment))
        if row is None:
            return None
        return replace(row, hop=hop, parent=further(row.parent, hop), ordinal=0)

    def end_of(self, hop: int, segment: int) -> int:
        if hop and self.inherited is not None:
            return self.inherited.end_of(hop, segment)
        return self.ends.get((hop, segment), 0)

    def branch_point(self, place: Place) -> BranchPointRow | None:
        return self.rows[BranchPointRow].get(place) or self._turn(place)

    def _turn(self, place: Place) -> BranchPointRow | None:
        """Return the turn of the inherited path at a place."""
        if self.inherited is None or not (place.hop or place == ROOT):
            return None
        return self.inherited.turn(place)

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        places = [Place(hop, segment, depth) for depth in self.branched(hop, segment, start, end)]
        if hop:
            last = Place(hop, segment, self.end_of(hop, segment))
            if start <= last.depth <= end and last not in places:
                places.append(last)  # nothing inherited is deeper
        points = [point for place in places if (point := self.branch_point(place)) is not None]
        return [point for point in points if point.active is not None]

    def children(self, place: Place) -> Sequence[Place]:
        below = place.depth + 1
        next_place = place._replace(depth=below)
        first: list[Place] = []
        if place.segment and self.message_at(next_place) is not None:
            first = [next_place]
        elif (turn := self._turn(place)) is not None and turn.active:
            first = [Place(*turn.active, below)]
        return first + [Place(*stretch, below) for stretch in self.hanging.get(place, ())]

    def first_removed(self, hop: int, segment: int, start: int, end: int) -> int | None:
        depths = self.gone.get((hop, segment), ())
        return next((depth for depth in depths if start <= depth <= end), None)

    def removed_children(self, place: Place) -> Sequence[Place]:
        """Return the places of the removed children; checks every child."""
        rows = [self.message_at(child) for child in self.children(place)]
        return [row.place for row in rows if row and row.place and row.removed is not None]

    def first_inherited_removed(self, start: int, end: int) -> int | None:
        found = [self.first_removed(*key, start, end) for key in self.gone if key[0]]
        return min((depth for depth in found if depth is not None), default=None)

    def turns_off(self, start: int, end: int) -> Sequence[BranchPointRow]:
        places = [
            Place(hop, segment, depth)
            for (hop, segment), depths in self.bends.items()
            for depth in depths
            if hop and start <= depth <= end
        ]
        known = self.rows[BranchPointRow]
        points = [known[place] for place in sorted(places, key=lambda p: p.depth)]
        return [point for point in points if point.active is not None and not point.active[0]]

    # -- what waits, what runs, what has a name ------------------------------------------------

    def queued_messages(self) -> Sequence[MessageRow]:
        rows = [self.rows[MessageRow][message_id] for message_id in self.waiting]
        waiting = [row for row in rows if row.removed is None]
        return sorted(waiting, key=lambda row: row.waits_since)

    def open_runs(self) -> Sequence[RunRow]:
        return [self.rows[RunRow][run_id] for run_id in self.active_runs]

    def run(self, run_id: bytes) -> RunRow | None:
        return self.row(RunRow, run_id)

    def lease_of(self, _: bytes) -> None:
        """Return None: events do not tell until when a run is held."""

    def shown_text(self, _: bytes) -> str:
        """Return nothing: text that is being written is not in the log yet."""
        return ""

    def shown_length(self, _: bytes) -> int:
        return 0

    def label(self, label: str) -> LabelRow | None:
        message_id = self.labelled.get(label)
        return None if message_id is None else self.row(LabelRow, message_id)

    def label_of(self, message_id: bytes) -> str | None:
        row = self.row(LabelRow, message_id)
        return None if row is None else row.label

    # -- history -------------------------------------------------------------------------------

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        return self.touches.get(subject_id, ())

    def event(self, version: int) -> Event:
        return self.events[version]

    def traces(self, after: int = 0) -> Sequence[Trace]:
        return [self.events[version].trace for version in range(after + 1, self.version + 1)]

    def owner(self, hop: int) -> bytes:
        return self._at_hop(hop).thread_id

    def _at_hop(self, hop: int) -> FoldedView:
        return self.ancestors[hop - 1] if hop else self

    def born(self, row: MessageRow) -> SourcedEvent:
        owner = self._at_hop(0 if row.place is None else row.place.hop)
        return SourcedEvent(owner.thread_id, owner.event(row.content_version))

    def _tellers(self, row: MessageRow) -> Iterator[FoldedView]:
        """Yield the threads that may have events about a message, its own first."""
        hop = 0 if row.place is None else row.place.hop
        yield self._at_hop(hop)
        if hop:
            yield from map(self._at_hop, reversed(self._changing_below(hop)))
            yield self

    def wordings(self, row: MessageRow) -> Sequence[SourcedEvent]:
        found = []
        for told in self._tellers(row):
            there = told.rows[MessageRow].get(row.message_id)
            said = set() if there is None else {*(there.said or ())} - {None}
            found += [SourcedEvent(told.thread_id, told.event(version)) for version in sorted(said)]
        return found

    def changes(self, row: MessageRow) -> Sequence[SourcedEvent]:
        return [
            SourcedEvent(told.thread_id, told.event(version))
            for told in self._tellers(row)
            for version in told.touches.get(row.message_id, ())
        ]

    def renamings(self) -> Iterator[SourcedEvent]:
        for told in (self, *self.ancestors):
            for version in reversed((1, *told.touches.get(told.thread_id, ()))):
                yield SourcedEvent(told.thread_id, told.event(version))

    def prepare(self, _: Sequence[Range]) -> None:
        """Do nothing: everything is in memory."""

    def stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterable[tuple[MessageRow, SourcedEvent]]:
        rows = [self.message_at(Place(hop, segment, depth)) for depth in range(start, end + 1)]
        return [(row, self.born(row)) for row in rows if row is not None]

    def branched(self, hop: int, segment: int, start: int, end: int) -> Collection[int]:
        return [depth for depth in self.bends.get((hop, segment), ()) if start <= depth <= end]


def _inherited(row: MessageRow, place: Place) -> MessageRow:
    """Return a row of a source as a fork sees it, if nothing on the path is removed."""
    return replace(row, place=place, removed=None, took_head=False, said=None)
