"""Commands to a thread or an assistant: one module a noun, everything about a command in it.

A command is a frozen value: it holds packed ids and parsed parts; its builder has checked its
shape. Beside it stands the function that decides it, pure: it reads through the
:class:`~eventstore.conversation.view.ThreadView` and takes fresh ids from ``new_id``. A refusal
raises before anything is written. At the end of the module one :class:`ThreadCommand` declares the
whole. An id of None is made while deciding. The digest behind an idempotency key covers the
command, so a command holds nothing that differs between two tries of the same request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventstore.conversation.commands.assistants import (
    CreateAssistant,
    DeleteAssistant,
    UpdateAssistant,
)
from eventstore.conversation.commands.base import Command, Draft, Included, OnBusy
from eventstore.conversation.commands.branches import BRANCHES, LabelBranch, SelectBranch
from eventstore.conversation.commands.erase_all import ERASURES_OF_ALL, EraseAll
from eventstore.conversation.commands.erasures import ERASURES, EraseContent
from eventstore.conversation.commands.holding import HOLDING, HoldRun
from eventstore.conversation.commands.message_changes import (
    MESSAGE_CHANGES,
    AmendMessage,
    RemoveMessage,
    RestoreMessage,
    UpdateMessage,
)
from eventstore.conversation.commands.messages import (
    MESSAGES,
    CreateMessage,
    EditMessage,
    RegenerateMessage,
)
from eventstore.conversation.commands.run_actions import (
    RUN_ACTIONS,
    RequireAction,
    SubmitToolOutputs,
    ToolOutput,
)
from eventstore.conversation.commands.run_ends import (
    RUN_ENDS,
    CancelRun,
    CompleteRun,
    ExpireRun,
    FailRun,
)
from eventstore.conversation.commands.runs import RUNS, CreateRun, StartRun, UpdateRun
from eventstore.conversation.commands.showing import SHOWING, WriteText
from eventstore.conversation.commands.steps import STEPS, CompleteStep, FailStep, StartStep
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.commands.threads import (
    THREADS,
    ArchiveThread,
    CreateThread,
    DeleteThread,
    ForkThread,
    RestoreThread,
    ShowThread,
    UnarchiveThread,
    UpdateThread,
)

__all__ = [
    "THREAD_COMMANDS",
    "AmendMessage",
    "ArchiveThread",
    "CancelRun",
    "Command",
    "CompleteRun",
    "CompleteStep",
    "CreateAssistant",
    "CreateMessage",
    "CreateRun",
    "CreateThread",
    "DeleteAssistant",
    "DeleteThread",
    "Draft",
    "EditMessage",
    "EraseAll",
    "EraseContent",
    "ExpireRun",
    "FailRun",
    "FailStep",
    "ForkThread",
    "HoldRun",
    "Included",
    "LabelBranch",
    "NewId",
    "OnBusy",
    "RegenerateMessage",
    "RemoveMessage",
    "RequireAction",
    "RestoreMessage",
    "RestoreThread",
    "SelectBranch",
    "ShowThread",
    "StartRun",
    "StartStep",
    "SubmitToolOutputs",
    "ThreadCommand",
    "ToolOutput",
    "UnarchiveThread",
    "UpdateAssistant",
    "UpdateMessage",
    "UpdateRun",
    "UpdateThread",
    "WriteText",
]

THREAD_COMMANDS: Final[Mapping[type[Command], ThreadCommand]] = {
    one.command: one
    for one in (
        *THREADS,
        *MESSAGES,
        *MESSAGE_CHANGES,
        *BRANCHES,
        *RUNS,
        *RUN_ACTIONS,
        *RUN_ENDS,
        *STEPS,
        *ERASURES,
        *ERASURES_OF_ALL,
        *SHOWING,
        *HOLDING,
    )
}
"""Every kind of command to a thread."""
