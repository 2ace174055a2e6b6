"""A tree of messages: a row for each depth, a column for each branch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from eventstore import BranchTree, Message, TreeNode
from scripts.pictures.svg import Spot, box, group, svg, text

CARD = Spot(186, 48)
ROW = 92
COLUMN = 218
MARGIN = 24


def tree_picture(tree: BranchTree) -> str:
    """Return the tree as SVG: a row for each depth, a column for each branch."""
    spots = dict(_spots(tree, tree.children(None), itertools.count()))
    parts = [_lead(node, spots) for node in tree.nodes if node.message.parent_id in spots]
    parts += [_card(node, spots[node.message.id]) for node in tree.nodes]
    width = max(spot.x for spot in spots.values()) + CARD.x / 2 + MARGIN
    height = max(spot.y for spot in spots.values()) + CARD.y / 2 + MARGIN
    return svg(
        width,
        height,
        "A conversation as a tree",
        "One answer was regenerated and one question edited. The active path is highlighted.",
        parts,
    )


def _spots(
    tree: BranchTree, nodes: list[TreeNode], columns: Iterator[int]
) -> Iterator[tuple[str, Spot]]:
    for node in nodes:
        below = dict(_spots(tree, tree.children(node.message.id), columns))
        children = [below[child.message.id].x for child in tree.children(node.message.id)]
        left = MARGIN + CARD.x / 2
        x = (min(children) + max(children)) / 2 if children else left + next(columns) * COLUMN
        yield node.message.id, Spot(x, MARGIN + CARD.y / 2 + (node.depth - 1) * ROW)
        yield from below.items()


def _lead(node: TreeNode, spots: dict[str, Spot]) -> str:
    """Return the line from the parent's card to this one, and how the message came about."""
    end, start = spots[node.message.id], spots[str(node.message.parent_id)]
    top, bottom = start.y + CARD.y / 2, end.y - CARD.y / 2
    middle = (top + bottom) / 2
    path = f"M{start.x:g} {top:g} C{start.x:g} {middle:g} {end.x:g} {middle:g} {end.x:g} {bottom:g}"
    line = f'<path class="line{" active" if node.active else ""}" d="{path}"/>'
    note = _how(node.message)
    if note:
        line += text(end.x + 8, bottom - 6, "note", note)
    return line


def _how(message: Message) -> str:
    if message.replaces is None:
        return ""
    return "edited" if message.role == "user" else "regenerated"


def _card(node: TreeNode, spot: Spot) -> str:
    message = node.message
    left, top = spot.x - CARD.x / 2, spot.y - CARD.y / 2
    role: str = message.role
    if message.sibling_count > 1:
        role += f" · {message.sibling_index} of {message.sibling_count}"
    return group(
        "active" if node.active else "other",
        box(left, top, CARD.x, CARD.y),
        text(left + 12, top + 18, "role", role),
        text(left + 12, top + 37, "word", message.text),
    )
