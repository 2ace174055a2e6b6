"""Lays out a conversation for reading: the active path first, then each branch with a name.

Messages of the active path are numbered by their depth. A branch has a letter, and its messages
that letter and their depth: ``A3`` stands in the place of message 3. A branch goes on with the
first answer wherever it branches again; the others are branches of their own.
"""

from __future__ import annotations

from collections import defaultdict, deque
from string import ascii_uppercase
from typing import NamedTuple

from eventstore.conversation.thread_state import ThreadState
from eventstore.conversation.values import TreeNode

__all__ = ["Entry", "Outline", "Stretch", "outline"]


class Entry(NamedTuple):
    """A message with its number, and the branches that stand in its place."""

    number: str
    node: TreeNode
    others: tuple[str, ...]
    """Names of the branches that begin beside it."""


class Stretch(NamedTuple):
    """The active path, or one branch."""

    name: str
    """Letter of the branch; empty for the active path."""
    after: str
    """Number of the message that the branch follows; empty at the beginning."""
    beside: str
    """Number of the message in whose place it begins; empty if there is none."""
    entries: tuple[Entry, ...]


class Outline(NamedTuple):
    """A whole conversation, laid out."""

    path: Stretch
    branches: tuple[Stretch, ...]


def outline(state: ThreadState) -> Outline:
    """Return the layout of a conversation."""
    nodes = state.tree.nodes
    known = {node.message.id for node in nodes}
    below: dict[str | None, list[TreeNode]] = defaultdict(list)
    for node in nodes:
        parent = node.message.parent_id
        below[parent if parent in known else None].append(node)
    layout = _Layout(below)
    first = next((node for node in below[None] if node.active), None)
    path = layout.stretch("", None, first)
    if first is None:  # nothing is selected: every root is a branch
        layout.leave("", None, below[None])
    return Outline(path, tuple(layout.branches()))


class _Layout:
    """Follows stretches, and keeps the branches that leave them for later."""

    def __init__(self, below: dict[str | None, list[TreeNode]]) -> None:
        self._below = below
        self._names = 0
        self._waiting: deque[tuple[str, str, str, TreeNode]] = deque()

    def branches(self) -> list[Stretch]:
        """Return every branch, in the order in which they were met."""
        found = []
        while self._waiting:
            name, after, beside, node = self._waiting.popleft()
            made = self.stretch(name, after, node)
            found.append(made._replace(beside=beside))
        return found

    def stretch(self, name: str, after: str | None, first: TreeNode | None) -> Stretch:
        """Return the messages from one on, and note the branches that leave between them."""
        entries: list[Entry] = []
        node, above = first, after or ""
        while node is not None:
            number = f"{name}{node.depth}"
            siblings = self._below[self._parent(node)]
            fresh = [] if name and node is first else [one for one in siblings if one is not node]
            others = self.leave(above, number, fresh)
            entries.append(Entry(number, node, others))
            children = self._below[node.message.id]
            active = next((one for one in children if one.active), None)
            node, above = active or (children[0] if children and name else None), number
            if node is None and children:  # the head has answers that are not selected
                self.leave(above, None, children)
        return Stretch(name, after or "", "", tuple(entries))

    def leave(self, after: str, beside: str | None, nodes: list[TreeNode]) -> tuple[str, ...]:
        """Name branches, and keep them for later; return the names."""
        names = []
        for node in nodes:
            names.append(_letters(self._names))
            self._names += 1
            self._waiting.append((names[-1], after, beside or "", node))
        return tuple(names)

    def _parent(self, node: TreeNode) -> str | None:
        parent = node.message.parent_id
        return parent if parent in self._below else None


def _letters(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    letters = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, len(ascii_uppercase))
        letters = ascii_uppercase[digit] + letters
    return letters
