"""Builds the result of a write from the state right after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from eventstore.conversation import present, present_runs
from eventstore.conversation.rows import MessageRow, StepRow
from eventstore.conversation.run_values import Run, RunStep
from eventstore.conversation.values import Branch, Message, Thread
from eventstore.conversation.view import ThreadHistory
from eventstore.core import ids
from eventstore.core.events import Event

__all__ = [
    "branch_value",
    "its_run",
    "its_step",
    "labelled_branch",
    "new_message",
    "no_result",
    "selected_branch",
    "target_message",
    "this_thread",
]

_BORN: Final = {"MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued"}


class _OnMessage(Protocol):
    """A command about one message."""

    @property
    def target(self) -> bytes: ...


class _OnStep(Protocol):
    """A command about one step."""

    @property
    def step_id(self) -> bytes | None: ...


def this_thread(view: ThreadHistory, _: object, __: object) -> Thread:
    assert view.thread is not None  # noqa: S101 (decided)
    return present.thread_value(view, view.thread)


def _message(view: ThreadHistory, message_id: bytes) -> Message:
    row = view.message(message_id)
    assert row is not None  # noqa: S101 (decided)
    return present.message_value(view, row)


def new_message(view: ThreadHistory, _: object, events: Sequence[Event]) -> Message:
    """Return the last message that the command added; those from the queue come before it."""
    last = events[-1]
    born = last if last.type in _BORN else next(e for e in reversed(events) if e.type in _BORN)
    row = view.message(born.data.message_id)
    assert row is not None  # noqa: S101 (decided)
    return present.message_value(view, row)


def target_message(view: ThreadHistory, command: _OnMessage, _: object) -> Message:
    return _message(view, command.target)


def branch_value(view: ThreadHistory, row: MessageRow, label: str | None) -> Branch:
    """Return the branch that ends at a message."""
    assert view.thread is not None  # noqa: S101 (asked by the caller)
    return Branch(
        leaf_id=ids.show(ids.MESSAGE, row.message_id),
        label=label,
        active=view.thread.head == row.message_id,
        depth=0 if row.place is None else row.place.depth,
    )


def selected_branch(view: ThreadHistory, _: object, __: object) -> Branch:
    assert view.thread is not None  # noqa: S101 (decided)
    return _branch(view, view.thread.head or b"")


def labelled_branch(view: ThreadHistory, command: _OnMessage, _: object) -> Branch:
    return _branch(view, command.target)


def _branch(view: ThreadHistory, message_id: bytes) -> Branch:
    """Return a branch with its stored label: a repeat may name a label that was erased since."""
    row = view.message(message_id)
    assert row is not None  # noqa: S101 (decided)
    return branch_value(view, row, view.label_of(message_id))


def its_run(view: ThreadHistory, command: object, events: Sequence[Event]) -> Run:
    run_id = getattr(command, "run_id", None)
    if run_id is None:
        run_id = next(event for event in reversed(events) if event.type == "RunQueued").data.run_id
    row = view.run(run_id)
    assert row is not None  # noqa: S101 (decided)
    return present_runs.run_value(view, row)


def its_step(view: ThreadHistory, command: _OnStep, events: Sequence[Event]) -> RunStep:
    step_id = events[-1].data.step_id if events else command.step_id
    row = None if step_id is None else view.row(StepRow, step_id)
    assert row is not None  # noqa: S101 (decided)
    return present_runs.step_value(view, row)


def no_result(_: object, __: object, ___: object) -> None:
    """Return nothing: the certificate of an erasure spans threads; see ``privacy``."""
