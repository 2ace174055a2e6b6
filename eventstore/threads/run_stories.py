"""The events of runs and steps that go on, which a kept view keeps between transactions.

Each write about a run returns the run, whose value is folded from its events. A run that ended is
rarely written about, so its events leave the memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from eventstore.conversation.rows import RunRow, StepRow
from eventstore.core.events import Event

__all__ = ["STORIES", "Stories", "going_on"]

STORIES: Final = frozenset({RunRow, StepRow})
"""Kinds of rows whose later events are read with every write about them."""
_GOING_ON: Final = frozenset({"queued", "in_progress", "requires_action", "cancelling"})
"""Status of a run or of a step that may still be written about."""


class Stories(NamedTuple):
    """Events of one thread, and which of them are about what."""

    touched: dict[bytes, list[int]]
    """Versions of the later events about a run or a step, as far as all of them are known."""
    events: dict[int, Event]


def going_on(
    rows: Iterable[RunRow | StepRow | None],
    touched: Mapping[bytes, list[int]],
    events: Mapping[int, Event],
) -> Stories:
    """Return the events of the runs and steps among some rows that have not ended."""
    kept = Stories({}, {})
    for row in rows:
        if row is None or row.status not in _GOING_ON:
            continue
        key = type(row).key_of(row)
        if key not in touched:
            continue
        kept.touched[key] = touched[key]
        for version in (row.version, *touched[key]):
            if version in events:
                kept.events[version] = events[version]
    return kept
