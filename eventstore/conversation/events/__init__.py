"""The events of threads and of assistants: one module a noun, everything about an event in it.

Each class is one event's ``data`` (structure: hashed, never erased) or ``content`` (everything that
can be personal: erasable). Beside them stands the function that returns the rows which the event
changes, and at the end of the module one :class:`ThreadEvent` declares the whole. A field may be
added with a default; any other change needs a new schema version and an upcaster. Ids are 16 bytes.
``reason`` holds the writer's own words for any event, so it is content.
"""

from __future__ import annotations

from typing import Final

from eventstore.conversation.events.assistants import (
    ASSISTANT_EVENTS,
    AssistantContent,
    AssistantCreated,
    AssistantDeleted,
    AssistantUpdated,
)
from eventstore.conversation.events.base import ErrorContent, Note, Usage
from eventstore.conversation.events.branches import (
    BRANCHES,
    BranchLabelled,
    BranchSelected,
    LabelContent,
)
from eventstore.conversation.events.erasures import ERASURE, ContentErased
from eventstore.conversation.events.message_changes import (
    MESSAGE_CHANGES,
    AmendedContent,
    MessageAmended,
    MessageDetails,
    MessageRemoved,
    MessageRestored,
    MessageUpdated,
)
from eventstore.conversation.events.messages import (
    MESSAGES,
    MessageAdded,
    MessageBegun,
    MessageBorn,
    MessageContent,
    MessageEdited,
    MessageQueued,
    MessageRegenerated,
)
from eventstore.conversation.events.runs import (
    RUNS,
    RunActionRequired,
    RunCancelled,
    RunCancelling,
    RunCompleted,
    RunContent,
    RunDetails,
    RunExpired,
    RunFailed,
    RunIncomplete,
    RunQueued,
    RunStarted,
    RunTakenOver,
    RunUpdated,
    ToolOutputsSubmitted,
)
from eventstore.conversation.events.steps import (
    STEPS,
    RunStepCompleted,
    RunStepFailed,
    RunStepStarted,
    StepBegun,
    StepContent,
)
from eventstore.conversation.events.thread_event import ThreadEvent
from eventstore.conversation.events.threads import (
    THREAD_LIFE,
    ThreadArchived,
    ThreadCreated,
    ThreadDeleted,
    ThreadDetails,
    ThreadForked,
    ThreadRestored,
    ThreadUnarchived,
    ThreadUpdated,
)

__all__ = [
    "ASSISTANT_EVENTS",
    "ERASURE",
    "THREAD_EVENTS",
    "AmendedContent",
    "AssistantContent",
    "AssistantCreated",
    "AssistantDeleted",
    "AssistantUpdated",
    "BranchLabelled",
    "BranchSelected",
    "ContentErased",
    "ErrorContent",
    "LabelContent",
    "MessageAdded",
    "MessageAmended",
    "MessageBegun",
    "MessageBorn",
    "MessageContent",
    "MessageDetails",
    "MessageEdited",
    "MessageQueued",
    "MessageRegenerated",
    "MessageRemoved",
    "MessageRestored",
    "MessageUpdated",
    "Note",
    "RunActionRequired",
    "RunCancelled",
    "RunCancelling",
    "RunCompleted",
    "RunContent",
    "RunDetails",
    "RunExpired",
    "RunFailed",
    "RunIncomplete",
    "RunQueued",
    "RunStarted",
    "RunStepCompleted",
    "RunStepFailed",
    "RunStepStarted",
    "RunTakenOver",
    "RunUpdated",
    "StepBegun",
    "StepContent",
    "ThreadArchived",
    "ThreadCreated",
    "ThreadDeleted",
    "ThreadDetails",
    "ThreadEvent",
    "ThreadForked",
    "ThreadRestored",
    "ThreadUnarchived",
    "ThreadUpdated",
    "ToolOutputsSubmitted",
    "Usage",
]

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
