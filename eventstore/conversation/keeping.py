"""Stores a row in the maps of a folded thread: one function for each kind of row.

``changes`` collects the new maps by name; a map's ``insert`` returns the map to keep. So the same
functions serve persistent maps and mutable ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import (
    BranchPointRow,
    LabelRow,
    MessageRow,
    RunRow,
    SegmentRow,
    StepRow,
    ThreadRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.core.events import Event

__all__ = ["KEEPERS", "with_event"]


def with_event(events: Any, event: Event) -> Any:  # noqa: ANN401 (a map with insert)
    """Return the events with one more; content that it erases is dropped here, too.

    A view that goes on from a snapshot does not have every event.
    """
    for version in event.data.versions if event.data.erases else ():
        erased = events.get(version)
        if erased is not None:
            events = events.insert(version, replace(erased, content=None))
    return events.insert(event.version, event)


def _put(state: FoldedView, changes: dict[str, Any], name: str, key: object, value: object) -> None:
    changes[name] = changes.get(name, getattr(state, name)).insert(key, value)


def _has(state: FoldedView, changes: dict[str, Any], name: str, key: object) -> Any:  # noqa: ANN401
    return changes.get(name, getattr(state, name)).get(key)


def _keep_thread(_: FoldedView, changes: dict[str, Any], row: ThreadRow) -> None:
    changes["thread"] = row


def _keep_message(state: FoldedView, changes: dict[str, Any], row: MessageRow) -> None:
    before: MessageRow | None = _has(state, changes, "messages", row.message_id)
    _put(state, changes, "messages", row.message_id, row)
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


def _keep_segment(state: FoldedView, changes: dict[str, Any], row: SegmentRow) -> None:
    stretch = (row.hop, row.segment)
    _put(state, changes, "segments", stretch, row)
    hanging = _has(state, changes, "hanging", row.parent) or ()
    _put(state, changes, "hanging", row.parent, (*hanging, stretch))


def _keep_branch_point(state: FoldedView, changes: dict[str, Any], row: BranchPointRow) -> None:
    if _has(state, changes, "branch_points", row.place) is None:
        stretch = (row.place.hop, row.place.segment)
        bends = {*(_has(state, changes, "bends", stretch) or ()), row.place.depth}
        _put(state, changes, "bends", stretch, tuple(sorted(bends)))
    _put(state, changes, "branch_points", row.place, row)


def _keep_run(state: FoldedView, changes: dict[str, Any], row: RunRow) -> None:
    active = changes.get("active_runs", state.active_runs)
    if row.status in TERMINAL:
        changes["active_runs"] = tuple(run_id for run_id in active if run_id != row.run_id)
    elif row.run_id not in active:
        changes["active_runs"] = (*active, row.run_id)
    _put(state, changes, "runs", row.run_id, row)


def _keep_step(state: FoldedView, changes: dict[str, Any], row: StepRow) -> None:
    _put(state, changes, "steps", row.step_id, row)


def _keep_label(state: FoldedView, changes: dict[str, Any], row: LabelRow) -> None:
    before: LabelRow | None = _has(state, changes, "labels", row.message_id)
    labelled = changes.get("labelled", state.labelled)
    if before is not None and before.label is not None:
        labelled = labelled.discard(before.label)
    if row.label is not None:
        labelled = labelled.insert(row.label, row.message_id)
    changes["labelled"] = labelled
    _put(state, changes, "labels", row.message_id, row)


def _keep_touch(state: FoldedView, changes: dict[str, Any], row: TouchRow) -> None:
    touches = _has(state, changes, "touches", row.subject_id) or ()
    _put(state, changes, "touches", row.subject_id, (*touches, row.version))


KEEPERS: Final[Mapping[type[Any], Callable[[FoldedView, dict[str, Any], Any], None]]] = {
    ThreadRow: _keep_thread,
    MessageRow: _keep_message,
    SegmentRow: _keep_segment,
    BranchPointRow: _keep_branch_point,
    RunRow: _keep_run,
    StepRow: _keep_step,
    LabelRow: _keep_label,
    TouchRow: _keep_touch,
}
