"""The events of threads and of assistants.

Each class is one event's ``data`` (structure: hashed, never erased) or ``content`` (everything that
can be personal: erasable). A field may be added with a default; any other change needs a new schema
version and an upcaster in :data:`THREAD_EVENTS`. Ids are 16 bytes. ``reason`` holds the writer's
own words for any event, so it is content.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType, field

from eventstore.conversation.content import StoredPart
from eventstore.conversation.provider_form import StoredForm
from eventstore.conversation.rows import MessageStatus, Role
from eventstore.core.catalogue import EventKind
from eventstore.core.events import EventContent, EventData

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class Note(EventContent, frozen=True):
    """Content of an event without other content: the reason, if one was given."""

    reason: str | None = None


class ThreadDetails(Note, frozen=True):
    title: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class ThreadCreated(EventData, frozen=True):
    pass


class ThreadUpdated(EventData, frozen=True):
    pass


class ThreadArchived(EventData, frozen=True):
    pass


class ThreadUnarchived(EventData, frozen=True):
    pass


class ThreadDeleted(EventData, frozen=True):
    pass


class ThreadRestored(EventData, frozen=True):
    pass


class ThreadForked(EventData, frozen=True):
    """First event of a fork: its place in the source, and the source's hash at that version."""

    source_id: bytes
    source_version: int
    source_hash: bytes
    message_id: bytes
    hop: int
    segment: int
    depth: int


class MessageContent(Note, frozen=True):
    parts: list[StoredPart] = field(default_factory=list)
    metadata: dict[str, Any] | None = None
    name: str | None = None
    external_id: str | None = None
    provider: StoredForm | None = None


class MessageBorn(EventData, frozen=True):
    """Fields that all events that add a message share."""

    message_id: bytes
    role: Role
    parent_id: bytes | None = None
    select: bool = True
    """Whether the head moves to it."""
    status: MessageStatus = "completed"
    run_id: bytes | None = None
    calls: tuple[str, ...] = ()
    """Ids of the tool calls it makes."""
    answers: tuple[str, ...] = ()
    """Ids of the tool calls it answers."""
    original_created_at_us: int | None = None


class MessageBegun(EventData, frozen=True):
    """The run writes this message; its text so far is in ``run_chunks``."""

    message_id: bytes
    run_id: bytes


class MessageAdded(MessageBorn, frozen=True):
    queued_version: int | None = None
    """Version of the ``MessageQueued`` that holds its content, if it was queued."""
    interrupted: bool = False
    """It is the text that its run had shown when it was interrupted: the next message of the run
    is its sibling."""


class MessageEdited(MessageBorn, frozen=True):
    replaces: bytes | None = None


class MessageRegenerated(MessageBorn, frozen=True):
    replaces: bytes | None = None


class MessageQueued(EventData, frozen=True):
    message_id: bytes
    role: Role
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    original_created_at_us: int | None = None
    replaces: bytes | None = None
    """Queued message that this one edits: it leaves the queue."""
    sent: int | None = None
    """Version at which the first replaced message was queued: its place in the queue, which
    stays."""


class MessageAmended(EventData, frozen=True):
    message_id: bytes


class AmendedContent(Note, frozen=True):
    parts: list[StoredPart] = field(default_factory=list)
    provider: StoredForm | None = None


class MessageUpdated(EventData, frozen=True):
    message_id: bytes
    fields: tuple[str, ...] = ()
    """Those of ``"metadata"`` and ``"name"`` that are replaced; stays when they are erased."""


class MessageDetails(Note, frozen=True):
    metadata: dict[str, Any] | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET


class MessageRemoved(EventData, frozen=True):
    message_id: bytes
    head: bytes | None = None
    head_moved: bool = False


class MessageRestored(EventData, frozen=True):
    message_id: bytes
    head: bytes | None = None
    head_moved: bool = False


class BranchSelected(EventData, frozen=True):
    """``head`` is None only after the rollback of a run that began on an empty thread."""

    requested: bytes | None
    head: bytes | None


class BranchLabelled(EventData, frozen=True):
    message_id: bytes
    cleared: bool = False


class LabelContent(Note, frozen=True):
    label: str | None = None


class RunQueued(EventData, frozen=True):
    run_id: bytes
    assistant_id: bytes | None = None
    assistant_version: int | None = None
    model: str | None = None
    regenerates: bytes | None = None
    queue: str | None = None


class RunContent(Note, frozen=True):
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    settings: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class RunStarted(EventData, frozen=True):
    run_id: bytes
    head: bytes | None = None
    holder: str | None = None


class RunTakenOver(EventData, frozen=True):
    run_id: bytes
    holder: str | None = None


class RunActionRequired(EventData, frozen=True):
    run_id: bytes
    calls: tuple[str, ...]


class ToolOutputsSubmitted(EventData, frozen=True):
    """The messages that hold the outputs; only they hold the text."""

    run_id: bytes
    message_ids: tuple[bytes, ...]
    calls: tuple[str, ...]
    all_in: bool


class RunCancelling(EventData, frozen=True):
    run_id: bytes


class Usage(EventData, frozen=True):
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


class RunCompleted(EventData, frozen=True):
    run_id: bytes
    usage: Usage | None = None


class RunIncomplete(EventData, frozen=True):
    run_id: bytes
    reason: str = "other"
    usage: Usage | None = None


class RunFailed(EventData, frozen=True):
    run_id: bytes
    code: str = "server_error"
    usage: Usage | None = None


class RunCancelled(EventData, frozen=True):
    run_id: bytes


class RunExpired(EventData, frozen=True):
    run_id: bytes


class ErrorContent(Note, frozen=True):
    message: str | None = None


class RunUpdated(EventData, frozen=True):
    run_id: bytes


class RunDetails(Note, frozen=True):
    metadata: dict[str, Any] | UnsetType | None = UNSET


class RunStepStarted(EventData, frozen=True):
    """The context of a step: enough to rebuild the exact list of messages and revisions."""

    run_id: bytes
    step_id: bytes
    type: str
    head: bytes | None = None
    seen_version: int | None = None
    ranges: tuple[tuple[int, int, int, int], ...] = ()
    left_out: tuple[bytes, ...] = ()
    erased: tuple[bytes, ...] = ()
    """Messages that were erased already, so the digest covers no words of them."""


class RunStepCompleted(EventData, frozen=True):
    run_id: bytes
    step_id: bytes
    usage: Usage | None = None


class RunStepFailed(EventData, frozen=True):
    run_id: bytes
    step_id: bytes
    code: str = "server_error"


class StepContent(Note, frozen=True):
    details: dict[str, Any] | None = None


class StepBegun(StepContent, frozen=True):
    """The salt allows testing guesses of the words, so an erasure of a seen message removes it."""

    salt: bytes | None = None
    digest: bytes | None = None


class ContentErased(EventData, frozen=True):
    """Content of this stream that is erased for good: no read returns it from then on."""

    message_id: bytes
    """Message to erase."""
    versions: tuple[int, ...]
    """Events of this stream that lost their content."""
    also: tuple[bytes, ...] = ()
    """Other messages erased with it: its edits and regenerations."""
    run_ids: tuple[bytes, ...] = ()
    unlabelled: tuple[bytes, ...] = ()
    """Messages that lost their label."""
    source_id: bytes | None = None
    """In a fork: thread of the erased message. The fork's own content about it is erased here."""


class AssistantContent(Note, frozen=True):
    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    instructions: str | UnsetType | None = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class AssistantCreated(EventData, frozen=True):
    model: str | None = None


class AssistantUpdated(EventData, frozen=True):
    model: str | UnsetType | None = UNSET


class AssistantDeleted(EventData, frozen=True):
    pass


THREAD_EVENTS: tuple[EventKind, ...] = (
    EventKind(ThreadCreated, ThreadDetails),
    EventKind(ThreadUpdated, ThreadDetails),
    EventKind(ThreadArchived, Note),
    EventKind(ThreadUnarchived, Note),
    EventKind(ThreadDeleted, Note),
    EventKind(ThreadRestored, Note),
    EventKind(ThreadForked, Note),
    EventKind(MessageBegun, Note),
    EventKind(MessageAdded, MessageContent),
    EventKind(MessageQueued, MessageContent),
    EventKind(MessageEdited, MessageContent),
    EventKind(MessageRegenerated, MessageContent),
    EventKind(MessageAmended, AmendedContent),
    EventKind(MessageUpdated, MessageDetails),
    EventKind(MessageRemoved, Note),
    EventKind(MessageRestored, Note),
    EventKind(BranchSelected, Note),
    EventKind(BranchLabelled, LabelContent),
    EventKind(RunQueued, RunContent),
    EventKind(RunStarted, Note),
    EventKind(RunTakenOver, Note),
    EventKind(RunActionRequired, Note),
    EventKind(ToolOutputsSubmitted, Note),
    EventKind(RunCancelling, Note),
    EventKind(RunCancelled, Note),
    EventKind(RunCompleted, Note),
    EventKind(RunIncomplete, Note),
    EventKind(RunFailed, ErrorContent),
    EventKind(RunExpired, Note),
    EventKind(RunUpdated, RunDetails),
    EventKind(RunStepStarted, StepBegun),
    EventKind(RunStepCompleted, StepContent),
    EventKind(RunStepFailed, ErrorContent),
    EventKind(ContentErased, Note),
)
"""Every kind of event in a thread's stream."""

ASSISTANT_EVENTS: tuple[EventKind, ...] = (
    EventKind(AssistantCreated, AssistantContent),
    EventKind(AssistantUpdated, AssistantContent),
    EventKind(AssistantDeleted, Note),
)
"""Every kind of event in an assistant's stream."""
