"""Recognise a repeated command whose digest was erased, by the events that it led to."""

from __future__ import annotations

from collections.abc import Sequence

from eventstore.conversation.commands import THREAD_COMMANDS, Command, CreateMessage
from eventstore.core.events import Event

__all__ = ["may_come_of"]


def may_come_of(command: Command, events: Sequence[Event]) -> bool:
    """Return whether a command may have led to these events, judging by their structure.

    Nothing else can be compared once the words, and the digest of them, were erased.
    """
    if not events:
        return True
    kind = THREAD_COMMANDS[type(command)]
    types = kind.leads_to
    if isinstance(command, CreateMessage):
        events = events[-1:]  # other events are there, too, and an edit may have queued one
        return events[0].type in types and getattr(events[0].data, "replaces", None) is None
    found = [event.data for event in events if event.type in types]
    if kind.about is None:
        return bool(found)
    field, own = kind.about
    wanted = getattr(command, own)
    return any(getattr(data, field, None) == wanted for data in found)
