"""What a user gets: frozen values with text ids, aware datetimes and typed parts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from eventstore.conversation.content import Part
from eventstore.conversation.rows import MessageStatus, Role, RunStatus, StepStatus
from eventstore.core.unshown import Unshown

__all__ = [
    "Assistant",
    "Branch",
    "BranchDiff",
    "BranchTree",
    "ForkedFrom",
    "Message",
    "Origin",
    "Revision",
    "Run",
    "RunContext",
    "RunError",
    "RunStep",
    "Thread",
    "ThreadState",
    "TokenUsage",
    "TreeNode",
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class ForkedFrom(_Value):
    """Where a fork hangs."""

    thread_id: str
    message_id: str
    version: int


class Thread(_Value):
    """A conversation."""

    id: str
    title: Unshown[str | None]
    metadata: Unshown[dict[str, Any]]
    head_id: str | None
    """Its last message on the active path."""
    archived: bool
    deleted: bool
    busy: bool
    """A run of it has not ended."""
    forked_from: ForkedFrom | None
    created_at: datetime
    updated_at: datetime
    version: int


class Origin(_Value):
    """Where a message that a fork inherited comes from."""

    thread_id: str
    version: int


class Message(_Value):
    """One message, as of the moment it was read."""

    id: str
    thread_id: str
    parent_id: str | None
    role: Role
    content: Unshown[tuple[Part, ...]]
    """Typed parts; empty once the content was erased."""
    text: Unshown[str]
    """The text parts, joined."""
    name: Unshown[str | None]
    status: MessageStatus
    created_at: datetime
    """When the store recorded it; ``version`` says the order."""
    original_created_at: datetime | None
    """When it was said, for imported messages."""
    version: int
    """Of the event that put it into the tree, or into the queue."""
    revision: int
    """How often it was amended."""
    sibling_index: int
    """Place among the siblings that are not removed, in order of creation; the first is 1."""
    sibling_count: int
    """How many siblings there are, this one included, without the removed ones."""
    replaces: str | None
    """The message that this edit or regeneration replaces."""
    origin: Origin | None
    run_id: str | None
    actor: str | None
    external_id: str | None
    metadata: Unshown[dict[str, Any]]
    removed: bool
    erased: bool


class Revision(_Value):
    """One wording of a message that was amended."""

    revision: int
    content: Unshown[tuple[Part, ...]]
    text: Unshown[str]
    version: int
    created_at: datetime
    actor: str | None
    erased: bool


class Branch(_Value):
    """A path of the tree, named by its last message."""

    leaf_id: str
    label: Unshown[str | None]
    active: bool
    depth: int
    """How many messages its path has."""


class TreeNode(_Value):
    """A message with its place in the drawn tree."""

    message: Message
    depth: int
    """1 for a root."""
    active: bool
    """It is on the active path."""
    head: bool
    label: Unshown[str | None]


class BranchTree(_Value):
    """Every visible message of a thread, depth first, siblings in order of creation."""

    thread_id: str
    head_id: str | None
    nodes: tuple[TreeNode, ...]

    def children(self, message_id: str | None) -> list[TreeNode]:
        """Return the nodes right below a message; the roots for None."""
        return [node for node in self.nodes if node.message.parent_id == message_id]


class BranchDiff(_Value):
    """Two paths, compared: how far they are the same, and what each has alone."""

    common: int
    """How many messages both begin with."""
    parted_at: str | None
    """The last of these: ``messages.list(thread_id, until=…)`` shows them. None if there is none.
    """
    only_a: tuple[Message, ...]
    only_b: tuple[Message, ...]
    amended: tuple[str, ...] = ()
    """Ids of shared messages whose wording differs between two moments."""


class TokenUsage(_Value):
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


class RunError(_Value):
    """Why a run or a step failed."""

    code: str
    message: Unshown[str | None]


class Run(_Value):
    """One execution of an assistant, or of the application's own agent loop."""

    id: str
    thread_id: str
    assistant_id: str | None
    assistant_version: int | None
    status: RunStatus
    model: str | None
    instructions: Unshown[str | None]
    tools: Unshown[tuple[dict[str, Any], ...]]
    settings: Unshown[dict[str, Any]]
    metadata: Unshown[dict[str, Any]]
    regenerates: str | None
    started_head_id: str | None
    last_message_id: str | None
    required_calls: tuple[str, ...]
    """Tool calls whose outputs it waits for."""
    incomplete_reason: str | None
    error: RunError | None
    usage: TokenUsage | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    version: int
    """Of the last event that changed it."""


class RunStep(_Value):
    """One model call, or one round of tools."""

    id: str
    run_id: str
    thread_id: str
    type: str
    status: StepStatus
    details: Unshown[dict[str, Any]]
    head_id: str | None
    """The last message it saw."""
    seen_version: int | None
    left_out: tuple[str, ...]
    error: RunError | None
    usage: TokenUsage | None
    created_at: datetime
    ended_at: datetime | None
    version: int


class RunContext(_Value):
    """The messages that a run, or one of its steps, works with. JSON of it has bytes as hex."""

    model_config = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")

    thread_id: str
    run_id: str
    messages: tuple[Message, ...]
    left_out: tuple[str, ...]
    head_id: str | None
    version: int
    ranges: tuple[tuple[int, int, int, int], ...]
    sources: tuple[tuple[str, int], ...] = ()
    """Of a fork: each thread whose messages are among these, with its version when they were
    read. A step that begins with them is refused if something was erased there since."""
    salt: bytes | None = None
    digest: bytes | None = None
    """Over the ids, revisions and contents in order; see ``conversation.context``."""
    verified: bool | None = None
    """Rebuilt for a step: whether it equals what the step recorded. None if it recorded nothing, or
    if ``salt`` and ``digest`` went with something it saw that was erased: then nothing can be
    proven any more, and no guess of the words be tested."""


class Assistant(_Value):
    """A model with instructions and tools."""

    id: str
    version: int
    model: str | None
    name: str | None
    description: Unshown[str | None]
    instructions: Unshown[str | None]
    tools: Unshown[tuple[dict[str, Any], ...]]
    settings: Unshown[dict[str, Any]]
    metadata: Unshown[dict[str, Any]]
    deleted: bool
    created_at: datetime
    updated_at: datetime


class ThreadState(_Value):
    """A whole thread at one of its versions."""

    thread: Thread
    version: int
    messages: tuple[Message, ...]
    """The active path, oldest first."""
    queued: tuple[Message, ...]
    runs: tuple[Run, ...]
    labels: Unshown[dict[str, str]]
    """Label to message id."""
