"""Read messages: a window of a path, siblings, the whole tree.

:func:`messages` is the one way from a path to messages, live or folded: ranges from the end upwards
until the window is covered, so the last 50 of 10,000 messages cost the same as the last 50 of 60.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from eventstore.conversation import tree
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.present import message_value, stretch_values
from eventstore.conversation.rows import ROOT, MessageRow, Place
from eventstore.conversation.values import BranchTree, Message, TreeNode
from eventstore.core import ids
from eventstore.threads.stored_thread import StoredThread

__all__ = [
    "Window",
    "message_values",
    "messages",
    "siblings",
    "tree_value",
    "visible_tree",
    "window",
]

View = StoredThread | FoldedView


class Window(NamedTuple):
    """Depths of a path: ``first`` to ``last``, both included."""

    first: int
    last: int

    def page(self, limit: int | None, *, newest_first: bool) -> Window:
        """Return the part of the window that one page shows."""
        if limit is None:
            return self
        if newest_first:
            return Window(max(self.first, self.last - limit + 1), self.last)
        return Window(self.first, min(self.last, self.first + limit - 1))


def messages(view: View, end: Place, depths: Window) -> tuple[Message, ...]:
    """Return the path down to ``end`` at the given depths as users see it, oldest first."""
    values: list[Message] = []
    stretches = _stretches(view, end, depths)
    view.prepare(stretches)
    for stretch in stretches:
        values.extend(stretch_values(view, stretch))
    return tuple(values)


def window(view: View, end: Place, depths: Window) -> list[MessageRow]:
    """Return the rows of the path down to ``end`` at the given depths, oldest first."""
    rows: list[MessageRow] = []
    stretches = _stretches(view, end, depths)
    view.prepare(stretches)
    for stretch in stretches:
        if isinstance(view, StoredThread):
            view.prefetch(stretch)
        places = (Place(*stretch[:2], depth) for depth in range(stretch.start, stretch.end + 1))
        rows.extend([row for place in places if (row := view.message_at(place)) is not None])
    return rows


def _stretches(view: View, end: Place, depths: Window) -> list[tree.Range]:
    """Return the window's part of each range of a path, the oldest first."""
    seen: list[tree.Range] = []
    for stretch in tree.ranges(view, end):
        if stretch.start > depths.last:
            continue
        if stretch.end < depths.first:
            break
        start, last = max(stretch.start, depths.first), min(stretch.end, depths.last)
        seen.append(stretch._replace(start=start, end=last))
    return seen[::-1]


def message_values(view: View, rows: Sequence[MessageRow]) -> tuple[Message, ...]:
    """Return rows as users see them."""
    return tuple([message_value(view, row) for row in rows])


def siblings(view: View, row: MessageRow) -> list[MessageRow]:
    """Return a message and its siblings that are not removed, in order of creation."""
    if row.place is None:
        return [row]
    found = [view.message_at(place) for place in view.children(tree.parent_place(view, row.place))]
    return [sibling for sibling in found if sibling is not None and sibling.removed is None]


def visible_tree(view: View) -> list[MessageRow]:
    """Return every visible message of a thread depth first, siblings in order of creation."""
    rows: list[MessageRow] = []
    waiting = list(reversed(view.children(ROOT)))
    while waiting:
        row = view.message_at(waiting.pop())
        if row is None or row.removed is not None or row.place is None:
            continue
        rows.append(row)
        waiting.extend(reversed(view.children(row.place)))
    return rows


def tree_value(view: View, labels: Mapping[bytes, str]) -> BranchTree:
    """Return every visible message with its place in the tree; ``labels`` are by message."""
    head = None if view.thread is None else view.thread.head
    end = None if head is None else view.message(head)
    active = _path_ids(view, end)
    nodes = [
        TreeNode(
            message=message_value(view, row),
            depth=row.place.depth if row.place is not None else 0,
            active=row.message_id in active,
            head=row.message_id == head,
            label=labels.get(row.message_id),
        )
        for row in visible_tree(view)
    ]
    return BranchTree(
        thread_id=ids.show(ids.THREAD, view.thread_id),
        head_id=ids.show_or_none(ids.MESSAGE, head),
        nodes=tuple(nodes),
    )


def _path_ids(view: View, end: MessageRow | None) -> set[bytes]:
    if end is None or end.place is None:
        return set()
    rows = window(view, end.place, Window(1, end.place.depth))
    return {row.message_id for row in rows}
