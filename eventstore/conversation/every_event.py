"""Every type of event that the library writes, of any category of streams, by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventstore.conversation.events import ASSISTANT_EVENTS, THREAD_EVENTS
from eventstore.conversation.events.declared_event import DeclaredEvent
from eventstore.conversation.store_events import STORE_EVENTS

__all__ = ["EVERY_EVENT"]

EVERY_EVENT: Final[Mapping[str, DeclaredEvent]] = {
    one.name: one for one in (*STORE_EVENTS, *ASSISTANT_EVENTS, *THREAD_EVENTS)
}
