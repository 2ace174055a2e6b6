"""The facts of a thing from a folded state, where too many events tell of it to read them all.

A row says how a thing stands, and which events hold its words. So a message that was amended a
thousand times, or a thread that was renamed as often, is told by a few events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from eventstore.conversation.fact_fold import after
from eventstore.conversation.facts import Facts, Subject
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import RunStatus
from eventstore.conversation.run_lifecycle import MOVES, TERMINAL
from eventstore.core import ids
from eventstore.core.events import Event

__all__ = ["facts_told", "versions_telling"]


def versions_telling(view: FoldedView, subject: Subject) -> list[int]:
    """Return the versions of a thread's own events that set the facts of a thing, in order.

    The thing is the thread itself, a message or a run; a step has few events.
    """
    told = {ids.THREAD: _of_thread, ids.MESSAGE: _of_message, ids.RUN: _of_run}[subject.prefix]
    return sorted({*told(view, subject.key)})


def facts_told(
    view: FoldedView, subject: Subject, begun: Facts, events: Iterable[Event], stream: bytes
) -> Facts:
    """Return the facts of a thing after such events; what was moved to and fro is in its row."""
    facts = begun
    for event in events:
        before = _BEFORE.get(event.type)
        facts = facts if before is None else {**facts, "status": before}
        facts = after(facts, subject, event, stream)
    return {**facts, **_standing(view, subject)}


def _of_thread(view: FoldedView, _: bytes) -> Iterator[int]:
    yield 1
    if view.thread is not None:
        yield from (version for version in view.thread.named if version)


def _of_message(view: FoldedView, key: bytes) -> Iterator[int]:
    row = view.message(key)
    if row is None:
        return
    if row.place is None or row.place.hop == 0:  # else another thread's event added it
        yield from (row.content_version, row.version)
    yield from (version for version in row.said or () if version)
    labelled = _last(view, key, {"BranchLabelled"})
    if labelled is not None and not labelled.data.cleared:
        yield labelled.version


def _of_run(view: FoldedView, key: bytes) -> Iterator[int]:
    row = view.run(key)
    if row is None:
        return
    yield row.version
    for kinds in ({"RunUpdated"}, _BEFORE if row.status in TERMINAL else ()):
        event = _last(view, key, kinds)
        if event is not None:
            yield event.version


def _last(view: FoldedView, key: bytes, kinds: Iterable[str]) -> Event | None:
    wanted = {*kinds}
    events = map(view.event, reversed(view.touches_of(key)))
    return next((event for event in events if event.type in wanted), None)


def _standing(view: FoldedView, subject: Subject) -> Facts:
    thread, key = view.thread, subject.key
    if subject.prefix == ids.THREAD and thread is not None:
        return {"archived": thread.archived, "deleted": thread.deleted}
    if subject.prefix == ids.MESSAGE and (row := view.message(key)) is not None:
        return {"status": row.status, "removed": row.removed is not None}
    run = view.run(key)
    if run is None:
        return {}
    calls = list(run.pending_calls) or None
    return {"status": run.status, "holder": run.holder, "required_calls": calls}


_BEFORE: Final[Mapping[str, RunStatus]] = {
    kind: before
    for before, moves in MOVES.items()
    for kind, status in moves.items()
    if status in TERMINAL
}
"""Events that end a run, each with a status in which it may happen."""
