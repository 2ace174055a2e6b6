"""Find the ends of a thread's branches from the shape of its tree and its removed messages.

A branch ends where a segment does, or above a removed message; messages in between do not matter.
So the cost of listing branches depends on segments and removed messages, not on messages.
"""

from __future__ import annotations

from collections import defaultdict

from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.rows import ROOT, Place
from eventstore.threads.removed import Removed
from eventstore.threads.shape import Shape

__all__ = ["branch_ends"]


def branch_ends(shape: Shape, removed: Removed, inherited: Inheritance | None) -> list[Place]:
    """Return the place of the last visible message of every branch, in the order of the drawn tree.

    The order is depth first, siblings in the order of their creation; inherited branches come
    first.
    """
    tree = _Lines(shape, removed, inherited)
    found: list[Place] = []
    waiting = [Place(0, segment, 1) for segment in tree.hanging(ROOT)]
    if inherited is not None:
        waiting.append(inherited.at(1))
    while waiting:
        line = waiting.pop()
        end = tree.visible_end(line)
        if end is None:
            continue
        below: list[Place] = []
        for depth, place in tree.turns(line, end.depth):
            below = [
                child
                for segment in tree.hanging(place)
                if tree.visible_end(child := Place(0, segment, depth + 1)) is not None
            ]
            waiting += below
            if depth < end.depth:
                below = []
        if not below:
            found.append(end)
    return found


class _Lines:
    """A tree as lines: each of its own segments, and the inherited path as one."""

    def __init__(self, shape: Shape, removed: Removed, inherited: Inheritance | None) -> None:
        self._shape = shape
        self._removed = removed
        self._inherited = inherited
        self._turns: dict[int, list[tuple[int, Place]]] = defaultdict(list)
        """By segment, 0 for the inherited path: the depths and places from which segments hang."""
        for place in shape.hanging_places():
            if place != ROOT:
                self._turns[0 if place.hop else place.segment].append((place.depth, place))

    def hanging(self, place: Place) -> list[int]:
        """Return the segments that hang from a place, the newest first."""
        return sorted((segment for _, segment in self._shape.hanging_from(place)), reverse=True)

    def turns(self, line: Place, end: int) -> list[tuple[int, Place]]:
        """Return the places where segments hang from a line, from the top to its end."""
        found = self._turns.get(0 if line.hop else line.segment, ())
        return sorted([one for one in found if line.depth <= one[0] <= end])

    def visible_end(self, line: Place) -> Place | None:
        """Return the visible end of a line that begins at a place; None if its start is removed."""
        if line.hop and self._inherited is not None:
            end = self._inherited.end
            gone = self._removed.first_inherited(line.depth, end.depth)
            return self._above(gone, line, end)
        end = line._replace(depth=self._shape.ends.get((0, line.segment), 0))
        gone = self._removed.first(0, line.segment, line.depth, end.depth)
        return self._above(gone, line, end)

    def _above(self, gone: int | None, line: Place, end: Place) -> Place | None:
        if gone is None:
            return end
        if gone == line.depth:
            return None
        if line.hop and self._inherited is not None:
            return self._inherited.at(gone - 1)
        return line._replace(depth=gone - 1)
