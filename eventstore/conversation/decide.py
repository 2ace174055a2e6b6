"""``decide(view, command, new_id) -> events``: turns a command into events of a thread."""

from __future__ import annotations

from eventstore.conversation.commands import THREAD_COMMANDS, Command, NewId
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided

__all__ = ["NewId", "decide"]


def decide(view: ThreadView, command: Command, new_id: NewId) -> list[Decided]:
    """Return the events that ``command`` leads to; none if it changes nothing.

    Raises:
        Refused: a rule of the domain forbids the command.
        ThreadNotFound, MessageNotFound, RunNotFound: the command names a missing object.
        InvalidInput: an id is in use.
    """
    return THREAD_COMMANDS[type(command)].decide(view, command, new_id)
