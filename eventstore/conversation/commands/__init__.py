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

from eventstore.conversation.commands.assistants import *
from eventstore.conversation.commands.base import *
from eventstore.conversation.commands.branches import *
from eventstore.conversation.commands.erase_all import *
from eventstore.conversation.commands.erasures import *
from eventstore.conversation.commands.holding import *
from eventstore.conversation.commands.message_changes import *
from eventstore.conversation.commands.messages import *
from eventstore.conversation.commands.run_actions import *
from eventstore.conversation.commands.run_ends import *
from eventstore.conversation.commands.runs import *
from eventstore.conversation.commands.showing import *
from eventstore.conversation.commands.steps import *
from eventstore.conversation.commands.thread_command import *
from eventstore.conversation.commands.threads import *

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
