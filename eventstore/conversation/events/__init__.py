"""The events of threads and of assistants: one module a noun, everything about an event in it.

Each class is one event's ``data`` (structure: hashed, never erased) or ``content`` (everything that
can be personal: erasable). Beside them stands the function that returns the rows which the event
changes, and at the end of the module one :class:`ThreadEvent` declares the whole. A field may be
added with a default; any other change needs a new schema version and an upcaster. Ids are 16 bytes.
``reason`` holds the writer's own words for any event, so it is content.
"""

from __future__ import annotations

from typing import Final

from eventstore.conversation.events.assistants import *
from eventstore.conversation.events.base import *
from eventstore.conversation.events.branches import *
from eventstore.conversation.events.erasures import *
from eventstore.conversation.events.message_changes import *
from eventstore.conversation.events.messages import *
from eventstore.conversation.events.runs import *
from eventstore.conversation.events.steps import *
from eventstore.conversation.events.thread_event import *
from eventstore.conversation.events.threads import *

THREAD_EVENTS: Final[tuple[ThreadEvent, ...]] = (
    *THREAD_LIFE,
    *MESSAGES,
    *MESSAGE_CHANGES,
    *BRANCHES,
    *RUNS,
    *STEPS,
    ERASURE,
)
"""Every type of event in a thread's stream."""
