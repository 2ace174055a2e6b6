"""Draws a thread's tree.

Consecutive messages are aligned; answers are indented, by two columns, only at a branch. So a
conversation of any length fits a narrow window, and indentation shows its branches. Colour and
filled dots both mark the active path, so it is visible without colour, too::

    ● user  Why is the sky blue?
    ├─○ assistant  Because of scattering.                     1 of 2
    └─● assistant  Rayleigh scattering …                      2 of 2
      ● user  And at sunset?                                  head
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich.text import Text

from eventstore import BranchTree, TreeNode
from eventstore.cli.messages import notes, role_style, summary
from eventstore.cli.output import with_remark

__all__ = ["tree_lines"]


class _Strokes(NamedTuple):
    child: str
    last: str
    passing: str
    active: str
    other: str
    head: str
    cut: str


_DRAWN = _Strokes("├─", "└─", "│ ", "●", "○", "◉", "…")
_TYPED = _Strokes("|-", "`-", "| ", "*", "o", "@", "~")


def tree_lines(
    tree: BranchTree, width: int, *, ascii_only: bool = False, with_ids: bool = False
) -> Iterator[Text]:
    """Yield the drawn tree, one line per message."""
    strokes = _TYPED if ascii_only else _DRAWN
    for node, lead in _leads(tree, strokes):
        yield _line(node, lead, strokes, width, with_ids=with_ids)


def _leads(tree: BranchTree, strokes: _Strokes) -> Iterator[tuple[TreeNode, str]]:
    """Yield each message with the strokes that lead to it.

    Nodes come depth first, so all descendants follow their message: one pass suffices, without
    recursion, at any depth.
    """
    known = {node.message.id for node in tree.nodes}
    parents = [
        node.message.parent_id if node.message.parent_id in known else None for node in tree.nodes
    ]
    waiting: dict[str | None, int] = {}
    for parent in parents:
        waiting[parent] = waiting.get(parent, 0) + 1
    alone = {parent for parent, count in waiting.items() if count == 1}
    below: dict[str | None, str] = {None: ""}
    for node, parent in zip(tree.nodes, parents, strict=True):
        lead = body = below[parent]
        if parent not in alone:
            waiting[parent] -= 1
            lead += strokes.child if waiting[parent] else strokes.last
            body += strokes.passing if waiting[parent] else "  "
        below[node.message.id] = body
        yield node, lead


def _line(node: TreeNode, lead: str, strokes: _Strokes, width: int, *, with_ids: bool) -> Text:
    message = node.message
    if len(lead) > width // 2:  # a tree this deep is cut on its left, which holds only strokes
        lead = strokes.cut + lead[-(width // 2) :]
    mark = strokes.head if node.head else strokes.active if node.active else strokes.other
    weight = "" if node.active else "dim "
    line = Text().append(lead, style="dim")
    line.append(f"{mark} ", style=f"{weight}{'bold' if node.head else 'default'}".strip())
    line.append(message.role, style=role_style(message.role) if node.active else "dim default")
    line.append(f"  {summary(message)}", style=f"{weight}default")
    said = notes(message, node.label) + (["head"] if node.head else [])
    said += [message.id] if with_ids else []
    return with_remark(line, " · ".join(said), width, "default" if node.head else "dim")
