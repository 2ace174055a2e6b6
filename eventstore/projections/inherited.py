"""What a fork inherits: the path of its source down to the message it hangs from, one hop further.

Asked by the fork's own view for whatever stands at a hop above 0. The source is a view of its own,
as of the version it was forked at, and may be a fork itself: then it asks its source in turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    ForkPoint,
    MessageRow,
    Place,
    SegmentRow,
)
from eventstore.conversation.view import ThreadHistory, Told

__all__ = ["Inherited"]


class Inherited:
    """The part of a source that one of its forks sees."""

    def __init__(self, source: ThreadHistory, fork: ForkPoint) -> None:
        self._source: Final = source
        self._fork: Final = fork

    @cached_property
    def ranges(self) -> dict[tuple[int, int], tree.Range]:
        """The inherited path's ranges by hop and segment, the last one first."""
        ranges = tree.ranges(self._source, self._fork.place)
        return {(one.hop + 1, one.segment): one._replace(hop=one.hop + 1) for one in ranges}

    def sees(self, place: Place) -> bool:
        """Tell whether a place lies on the inherited path."""
        stretch = self.ranges.get((place.hop, place.segment))
        return stretch is not None and stretch.start <= place.depth <= stretch.end

    def turn(self, place: Place) -> BranchPointRow | None:
        """Return the turn of the inherited path at a place, as a branch point with one child.

        The first turn is above all messages: a fork begins with one root, the inherited one.
        """
        below: tree.Range | None = None
        for stretch in self.ranges.values():
            if (stretch.hop, stretch.segment, stretch.end) == place:
                if below is None:
                    return None
                return BranchPointRow(place, children=1, active=(below.hop, below.segment))
            below = stretch
        if place != ROOT or below is None:
            return None
        return BranchPointRow(ROOT, children=1, active=(below.hop, below.segment))

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        """Return a segment of the source. Its first message has no siblings that a fork sees."""
        row = self._source.segment(hop - 1, segment)
        if row is None:
            return None
        return replace(row, hop=hop, parent=_further(row.parent), ordinal=0)

    def message(self, message_id: bytes) -> MessageRow | None:
        """Return an inherited message by id."""
        return self._seen(self._source.message(message_id))

    def message_at(self, place: Place) -> MessageRow | None:
        """Return an inherited message by its place."""
        if not self.sees(place):
            return None
        return self._seen(self._source.message_at(place._replace(hop=place.hop - 1)))

    def stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterator[tuple[MessageRow, Told]]:
        """Yield inherited messages that follow one another, each with its event."""
        for row, born in self._source.stretch(hop - 1, segment, start, end):
            seen = self._seen(row)
            if seen is not None:
                yield seen, born

    def _seen(self, found: MessageRow | None) -> MessageRow | None:
        if found is None or found.place is None:
            return None
        place = _further(found.place)
        return (
            replace(found, place=place, removed=None, took_head=False) if self.sees(place) else None
        )


def _further(place: Place) -> Place:
    return place._replace(hop=place.hop + 1) if place != ROOT else place
