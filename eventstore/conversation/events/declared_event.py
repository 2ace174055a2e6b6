"""One type of event of any stream, declared in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from eventstore.conversation.facts import FactRule
from eventstore.core.catalogue import EventKind, Upcaster
from eventstore.core.events import EventContent, EventData

__all__ = ["DeclaredEvent", "Deed"]

Deed: TypeAlias = str | Callable[[Mapping[str, object]], str]
"""The deed, as the rest of a sentence that begins with the actor; a function takes the changed
fields with their new values."""


@dataclass(frozen=True, slots=True)
class DeclaredEvent:
    """One type of event: its classes, its line in a trail, and the facts that it sets."""

    data: type[EventData]
    content: type[EventContent] | None
    deed: Deed
    facts: tuple[FactRule, ...] = ()
    """The things that it changes, the one that it is about first."""
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
