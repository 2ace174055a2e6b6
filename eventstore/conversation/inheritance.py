"""The path that a fork inherits, as ranges, each with the hop of its thread.

A fork inherits the path from a root down to the message it was forked at. It sees no other messages
of its source, so the ranges describe the whole shape: where a segment ends, which way the path
turns, whether a message is on it. The shape never changes.

Hops count upwards from the fork, so they differ in every fork of a chain. The path stores levels
instead, which count down from the thread that is no fork. So a fork shares the inherited path of
its source, and the hundredth fork in a chain costs as much as the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from rpds import HashTrieMap

from eventstore.conversation.rows import ROOT, BranchPointRow, Place, Range, SegmentRow

__all__ = ["Inheritance", "further"]

_Key: TypeAlias = tuple[int, int]
"""Level and segment."""


class _Stretch(NamedTuple):
    """A range of the path, with its neighbours."""

    level: int
    segment: int
    start: int
    end: int
    above: _Key | None
    below: _Key | None


def further(place: Place, hops: int) -> Place:
    """Return a place as a fork sees it that is ``hops`` further down the chain."""
    return place._replace(hop=place.hop + hops) if place != ROOT else place


class Inheritance:
    """The path that a fork inherits; never changed, so threads may share it."""

    __slots__ = ("_last", "_stretches", "_top", "level")

    def __init__(
        self,
        level: int,
        stretches: HashTrieMap[_Key, _Stretch],
        top: _Key | None,
        last: _Key | None,
    ) -> None:
        self.level: int = level
        """Number of forks from the root of the chain, which is no fork, down to this thread."""
        self._stretches = stretches
        self._top = top
        self._last = last

    @classmethod
    def empty(cls, level: int) -> Inheritance:
        """Return the empty path of a thread at a level that inherits nothing."""
        return cls(level, HashTrieMap(), None, None)

    @classmethod
    def of_path(cls, level: int, path: Sequence[Range]) -> Inheritance:
        """Return the path of a fork at a level, from its ranges, last one first."""
        whole = ((level - one.hop, one) for one in reversed(path))
        return cls.empty(level).longer(level, whole)

    def below(self, own: Sequence[Range], depth: int) -> Inheritance:
        """Return the path that a fork of this thread inherits.

        The thread's ``own`` ranges, last one first, follow its inherited path, cut at a depth.
        """
        more = ((self.level, one) for one in reversed(own))
        return self.cut(depth).longer(self.level + 1, more)

    def cut(self, depth: int) -> Inheritance:
        """Return the path down to a depth."""
        stretches, last = self._stretches, self._last
        while last is not None and (one := stretches[last]).start > depth:
            stretches, last = stretches.discard(last), one.above
        if last is not None:
            end = stretches[last]._replace(end=depth, below=None)
            stretches = stretches.insert(last, end)
        return Inheritance(self.level, stretches, None if last is None else self._top, last)

    def longer(self, level: int, more: Iterable[tuple[int, Range]]) -> Inheritance:
        """Return the path with ranges below it, each with the level of its thread."""
        stretches, top, last = self._stretches, self._top, self._last
        for owner, one in more:
            key = owner, one.segment
            stretch = _Stretch(owner, one.segment, one.start, one.end, last, None)
            if last is not None:
                stretches = stretches.insert(last, stretches[last]._replace(below=key))
            stretches, top, last = stretches.insert(key, stretch), top or key, key
        return Inheritance(level, stretches, top, last)

    def __len__(self) -> int:
        """Return the number of ranges."""
        return len(self._stretches)

    def __iter__(self) -> Iterator[Range]:
        """Yield the ranges, the last one first."""
        key = self._last
        while key is not None:
            one = self._stretches[key]
            yield Range(self.level - one.level, one.segment, one.start, one.end)
            key = one.above

    def _at(self, hop: int, segment: int) -> _Stretch | None:
        return self._stretches.get((self.level - hop, segment))

    def _hop(self, key: _Key) -> tuple[int, int]:
        return self.level - key[0], key[1]

    def sees(self, place: Place) -> bool:
        """Return whether a place lies on the path."""
        one = self._at(place.hop, place.segment)
        return one is not None and one.start <= place.depth <= one.end

    def at(self, depth: int) -> Place:
        """Return the place at a depth; walks up the path from its end."""
        one = next(one for one in self if one.start <= depth)
        return Place(one.hop, one.segment, depth)

    @property
    def end(self) -> Place:
        """The place of the last message."""
        last = next(iter(self))
        return Place(last.hop, last.segment, last.end)

    def end_of(self, hop: int, segment: int) -> int:
        """Return the depth at which the path leaves a segment; 0 if it is not in it."""
        one = self._at(hop, segment)
        return 0 if one is None else one.end

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        """Return a segment of the path. Its first message has no siblings that the fork sees."""
        one = self._at(hop, segment)
        if one is None:
            return None
        parent = ROOT
        if one.above is not None:
            parent = Place(*self._hop(one.above), one.start - 1)
        return SegmentRow(hop, segment, parent)

    def turn(self, place: Place) -> BranchPointRow | None:
        """Return the turn of the path at a place, as a branch point with one child.

        The first turn is above all messages: a fork begins with one root, which it inherits.
        """
        one = self._at(place.hop, place.segment)
        below = self._top if place == ROOT else None
        if one is not None and one.end == place.depth:
            below = one.below
        if below is None:
            return None
        return BranchPointRow(place, children=1, active=self._hop(below))
