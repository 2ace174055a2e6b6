"""Prints a thread step by step: each event beside the active path right after it.

Messages are numbered in order of appearance, so a path is short and its turns are easy to see: ``1
2``, then ``1 3`` after a regeneration. Only the end of a long path is shown; making the whole path
at every step would cost n² for n steps.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final

from rich.text import Text

from eventstore import ReplayedThread, ReplayStep
from eventstore.cli.listing import event_line
from eventstore.cli.output import clipped

__all__ = ["step_lines", "steps_as_json"]

_SHOWN: Final = 5
_PATH_WIDTH: Final = 13


def step_lines(steps: Iterable[ReplayStep], width: int) -> Iterator[Text]:
    """Yield one line per event: version, the active path after it, the event."""
    numbers: dict[str, int] = {}
    heading = f"{'':>4}  {'active path':<{_PATH_WIDTH}}  event  (path: messages, in the order sent)"
    yield clipped(Text(heading, style="dim"), width)
    before = ""
    for event, state in steps:
        for message_id in _appearing(event.type, event.data, state):
            numbers.setdefault(message_id, len(numbers) + 1)
        path = _path(state, numbers)
        line = Text(f"{event.version:>4}  ")
        line.append(f"{path:<{_PATH_WIDTH}}", style="dim" if path == before else "bold")
        yield clipped(line.append_text(event_line(event)), width)
        before = path


def _appearing(event_type: str, data: dict[str, object], state: ReplayedThread) -> Iterator[str]:
    if event_type == "ThreadForked":
        yield from (message.id for message in state.messages)
    elif event_type.startswith("Message") and isinstance(data.get("message_id"), str):
        yield str(data["message_id"])


def _path(state: ReplayedThread, numbers: dict[str, int]) -> str:
    """Return the end of the active path in numbers, from the head upwards."""
    shown: list[str] = []
    message_id = state.head_id
    while message_id is not None and len(shown) < _SHOWN:
        message = state.message(message_id)
        shown.append(str(numbers.setdefault(message_id, len(numbers) + 1)))
        message_id = None if message is None else message.parent_id
    if message_id is not None:
        shown.append("…")
    return " ".join(reversed(shown)) or "-"


def steps_as_json(steps: Iterable[ReplayStep]) -> Iterator[str]:
    """Yield each step as JSON: the event, and the thread after it."""
    for event, state in steps:
        after = {
            "head_id": state.head_id,
            "queued": [message.id for message in state.queued],
            "labels": state.labels,
        }
        yield json.dumps({"event": event.model_dump(mode="json"), "after": after})
