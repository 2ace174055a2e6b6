"""A thread folded from its events, in memory, as an immutable value.

Persistent maps share what did not change, so the states after each of n events together take the
room of n changes, and looking at any of them later is safe: this is what replay walks through. The
same class answers as a :class:`~eventstore.conversation.view.ThreadView`, so the deciders run on it
in tests, and its rows are what the decision tables are compared with.

A fork is folded from a **prefix**: what it sees of its source (:meth:`FoldedThread.prefix_for`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import msgspec
from msgspec.structs import replace
from rpds import HashTrieMap

from eventstore.conversation import tree
from eventstore.conversation.evolve import evolve
from eventstore.conversation.folded_view import FoldedView, Stretch
from eventstore.conversation.keeping import KEEPERS, told
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    ForkPoint,
    LabelRow,
    MessageRow,
    Place,
    Row,
    RunRow,
    SegmentRow,
    StepRow,
    ThreadRow,
)
from eventstore.core.events import Event

__all__ = ["FoldedThread", "fold"]


def _empty() -> Any:  # noqa: ANN401 (each field names its own type)
    return HashTrieMap()


class FoldedThread(FoldedView, msgspec.Struct, frozen=True):
    """Everything the events so far say about one thread."""

    thread_id: bytes
    thread: ThreadRow | None = None
    messages: HashTrieMap[bytes, MessageRow] = msgspec.field(default_factory=_empty)
    places: HashTrieMap[Place, bytes] = msgspec.field(default_factory=_empty)
    segments: HashTrieMap[Stretch, SegmentRow] = msgspec.field(default_factory=_empty)
    ends: HashTrieMap[Stretch, int] = msgspec.field(default_factory=_empty)
    hanging: HashTrieMap[Place, tuple[Stretch, ...]] = msgspec.field(default_factory=_empty)
    """Segments that hang from a place."""
    branch_points: HashTrieMap[Place, BranchPointRow] = msgspec.field(default_factory=_empty)
    bends: HashTrieMap[Stretch, tuple[int, ...]] = msgspec.field(default_factory=_empty)
    """Depths of a segment's branch points, sorted."""
    gone: HashTrieMap[Stretch, tuple[int, ...]] = msgspec.field(default_factory=_empty)
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
    source: FoldedThread | None = None
    """For a fork: the thread it came from, as of the version it was forked at."""

    # -- folding -------------------------------------------------------------------------------

    def after(self, event: Event) -> Self:
        """Return the state after one more event."""
        return self.with_rows(evolve(self, event), event)

    def with_rows(self, rows: Iterable[Row], event: Event) -> Self:
        """Return the state with an event's rows in place."""
        changes: dict[str, Any] = {}
        for row in rows:
            KEEPERS[type(row)](self, changes, row)
        return replace(self, events=told(self.events, event), **changes)

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


def _rebased(place: Place) -> Place:
    return place._replace(hop=place.hop + 1) if place.segment else place


def fold(start: FoldedThread, events: Iterable[Event]) -> FoldedThread:
    """Fold events, in order, into a state."""
    state = start
    for event in events:
        state = state.after(event)
    return state
