"""The values that users get: frozen, with text ids, aware datetimes and typed parts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from eventstore.conversation.parts import Part
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.rows import MessageStatus, Role
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = [
    "Branch",
    "BranchDiff",
    "BranchTree",
    "ForkedFrom",
    "Message",
    "Origin",
    "Revision",
    "Thread",
    "TreeNode",
]


class ForkedFrom(Value):
    """The origin of a fork."""

    thread_id: str
    """Thread that was forked."""
    message_id: str
    """Last message that is shared."""
    version: int
    """Version of the source that the fork sees."""


class Thread(Value):
    """A conversation."""

    id: str
    """``thread_`` and 32 hex digits."""
    title: Unshown[str | None]
    """Title; None if it has none, or if it was erased."""
    metadata: Unshown[dict[str, Any]]
    """JSON object of the application."""
    head_id: str | None
    """Last message of the active path; None if there is no message."""
    archived: bool
    """Takes no messages and no runs."""
    deleted: bool
    """Hidden; ``threads.restore`` brings it back."""
    busy: bool
    """One of its runs has not ended."""
    forked_from: ForkedFrom | None
    """Origin of a fork; None for a thread that is no fork."""
    created_at: datetime
    """Time at which it was created."""
    updated_at: datetime
    """Time at which its last event was recorded."""
    version: int
    """Version of its last event."""


class Origin(Value):
    """The origin of a message that a fork inherited."""

    thread_id: str
    """Thread that the message was added to."""
    version: int
    """Version of that thread which added it."""


class Message(Value):
    """One message, as of the moment it was read."""

    id: str
    """``msg_`` and 32 hex digits."""
    thread_id: str
    """Thread that it was read from."""
    parent_id: str | None
    """Message above it; None for a root, and while it is queued."""
    role: Role
    """Role of the speaker: ``"system"``, ``"user"``, ``"assistant"`` or ``"tool"``."""
    content: Unshown[tuple[Part, ...]]
    """Typed parts; empty once the content was erased."""
    text: Unshown[str]
    """The text parts, joined."""
    provider: ProviderForm | None
    """The provider's own form of it, byte for byte; None if none was given, or if it was erased."""
    name: Unshown[str | None]
    """Name of the speaker."""
    status: MessageStatus
    """``"completed"``, ``"incomplete"``, ``"queued"`` until a run ends, or ``"replaced"``."""
    created_at: datetime
    """Time at which the store recorded it; ``version`` gives the order."""
    original_created_at: datetime | None
    """Time at which an imported message was written."""
    version: int
    """Version of the event that put it into the tree, or into the queue."""
    revision: int
    """Number of times it was amended."""
    sibling_index: int
    """Place among the siblings that are not removed, in order of creation; the first is 1."""
    sibling_count: int
    """Number of siblings, this one included, without the removed ones."""
    replaces: str | None
    """Message that this edit or regeneration replaces."""
    origin: Origin | None
    """Origin of an inherited message; None for a message of the thread itself."""
    run_id: str | None
    """Run that wrote it."""
    actor: str | None
    """Opaque id of the actor that added it."""
    external_id: str | None
    """Name of the message elsewhere."""
    metadata: Unshown[dict[str, Any]]
    """JSON object of the application."""
    removed: bool
    """Hidden; ``messages.restore`` brings it back."""
    erased: bool
    """Its content is gone for good."""


class Revision(Value):
    """One wording of a message that was amended."""

    revision: int
    """0 is the first wording."""
    content: Unshown[tuple[Part, ...]]
    """Typed parts; empty once the content was erased."""
    text: Unshown[str]
    """The text parts, joined."""
    provider: ProviderForm | None
    """The provider's own form of this wording; None if none was given, or if it was erased."""
    version: int
    """Version of the event that holds it."""
    created_at: datetime
    """Time at which it was recorded."""
    actor: str | None
    """Opaque id of the actor that wrote it."""
    erased: bool
    """Its content is gone for good."""


class Branch(Value):
    """A path of the tree, named by its last message."""

    leaf_id: str
    """Last message of the path."""
    label: Unshown[str | None]
    """Label of that message."""
    active: bool
    """It is the active path."""
    depth: int
    """Number of messages on the path."""


class TreeNode(Value):
    """A message with its place in the drawn tree."""

    message: Message
    """The message."""
    depth: int
    """1 for a root."""
    active: bool
    """It is on the active path."""
    head: bool
    """It is the last message of the active path."""
    label: Unshown[str | None]
    """Label of the message."""


class BranchTree(Value):
    """Every visible message of a thread, depth first, siblings in order of creation."""

    thread_id: str
    """The thread."""
    head_id: str | None
    """Last message of the active path."""
    nodes: tuple[TreeNode, ...]
    """The messages, each behind its parent."""

    def children(self, message_id: str | None) -> list[TreeNode]:
        """Return the nodes right below a message.

        Args:
            message_id: The message; None for the roots.
        """
        return [node for node in self.nodes if node.message.parent_id == message_id]


class BranchDiff(Value):
    """The difference of two paths: their common beginning, and the rest of each."""

    common: int
    """Number of messages that both paths begin with."""
    parted_at: str | None
    """Last of these, which ``messages.list(thread_id, until=...)`` shows; None if there is none."""
    only_a: tuple[Message, ...]
    """Messages of the first path alone."""
    only_b: tuple[Message, ...]
    """Messages of the second path alone."""
    amended: tuple[str, ...] = ()
    """Ids of shared messages whose wording differs between two moments."""
