"""What the caller of a write gets back, from the state right after it."""

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


def _nothing(_: object, __: object, ___: object) -> None:
    """Whoever asked for it gets the tombstone of the source."""


def _message(view: ThreadHistory, message_id: bytes) -> Message:
    row = view.message(message_id)
    assert row is not None  # noqa: S101 (decided)
    return present.message_value(view, row)


def _born(view: ThreadHistory, _: object, events: Sequence[Event]) -> Message:
    """The last message the command added: those that joined from the queue come before it."""
    last = events[-1]
    born = last if last.type in _BORN else next(e for e in reversed(events) if e.type in _BORN)
    return _message(view, born.data.message_id)


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
    """Return a branch with the label it has, which is not what a repeat says once it was erased."""
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
    c.CopyPrefix: _nothing,
    **dict.fromkeys((c.CreateMessage, c.EditMessage, c.RegenerateMessage), _born),
    **dict.fromkeys((c.AmendMessage, c.UpdateMessage, c.RemoveMessage, c.RestoreMessage), _target),
    c.SelectBranch: _selected,
    c.LabelBranch: _labelled,
    **dict.fromkeys(
        (
            c.CreateRun,
            c.StartRun,
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
    c.EraseContent: lambda _, __, ___: None,  # its certificate spans threads: see ``audit``
}


# -- repeats whose digest was erased ---------------------------------------------------------------

_EVENT_OF: Final[Mapping[type[c.Command], tuple[frozenset[str], str | None]]] = {
    c.CreateMessage: (frozenset({"MessageAdded", "MessageQueued"}), None),
    c.EditMessage: (frozenset({"MessageEdited", "MessageQueued"}), "replaces"),
    c.RegenerateMessage: (frozenset({"MessageRegenerated"}), "replaces"),
    c.AmendMessage: (frozenset({"MessageAmended"}), "message_id"),
    c.UpdateMessage: (frozenset({"MessageUpdated"}), "message_id"),
    c.RemoveMessage: (frozenset({"MessageRemoved"}), "message_id"),
    c.RestoreMessage: (frozenset({"MessageRestored"}), "message_id"),
    c.LabelBranch: (frozenset({"BranchLabelled"}), "message_id"),
    c.SubmitToolOutputs: (frozenset({"ToolOutputsSubmitted"}), None),
    c.CreateRun: (frozenset({"RunQueued"}), None),
    c.StartRun: (frozenset({"RunStarted", "RunTakenOver"}), None),
    c.RequireAction: (frozenset({"RunActionRequired"}), None),
    c.CompleteRun: (frozenset({"RunCompleted", "RunIncomplete"}), None),
    c.FailRun: (frozenset({"RunFailed"}), None),
    c.CancelRun: (frozenset({"RunCancelling", "RunCancelled"}), None),
    c.ExpireRun: (frozenset({"RunExpired"}), None),
    c.UpdateRun: (frozenset({"RunUpdated"}), None),
    c.StartStep: (frozenset({"RunStepStarted"}), None),
    c.CompleteStep: (frozenset({"RunStepCompleted"}), None),
    c.FailStep: (frozenset({"RunStepFailed"}), None),
}
"""The events a command always leads to, and the field that holds its target, if it has one."""


def may_come_of(command: c.Command, events: Sequence[Event]) -> bool:
    """Tell whether events can be what a command led to, as far as their structure says.

    All that can be compared once the words, and the digest made of them, were erased.
    """
    if not events or type(command) not in _EVENT_OF:
        return True
    types, field = _EVENT_OF[type(command)]
    ends = events[-1:] if isinstance(command, c.CreateMessage) else events  # others add some, too
    found = [event.data for event in ends if event.type in types]
    return any(field is None or getattr(data, field) == command.target for data in found)  # type: ignore[attr-defined]
