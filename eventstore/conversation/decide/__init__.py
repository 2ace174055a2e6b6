"""``decide(view, command, new_id) -> events``: turns a command into events of a thread.

Pure: it reads through the :class:`~eventstore.conversation.view.ThreadView` and takes fresh ids
from ``new_id``. A refusal raises before anything is written. Each noun has a file: ``threads``,
``messages``, ``branches``, ``runs``, ``showing`` (text that a run is writing), ``queue`` (messages
that wait for a run), ``erasing``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from eventstore.conversation import commands as c
from eventstore.conversation.decide import (
    branches,
    erasing,
    holding,
    messages,
    runs,
    showing,
    steps,
    threads,
)
from eventstore.conversation.decide.common import NewId, check_expected_head
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided

__all__ = ["NewId", "check_expected_head", "decide"]

_Decider: TypeAlias = Callable[[ThreadView, Any, NewId], list[Decided]]


def decide(view: ThreadView, command: c.Command, new_id: NewId) -> list[Decided]:
    """Return the events that ``command`` leads to; none if it changes nothing.

    Raises:
        Refused: a rule of the domain forbids the command.
        ThreadNotFound, MessageNotFound, RunNotFound: the command names a missing object.
        InvalidInput: an id is in use.
    """
    return _DECIDERS[type(command)](view, command, new_id)


_DECIDERS: Final[Mapping[type[c.Command], _Decider]] = {
    c.CreateThread: threads.create,
    c.ShowThread: threads.show,
    c.UpdateThread: threads.update,
    c.ArchiveThread: threads.archive,
    c.UnarchiveThread: threads.unarchive,
    c.DeleteThread: threads.delete,
    c.RestoreThread: threads.restore,
    c.CreateMessage: messages.create,
    c.EditMessage: messages.edit,
    c.RegenerateMessage: messages.regenerate,
    c.AmendMessage: messages.amend,
    c.UpdateMessage: messages.update,
    c.RemoveMessage: messages.remove,
    c.RestoreMessage: messages.restore,
    c.SelectBranch: branches.select,
    c.LabelBranch: branches.label,
    c.CreateRun: runs.create,
    c.StartRun: runs.start,
    c.WriteText: showing.write_text,
    c.HoldRun: holding.hold,
    c.RequireAction: runs.require_action,
    c.SubmitToolOutputs: runs.submit_tool_outputs,
    c.CompleteRun: runs.complete,
    c.FailRun: runs.fail,
    c.CancelRun: runs.cancel,
    c.ExpireRun: runs.expire,
    c.UpdateRun: runs.update,
    c.StartStep: steps.start,
    c.CompleteStep: steps.complete,
    c.FailStep: steps.fail,
    c.EraseContent: erasing.erase,
}
