"""Keeps a row in a folded thread: by its kind and key, and in the indexes over rows of its kind.

``changes`` collects what changes of a state, by the names of its fields. A map's ``insert`` returns
the map to keep, so the same functions serve persistent maps and mutable ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, Self, TypeVar

from msgspec.structs import replace

from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import (
    BranchPointRow,
    LabelRow,
    MessageRow,
    Row,
    RunRow,
    SegmentRow,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.core.events import Event

__all__ = ["keep", "with_event"]


class _Events(Protocol):
    """Events by version, in a map whose ``insert`` returns the map to keep."""

    def get(self, version: int, /) -> Event | None: ...

    def insert(self, version: int, event: Event, /) -> Self: ...


E = TypeVar("E", bound=_Events)


def with_event(events: E, event: Event) -> E:
    """Return the events with one more; content that it erases is dropped here, too.

    A view that goes on from a snapshot does not have every event.
    """
    for version in event.data.versions if event.data.erases else ():
        erased = events.get(version)
        if erased is not None:
            events = events.insert(version, replace(erased, content=None))
    return events.insert(event.version, event)


def keep(state: FoldedView, changes: dict[str, Any], row: Row) -> None:
    """Keep a row; ``changes["rows"]`` is a dictionary by kind that belongs to the new state."""
    kind = type(row)
    index = _INDEXES.get(kind)
    if index is not None:
        index(state, changes, row)
    if kind not in _KEPT_ELSEWHERE:
        rows = changes["rows"]
        rows[kind] = rows[kind].insert(kind.key_of(row), row)


def _put(state: FoldedView, changes: dict[str, Any], name: str, key: object, value: object) -> None:
    changes[name] = changes.get(name, getattr(state, name)).insert(key, value)


def _has(state: FoldedView, changes: dict[str, Any], name: str, key: object) -> Any:  # noqa: ANN401
    return changes.get(name, getattr(state, name)).get(key)


def _keep_thread(_: FoldedView, changes: dict[str, Any], row: ThreadRow) -> None:
    changes["thread"] = row


def _keep_touch(state: FoldedView, changes: dict[str, Any], row: TouchRow) -> None:
    """Add a touch; in a draft in place, since thousands may touch one thing."""
    known = _has(state, changes, "touches", row.subject_id) or ()
    if isinstance(known, list):
        known.append(row.version)
    elif isinstance(changes.get("touches"), dict):
        _put(state, changes, "touches", row.subject_id, [*known, row.version])
    else:
        _put(state, changes, "touches", row.subject_id, (*known, row.version))


def _index_message(state: FoldedView, changes: dict[str, Any], row: MessageRow) -> None:
    before: MessageRow | None = changes["rows"][MessageRow].get(row.message_id)
    waiting = changes.get("waiting", state.waiting)
    if row.place is None:
        if before is None:
            changes["waiting"] = (*waiting, row.message_id)
        elif row.status == "replaced":
            changes["waiting"] = tuple(key for key in waiting if key != row.message_id)
        return
    stretch = (row.place.hop, row.place.segment)
    if row.place.hop:
        changes["changes_inherited"] = True
    elif before is None or before.place is None:
        _put(state, changes, "places", row.place, row.message_id)
        _put(state, changes, "ends", stretch, row.place.depth)
        if before is not None:
            changes["waiting"] = tuple(key for key in waiting if key != row.message_id)
    was_removed = before is not None and before.place is not None and before.removed is not None
    if was_removed != (row.removed is not None):
        gone = set(_has(state, changes, "gone", stretch) or ()) ^ {row.place.depth}
        _put(state, changes, "gone", stretch, tuple(sorted(gone)))


def _index_segment(state: FoldedView, changes: dict[str, Any], row: SegmentRow) -> None:
    stretch = (row.hop, row.segment)
    hanging = _has(state, changes, "hanging", row.parent) or ()
    _put(state, changes, "hanging", row.parent, (*hanging, stretch))


def _index_branch_point(state: FoldedView, changes: dict[str, Any], row: BranchPointRow) -> None:
    if row.place not in changes["rows"][BranchPointRow]:
        stretch = (row.place.hop, row.place.segment)
        bends = {*(_has(state, changes, "bends", stretch) or ()), row.place.depth}
        _put(state, changes, "bends", stretch, tuple(sorted(bends)))


def _index_run(state: FoldedView, changes: dict[str, Any], row: RunRow) -> None:
    active = changes.get("active_runs", state.active_runs)
    if row.status in TERMINAL:
        changes["active_runs"] = tuple(run_id for run_id in active if run_id != row.run_id)
    elif row.run_id not in active:
        changes["active_runs"] = (*active, row.run_id)


def _index_label(state: FoldedView, changes: dict[str, Any], row: LabelRow) -> None:
    before: LabelRow | None = changes["rows"][LabelRow].get(row.message_id)
    labelled = changes.get("labelled", state.labelled)
    if before is not None and before.label is not None:
        labelled = labelled.discard(before.label)
    if row.label is not None:
        labelled = labelled.insert(row.label, row.message_id)
    changes["labelled"] = labelled


_KEPT_ELSEWHERE: Final = frozenset({ThreadRow, TouchRow})
_INDEXES: Final[Mapping[type[Any], Callable[[FoldedView, dict[str, Any], Any], None]]] = {
    ThreadRow: _keep_thread,
    TouchRow: _keep_touch,
    MessageRow: _index_message,
    SegmentRow: _index_segment,
    BranchPointRow: _index_branch_point,
    RunRow: _index_run,
    LabelRow: _index_label,
}
"""Kinds of rows that are found in other ways than by their key."""
