"""Tells the events of a run from the log and from the text that is being written.

A :class:`Reached` is the place of a reader. It names the message of which a part was told, and
counts that part. So the reader goes on behind it, wherever the text is by then: in chunks, in a
final message, or in an interrupted one. The text of a message only grows, so the count stays true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

from eventstore.conversation import events as e
from eventstore.conversation import run_events as told
from eventstore.conversation.run_lifecycle import MOVES, TERMINAL
from eventstore.core import ids
from eventstore.core.events import Event

__all__ = ["START", "Cursor", "Reached", "tell", "tell_shown"]


class Reached(NamedTuple):
    """The place of a reader in the events of a run."""

    version: int
    """Everything up to this version of the thread was told."""
    text: int
    """Characters of text that were told, of the whole run."""
    message: bytes = b""
    """Message of which a part was told; empty if all of it was, or nothing."""
    within: int = 0
    """Characters of its text that were told."""
    parts: int = 0
    """Its tool calls or results that were told."""
    over: bool = False
    """The end of the run was told."""

    def told_of(self, message_id: bytes) -> int:
        """Return how many characters of a message's text were told."""
        return self.within if self.message == message_id else 0


START: Final = Reached(0, 0)

Cursor: TypeAlias = Callable[[Reached], str]
"""Returns a place as text."""

_Made: TypeAlias = tuple[told.RunEvent, Reached]

_AFTER: Final = {event: status for moves in MOVES.values() for event, status in moves.items()}
_STATUS: Final[Mapping[str, told.RunState]] = {
    "RunQueued": "run.queued",
    **{event: cast("told.RunState", f"run.{status}") for event, status in _AFTER.items()},
    "RunTakenOver": "run.taken_over",
}
_ENDS: Final = frozenset(event for event, status in _AFTER.items() if status in TERMINAL)
_STEPS: Final[Mapping[str, told.StepState]] = {
    "RunStepStarted": "step.started",
    "RunStepCompleted": "step.completed",
    "RunStepFailed": "step.failed",
}


def tell(reached: Reached, event: Event, run_id: bytes, cursor: Cursor) -> Iterator[_Made]:
    """Yield what an event of the thread tells of a run, each with the place behind it."""
    data: Any = event.data
    if getattr(data, "run_id", None) != run_id:
        return
    run, kind, behind = (
        ids.show(ids.RUN, run_id),
        event.type,
        reached._replace(version=event.version),
    )
    if isinstance(data, e.MessageBorn):
        yield from _message(reached, event, data, run_id, cursor)
    elif kind == "MessageBegun":
        message_id = ids.show(ids.MESSAGE, data.message_id)
        yield _started(run, message_id, cursor(behind)), behind
    elif kind in _STEPS:
        yield _step(run, event, cursor(behind)), behind
    elif kind in _STATUS and (kind != "ToolOutputsSubmitted" or data.all_in):
        behind = behind._replace(over=kind in _ENDS)
        yield _changed(run, event, cursor(behind)), behind


def _started(run: str, message_id: str, cursor: str) -> told.RunEvent:
    return told.MessageStarted(run_id=run, cursor=cursor, message_id=message_id)


def _step(run: str, event: Event, cursor: str) -> told.RunEvent:
    return told.StepChanged(
        run_id=run,
        cursor=cursor,
        type=_STEPS[event.type],
        step_id=ids.show(ids.STEP, event.data.step_id),
        step_type=getattr(event.data, "type", None),
        code=getattr(event.data, "code", None),
    )


def _changed(run: str, event: Event, cursor: str) -> told.RunEvent:
    return told.RunChanged(
        run_id=run,
        cursor=cursor,
        type=_STATUS[event.type],
        pending_calls=event.data.calls if event.type == "RunActionRequired" else (),
        code=getattr(event.data, "code", None) or getattr(event.data, "reason", None),
    )


def tell_shown(
    reached: Reached, run_id: bytes, message_id: bytes, text: str, cursor: Cursor
) -> Iterator[_Made]:
    """Yield the next piece of a message's text, which follows what was told of it."""
    if text:
        behind = reached._replace(
            text=reached.text + len(text),
            message=message_id,
            within=reached.told_of(message_id) + len(text),
            parts=0,
        )
        delta = told.MessageDelta(
            run_id=ids.show(ids.RUN, run_id),
            cursor=cursor(behind),
            message_id=ids.show(ids.MESSAGE, message_id),
            text=text,
            offset=reached.text,
        )
        yield delta, behind


def _message(
    reached: Reached, event: Event, data: e.MessageBorn, run_id: bytes, cursor: Cursor
) -> Iterator[_Made]:
    """Yield the rest of a message's text, its calls or results, and its end."""
    parts: Sequence[Any] = () if event.content is None else event.content.parts
    if data.role == "assistant":
        text = "".join([part for part in parts if isinstance(part, str)])
        rest = text[reached.told_of(data.message_id) :]
        for made in tell_shown(reached, run_id, data.message_id, rest, cursor):
            yield made
            reached = made[1]
    run, message_id = ids.show(ids.RUN, run_id), ids.show(ids.MESSAGE, data.message_id)
    said = list(_parts(data, parts))
    known = reached.parts if reached.message == data.message_id else 0
    for number, (kind, facts) in enumerate(said[known:], known + 1):
        within = reached.told_of(data.message_id)
        behind = reached._replace(message=data.message_id, within=within, parts=number)
        if number == len(said):
            behind = Reached(event.version, reached.text)
        yield kind(run_id=run, message_id=message_id, cursor=cursor(behind), **facts), behind


def _parts(
    data: e.MessageBorn, parts: Sequence[Any]
) -> Iterator[tuple[Callable[..., Any], dict[str, Any]]]:
    """Yield what follows the text of a message: the ids are kept when the content is erased."""
    found = {one.get("id") or one.get("call_id"): one for one in parts if isinstance(one, dict)}
    for call in data.calls:
        part = found.get(call, {})
        facts = {"call_id": call, "name": part.get("name"), "arguments": part.get("arguments")}
        yield told.ToolCalled, facts
    for call in data.answers:
        part = found.get(call, {})
        status = part.get("status", "completed") if part else None
        yield told.ToolAnswered, {"call_id": call, "status": status, "output": part.get("output")}
    if data.role != "tool" or not data.answers:
        interrupted = getattr(data, "interrupted", False)
        kind = "message.interrupted" if interrupted else "message.completed"
        yield told.MessageEnded, {"type": kind, "status": data.status}
