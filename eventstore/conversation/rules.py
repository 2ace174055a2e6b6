"""The two pure functions that every rule of a conversation goes through.

``decide(view, command, new_id) -> events`` turns a command into events. ``evolve(view, event) ->
rows`` returns the rows that an event changes, with their new values. Each command and each event
declares its part (``commands/``, ``events/``); only these parts decide, and only they define an
effect on the state. The folded state and the decision tables both store the rows that ``evolve``
returns, so they cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from eventstore.conversation.commands import THREAD_COMMANDS, Command, NewId
from eventstore.conversation.events import THREAD_EVENTS
from eventstore.conversation.events.rows import thread_row
from eventstore.conversation.events.thread_event import Evolver
from eventstore.conversation.rows import Row, ThreadRow
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided, Event

__all__ = ["decide", "evolve"]

_EVOLVERS: Final[Mapping[str, Evolver]] = {one.name: one.evolve for one in THREAD_EVENTS}


def decide(view: ThreadView, command: Command, new_id: NewId) -> list[Decided]:
    """Return the events that ``command`` leads to; none if it changes nothing.

    Raises:
        Refused: a rule of the domain forbids the command.
        ThreadNotFound, MessageNotFound, RunNotFound: the command names a missing object.
        InvalidInput: an id is in use.
    """
    return THREAD_COMMANDS[type(command)].decide(view, command, new_id)


def evolve(view: ThreadView, event: Event) -> list[Row]:
    """Return the rows that ``event`` changes; the thread's own row is always the last."""
    rows = _EVOLVERS[event.type](view, event.data, event)
    last = rows[-1] if rows else None
    thread = rows.pop() if isinstance(last, ThreadRow) else thread_row(view)
    rows.append(replace(thread, version=event.version, updated_at_us=event.recorded_at_us))
    return rows
