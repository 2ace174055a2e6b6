"""Builds the result of a write from the state right after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from eventstore.conversation import commands as c
from eventstore.conversation import present
from eventstore.conversation.rows import MessageRow
from eventstore.conversation.values import Branch, Message, Run, RunStep, Thread
from eventstore.conversation.view import ThreadHistory
from eventstore.core import ids
from eventstore.core.events import Event

__all__ = ["branch_value", "of"]

_BORN: Final = {"MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued"}


def of(view: ThreadHistory, command: c.Command, events: Sequence[Event]) -> Any:  # noqa: ANN401
    """Return the thread, message, branch, run or step that ``command`` made or changed."""
    return _RESULTS[type(command)](view, command, events)


def _thread(view: ThreadHistory, _: object, __: object) -> Thread:
    assert view.thread is not None  # noqa: S101 (decided)
    return present.thread_value(view, view.thread)


def _message(view: ThreadHistory, message_id: bytes) -> Message:
    row = view.message(message_id)
    assert row is not None  # noqa: S101 (decided)
    return present.message_value(view, row)


def _born(view: ThreadHistory, _: object, events: Sequence[Event]) -> Message:
    """Return the last message that the command added; those from the queue come before it."""
    last = events[-1]
    born = last if last.type in _BORN else next(e for e in reversed(events) if e.type in _BORN)
    row = view.message(born.data.message_id)
    assert row is not None  # noqa: S101 (decided)
    return present.message_value(view, row)


def _target(view: ThreadHistory, command: Any, _: object) -> Message:  # noqa: ANN401
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


def _selected(view: ThreadHistory, _: object, __: object) -> Branch:
    assert view.thread is not None  # noqa: S101 (decided)
    return _branch(view, view.thread.head or b"")


def _labelled(view: ThreadHistory, command: c.LabelBranch, _: object) -> Branch:
    return _branch(view, command.target)


def _branch(view: ThreadHistory, message_id: bytes) -> Branch:
    """Return a branch with its stored label: a repeat may name a label that was erased since."""
    row = view.message(message_id)
    assert row is not None  # noqa: S101 (decided)
    return branch_value(view, row, view.label_of(message_id))


def _run(view: ThreadHistory, command: Any, events: Sequence[Event]) -> Run:  # noqa: ANN401
    run_id = getattr(command, "run_id", None)
    if run_id is None:
        run_id = next(event for event in reversed(events) if event.type == "RunQueued").data.run_id
    row = view.run(run_id)
    assert row is not None  # noqa: S101 (decided)
    return present.run_value(view, row)


def _step(view: ThreadHistory, command: Any, events: Sequence[Event]) -> RunStep:  # noqa: ANN401
    row = view.step(events[-1].data.step_id if events else command.step_id)
    assert row is not None  # noqa: S101 (decided)
    return present.step_value(view, row)


_RESULTS: Final[Mapping[type[c.Command], Callable[[ThreadHistory, Any, Sequence[Event]], Any]]] = {
    **dict.fromkeys(
        (
            c.CreateThread,
            c.ShowThread,
            c.ForkThread,
            c.UpdateThread,
            c.ArchiveThread,
            c.UnarchiveThread,
            c.DeleteThread,
            c.RestoreThread,
        ),
        _thread,
    ),
    **dict.fromkeys((c.CreateMessage, c.EditMessage, c.RegenerateMessage), _born),
    **dict.fromkeys((c.AmendMessage, c.UpdateMessage, c.RemoveMessage, c.RestoreMessage), _target),
    c.SelectBranch: _selected,
    c.WriteText: lambda _, command, __: command.offset + len(command.text),
    c.LabelBranch: _labelled,
    **dict.fromkeys(
        (
            c.CreateRun,
            c.StartRun,
            c.HoldRun,
            c.RequireAction,
            c.SubmitToolOutputs,
            c.CompleteRun,
            c.FailRun,
            c.CancelRun,
            c.ExpireRun,
            c.UpdateRun,
        ),
        _run,
    ),
    **dict.fromkeys((c.StartStep, c.CompleteStep, c.FailStep), _step),
    c.EraseContent: lambda _, __, ___: None,  # its certificate spans threads: see ``privacy``
}


# -- repeats whose digest was erased ---------------------------------------------------------------

_EVENT_OF: Final[Mapping[type[c.Command], tuple[set[str], str | None]]] = {
    c.CreateThread: ({"ThreadCreated"}, None),
    c.ShowThread: (set(), None),
    c.ForkThread: ({"ThreadForked"}, None),
    c.UpdateThread: ({"ThreadUpdated"}, None),
    c.ArchiveThread: ({"ThreadArchived"}, None),
    c.UnarchiveThread: ({"ThreadUnarchived"}, None),
    c.DeleteThread: ({"ThreadDeleted"}, None),
    c.RestoreThread: ({"ThreadRestored"}, None),
    c.CreateMessage: ({"MessageAdded", "MessageQueued"}, None),
    c.EditMessage: ({"MessageEdited", "MessageQueued"}, "replaces"),
    c.RegenerateMessage: ({"MessageRegenerated"}, "replaces"),
    c.AmendMessage: ({"MessageAmended"}, "message_id"),
    c.UpdateMessage: ({"MessageUpdated"}, "message_id"),
    c.RemoveMessage: ({"MessageRemoved"}, "message_id"),
    c.RestoreMessage: ({"MessageRestored"}, "message_id"),
    c.SelectBranch: ({"BranchSelected"}, None),
    c.LabelBranch: ({"BranchLabelled"}, "message_id"),
    c.SubmitToolOutputs: ({"ToolOutputsSubmitted"}, "run_id"),
    c.CreateRun: ({"RunQueued"}, None),
    c.StartRun: ({"RunStarted", "RunTakenOver"}, "run_id"),
    c.HoldRun: (set(), None),
    c.RequireAction: ({"RunActionRequired"}, "run_id"),
    c.CompleteRun: ({"RunCompleted", "RunIncomplete"}, "run_id"),
    c.FailRun: ({"RunFailed"}, "run_id"),
    c.CancelRun: ({"RunCancelling", "RunCancelled"}, "run_id"),
    c.ExpireRun: ({"RunExpired"}, "run_id"),
    c.UpdateRun: ({"RunUpdated"}, "run_id"),
    c.StartStep: ({"RunStepStarted"}, "run_id"),
    c.CompleteStep: ({"RunStepCompleted"}, "step_id"),
    c.FailStep: ({"RunStepFailed"}, "step_id"),
    c.EraseContent: ({"ContentErased"}, None),
}
"""The events that a command may lead to, and the field that names their target."""

_ABOUT: Final[Mapping[str, str]] = {"message_id": "target", "replaces": "target"}
"""Names of command fields, by the event's name for them, where the two differ."""


def may_come_of(command: c.Command, events: Sequence[Event]) -> bool:
    """Return whether a command may have led to these events, judging by their structure.

    Nothing else can be compared once the words, and the digest of them, were erased.
    """
    if not events:
        return True
    types, field = _EVENT_OF[type(command)]
    if isinstance(command, c.CreateMessage):
        events = events[-1:]  # other events are there, too, and an edit may have queued one
        return events[0].type in types and getattr(events[0].data, "replaces", None) is None
    found = [event.data for event in events if event.type in types]
    if field is None:
        return bool(found)
    wanted = getattr(command, _ABOUT.get(field, field))
    return any(getattr(data, field, None) == wanted for data in found)
