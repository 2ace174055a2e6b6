"""One type of event in a thread's stream, declared in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from eventstore.conversation.rows import Row
from eventstore.conversation.view import ThreadView
from eventstore.core.catalogue import EventKind, Upcaster
from eventstore.core.events import Event, EventContent, EventData

__all__ = ["Evolver", "ThreadEvent"]

Evolver: TypeAlias = Callable[[ThreadView, Any, Event], list[Row]]
"""Returns the rows that an event changes, from the view before it, its data and itself. It copies
the values that the event resolved (a head, a parent) and never decides again."""


class ThreadEvent(NamedTuple):
    """One type of event: its classes, its effect, and the thing that it is about."""

    data: type[EventData]
    content: type[EventContent] | None
    evolve: Evolver
    subject: str | None = None
    """Field of ``data`` that names the message or run it is about; None for the thread itself."""
    upcasters: tuple[Upcaster, ...] = ()
    """From schema version 1, 2, … in order."""

    @property
    def name(self) -> str:
        """The type as it is stored."""
        return self.data.__name__

    @property
    def kind(self) -> EventKind:
        """The classes and upcasters, for the catalogue."""
        return EventKind(self.data, self.content, self.upcasters)
