"""A replay: a line for each event, and the path as it was right after it."""

from __future__ import annotations

from eventstore import ReplayStep
from scripts.pictures.svg import Spot, box, group, svg, text

MARGIN = 24
CHIP = Spot(164, 30)
LINE = 44
PATH_AT = 196


def replay_picture(steps: list[ReplayStep]) -> str:
    """Return the replay as SVG: a line for each event, and the path as it was right after it."""
    longest = max(len(step.state.messages) for step in steps)
    width = PATH_AT + longest * (CHIP.x + 8) - 8 + MARGIN
    parts = [
        text(MARGIN, MARGIN + 12, "note", "event"),
        text(PATH_AT, MARGIN + 12, "note", "the conversation right after it"),
    ]
    known: set[str] = set()
    for number, step in enumerate(steps):
        parts.append(_step(step, known, MARGIN + 26 + number * LINE))
        known |= {message.id for message in step.state.messages}
    height = MARGIN + 26 + len(steps) * LINE + MARGIN - (LINE - CHIP.y)
    return svg(
        width,
        height,
        "A replay of the same conversation",
        "Each line is an event, followed by the messages of the active path at that moment.",
        parts,
    )


def _step(step: ReplayStep, known: set[str], top: float) -> str:
    line = top + 20
    parts = [
        text(MARGIN, line, "note", str(step.event.version)),
        text(MARGIN + 18, line, "word", step.event.type),
    ]
    for place, message in enumerate(step.state.messages):
        left = PATH_AT + place * (CHIP.x + 8)
        parts.append(
            group(
                "seen" if message.id in known else "new",
                box(left, top, CHIP.x, CHIP.y),
                text(left + 10, line, "word", message.text),
            )
        )
    return "\n".join(parts)
