"""The message tree as segments and depths.

A segment is a stretch of messages that follow one another; a message's place is its segment and its
depth. A path from a root to a message is then a short list of ranges (:func:`ranges`), so a page of
a 10,000-message path, a branch switch and a fork cost the same at any length, while a walk up
parent pointers would cost 15 ms. A first child continues its parent's segment; any other child
begins a segment that hangs from the parent. Each branch point remembers its last active child, so
selecting an inner message finds the leaf that was last active below it (:func:`leaf_below`).

Ids of segments are versions, so a descendant's segment always compares higher: the common ancestor
of two places is found by climbing from the higher one (:func:`_order`), without reading the rest of
the tree. Places inherited by a fork (``hop`` above 0) are ancestors of everything in the fork
itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    MessageRow,
    Place,
    Range,
    Row,
    SegmentRow,
)
from eventstore.conversation.view import ThreadView

__all__ = [
    "Range",
    "child_rows",
    "head_move_rows",
    "inherited_from",
    "leaf_below",
    "meeting",
    "on_path",
    "parent_place",
    "ranges",
    "removal_rows",
    "sibling_position",
]


_ABOVE_ALL: Final = (-(2**31), 0)


def ranges(view: ThreadView, place: Place) -> Iterator[Range]:
    """Yield the ranges of the path that ends at ``place``, from the end upwards."""
    while place != ROOT:
        parent = _segment(view, place).parent
        yield Range(place.hop, place.segment, parent.depth + 1, place.depth)
        place = parent


def inherited_from(source: ThreadView, inherited: Inheritance | None, place: Place) -> Inheritance:
    """Return the path that a fork made at a place of a thread inherits.

    ``inherited`` is the path that the thread itself inherits.
    """
    own: list[Range] = []
    for one in ranges(source, place):
        if one.hop and inherited is not None:
            return inherited.below(own, one.end)
        own.append(one)
    return (inherited or Inheritance.empty(0)).below(own, 0)


def on_path(view: ThreadView, place: Place, end: Place) -> bool:
    """Return whether ``place`` lies on the path from a root to ``end``."""
    while end != ROOT and end.hop == 0 and _order(end) > _order(place):
        end = _segment(view, end).parent
    if end.hop and place.hop:  # the inherited part is one path
        return place.depth <= end.depth
    return _order(end) == _order(place) and place.depth <= end.depth


def meeting(view: ThreadView, a: Place, b: Place) -> Place:
    """Return the last place on both paths; :data:`ROOT` if they share none.

    Reads nothing above it.
    """
    while _order(a) != _order(b) and not (a.hop and b.hop):  # the inherited part is one path
        if _order(a) > _order(b):
            a = _segment(view, a).parent
        else:
            b = _segment(view, b).parent
    return a if a.depth <= b.depth else b


def parent_place(view: ThreadView, place: Place) -> Place:
    """Return the place of the parent; :data:`ROOT` for a root."""
    hop, segment, depth = place
    parent = _segment(view, place).parent
    return parent if depth == parent.depth + 1 else Place(hop, segment, depth - 1)


def child_rows(
    view: ThreadView, parent: Place, version: int, *, active: bool
) -> tuple[Place, list[Row]]:
    """Return the place of a new child, added by the event ``version``, and the changed rows.

    With ``active`` the parent's branch point, if there is one, turns to the new child. It also
    turns to a first child: the path continues there until another child is active.
    """
    below = Place(parent.hop, parent.segment, parent.depth + 1)
    if parent.hop == 0 and parent.segment and view.message_at(below) is None:
        return below, []
    point = view.branch_point(parent) or _unbranched(view, parent)
    begun = SegmentRow(hop=0, segment=version, parent=parent, ordinal=point.children)
    turned = (0, version) if active or point.children == 0 else point.active
    return (
        Place(0, version, below.depth),
        [begun, replace(point, children=point.children + 1, active=turned)],
    )


def _unbranched(view: ThreadView, place: Place) -> BranchPointRow:
    """Return the branch point of an unbranched place: its child is the next message, if any."""
    below = view.message_at(place._replace(depth=place.depth + 1)) if place != ROOT else None
    return BranchPointRow(
        place=place,
        children=0 if below is None else 1,
        removed=0 if below is None or below.removed is None else 1,
    )


def leaf_below(view: ThreadView, place: Place) -> Place:
    """Return the leaf last active at or below ``place``, stopping above a removed message."""
    while True:
        stop, turn = _down_inherited(view, place) if place.hop else _down(view, place)
        if turn is None or stop != turn.place or turn.active is None:
            return stop
        child = Place(*turn.active, stop.depth + 1)
        if view.first_removed(child.hop, child.segment, child.depth, child.depth) is not None:
            return turn.place
        place = child


def _down(view: ThreadView, place: Place) -> tuple[Place, BranchPointRow | None]:
    """Return the place where a segment ends or the path leaves it, or before a removed message."""
    hop, segment, depth = place
    end = view.end_of(hop, segment)
    turn = next(iter(view.turns(hop, segment, depth, end)), None)
    stop = Place(hop, segment, end) if turn is None else turn.place
    gone = view.first_removed(hop, segment, depth + 1, stop.depth)
    return (stop if gone is None else Place(hop, segment, gone - 1)), turn


def _down_inherited(view: ThreadView, place: Place) -> tuple[Place, BranchPointRow | None]:
    """Do the same for the inherited path, which may have many segments."""
    path = _inherited(view)
    turn = next(iter(view.turns_off(place.depth, path.end.depth)), None)
    stop = path.end if turn is None else turn.place
    gone = view.first_inherited_removed(place.depth + 1, stop.depth)
    return (stop if gone is None else path.at(gone - 1)), turn


def head_move_rows(view: ThreadView, old: Place | None, new: Place) -> list[BranchPointRow]:
    """Return the branch points that must point at ``new``'s path now that the head moves there.

    Reads only the part that differs from the old head's path: all above points this way already.
    """
    changed: list[BranchPointRow] = []
    here, other = new, old or ROOT
    while _order(here) != _order(other) and not (here.hop and (other.hop or other == ROOT)):
        if _order(here) > _order(other):
            parent = _segment(view, here).parent
            changed += _straightened(view, here, parent.depth + 1)
            point = view.branch_point(parent)
            if point is not None and point.active != here[:2]:
                changed.append(replace(point, active=here[:2]))
            here = parent
        else:
            other = _segment(view, other).parent
    if here.hop:  # and so is the other: the inherited part is one path
        return changed + _kept_on(view, other, here.depth - 1)
    if here.depth > other.depth:
        changed += _straightened(view, here, other.depth)
    return changed


def _kept_on(view: ThreadView, start: Place, end: int) -> list[BranchPointRow]:
    """Point the branch points of the inherited path at depths start..end along it."""
    path = _inherited(view)
    points = [*view.turns_off(start.depth, end)]
    root = view.branch_point(ROOT) if start == ROOT else None
    if root is not None and (root.active is None or root.active[0] == 0):
        points.append(root)
    turns = [(point, path.turn(point.place)) for point in points]
    return [replace(point, active=None if turn is None else turn.active) for point, turn in turns]


def _straightened(view: ThreadView, place: Place, start: int) -> list[BranchPointRow]:
    """Point the branch points above ``place`` in its segment, from ``start`` on, down it."""
    if place.segment == 0:
        return []
    turns = view.turns(place.hop, place.segment, start, place.depth - 1)
    return [replace(turn, active=None) for turn in turns]


def removal_rows(view: ThreadView, place: Place, by: int) -> list[BranchPointRow]:
    """Return the branch point above ``place`` with ``by`` more children removed."""
    point = view.branch_point(parent_place(view, place))
    return [] if point is None else [replace(point, removed=point.removed + by)]


def sibling_position(view: ThreadView, row: MessageRow) -> tuple[int, int]:
    """Return index (from 0, in order of creation) and count among siblings that are not removed."""
    place = row.place
    if place is None:
        return 0, 1
    segment = view.segment(place.hop, place.segment) or _segment(view, place)
    first = place.depth == segment.parent.depth + 1
    parent = segment.parent if first else Place(place.hop, place.segment, place.depth - 1)
    point = view.branch_point(parent)
    if point is None:
        return 0, 1
    index = segment.ordinal if first else 0
    if point.removed == 0:
        return index, point.children
    if row.removed is not None:
        return 0, max(point.children - point.removed, 1)
    before = sum(_order(one) < _order(place) for one in view.removed_children(parent))
    return index - before, point.children - point.removed


def _inherited(view: ThreadView) -> Inheritance:
    path = view.inherited
    assert path is not None  # noqa: S101 (who has a place with a hop is a fork)
    return path


def _segment(view: ThreadView, place: Place) -> SegmentRow:
    row = view.segment(place.hop, place.segment)
    if row is None:
        message = f"the tree has no segment {place.segment} at hop {place.hop}"
        raise LookupError(message)
    return row


def _order(place: Place) -> tuple[int, int]:
    return (-place.hop, place.segment) if place.segment else _ABOVE_ALL
