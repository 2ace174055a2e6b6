"""The path of a write, a read and a replay through the store."""

from __future__ import annotations

from scripts.pictures.svg import Spot, box, group, svg, text

SIZE = Spot(172, 56)
LEFT, MIDDLE, RIGHT = 24, 264, 504
TOP, BOTTOM = 40, 160


def flow_picture() -> str:
    """Return the drawing as SVG."""
    cards = (
        (LEFT, TOP, "other", "messages.create", "a write"),
        (MIDDLE, TOP, "active", "decide", "append events, or refuse"),
        (RIGHT, TOP, "active", "events", "never overwritten"),
        (LEFT, BOTTOM, "other", "messages.list", "a read"),
        (MIDDLE, BOTTOM, "active", "tables", "threads, messages, runs"),
        (RIGHT, BOTTOM, "other", "replay.state", "any earlier moment"),
    )
    parts = [
        _across(LEFT, MIDDLE, TOP),
        _across(MIDDLE, RIGHT, TOP),
        _down(MIDDLE, "the same transaction"),
        _down(RIGHT, "folded"),
        _across(MIDDLE, LEFT, BOTTOM),
    ]
    parts += [
        group(
            kind,
            box(x, y, *SIZE),
            text(x + 14, y + 25, "big", name),
            text(x + 14, y + 43, "note", note),
        )
        for x, y, kind, name, note in cards
    ]
    return svg(
        RIGHT + SIZE.x + LEFT,
        BOTTOM + SIZE.y + TOP,
        "How a write, a read and a replay pass through the store",
        "A write decides, appends events and changes tables in one transaction. A read asks the"
        " tables. A replay folds the events.",
        parts,
    )


def _across(start: float, end: float, top: float) -> str:
    """Return an arrow between two cards of a row, in either direction."""
    line, forward = top + SIZE.y / 2, end > start
    tail, tip = (start + SIZE.x, end - 2) if forward else (start, end + SIZE.x + 2)
    wing = tip - 10 if forward else tip + 10
    return (
        f'<path class="line active" d="M{tail:g} {line:g} H{wing:g}"/>'
        f'<path class="tip" d="M{tip:g} {line:g} L{wing:g} {line - 6:g} V{line + 6:g} Z"/>'
    )


def _down(left: float, note: str) -> str:
    """Return an arrow from the upper to the lower card of a column."""
    x, tip = left + SIZE.x / 2, BOTTOM - 2
    return (
        f'<path class="line active" d="M{x:g} {TOP + SIZE.y:g} V{tip - 10:g}"/>'
        f'<path class="tip" d="M{x:g} {tip:g} L{x - 6:g} {tip - 10:g} H{x + 6:g} Z"/>'
        + text(x + 10, (TOP + SIZE.y + BOTTOM) / 2 + 4, "note", note)
    )
