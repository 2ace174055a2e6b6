"""The rows that events change. Deciding reads them, and the decision tables hold them.

``evolve`` returns rows; the folded state keeps them in maps, ``threads`` writes them to tables.
A row is a frozen value, so a state that shares rows with an older one shares them safely. Its class
has ``key_of``, which returns its key among the rows of its kind in its thread. A new kind of row is
a class here, and a name in the union at the end: folded states take their kinds from it.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar, Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

__all__ = [
    "PROJECTION_VERSION",
    "ROOT",
    "ROW_KINDS",
    "BranchPointRow",
    "ForkPoint",
    "LabelRow",
    "MessageRow",
    "Named",
    "Place",
    "Range",
    "Role",
    "Row",
    "RunRow",
    "RunStatus",
    "Said",
    "SegmentRow",
    "StepRow",
    "ThreadRow",
    "TouchRow",
]

KeyOf: TypeAlias = Callable[[Any], Any]
"""Returns the key of a row."""
Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
MessageStatus: TypeAlias = Literal["queued", "completed", "incomplete", "replaced"]
GivenStatus: TypeAlias = Literal["completed", "incomplete"]
"""Status that a caller may give to a message."""
RunStatus: TypeAlias = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "completed",
    "incomplete",
    "failed",
    "cancelled",
    "expired",
]
ActionReason: TypeAlias = Literal["outputs", "outcome_unknown", "approval"]
"""Reason for which a run waits for people: they run the tool, they know what became of a call, or
they approve it."""
StepStatus: TypeAlias = Literal["in_progress", "completed", "failed", "abandoned"]
"""A row is never ``abandoned``: a step that is in progress reads so once its run ended."""


class Place(NamedTuple):
    """The place of a message in its thread's tree.

    ``hop`` is 0 in the thread itself, 1 in the thread it was forked from, 2 in that one's source.
    ``segment`` is the version of the event that began the segment, ``depth`` counts from 1 at a
    root.
    """

    hop: int
    segment: int
    depth: int


class Range(NamedTuple):
    """Messages of one segment at depths start..end, both included."""

    hop: int
    segment: int
    start: int
    end: int


PROJECTION_VERSION: Final = 1
"""Goes up when the meaning of rows changes; rows of an older version are rebuilt before use."""

ROOT: Final = Place(0, 0, 0)
"""The place above every root."""


class ForkPoint(NamedTuple):
    """The origin of a fork: a message of another thread, as of one of its versions."""

    thread_id: bytes
    message_id: bytes
    place: Place
    version: int


class Said(NamedTuple):
    """Versions of the later events, in a message's own thread, that hold its current wording.

    None means that words, metadata or name are unchanged since the event that added it, or since
    the state that a fork inherited.
    """

    words: int | None = None
    metadata: int | None = None
    name: int | None = None


class Named(NamedTuple):
    """Versions of the later events, in a thread itself, that set its present title and metadata.

    None means that they are unchanged since the thread was created, or as a fork inherits them.
    """

    title: int | None = None
    metadata: int | None = None

    def back(self) -> list[int]:
        """Return the versions, the last one first."""
        return sorted({version for version in self if version is not None}, reverse=True)


UNNAMED: Final = Named()


class ThreadRow(msgspec.Struct, frozen=True, gc=False):
    """The current state of a thread."""

    key_of: ClassVar[KeyOf] = attrgetter("thread_id")
    thread_id: bytes
    version: int
    created_position: int
    created_at_us: int
    updated_at_us: int
    head: bytes | None = None
    archived: bool = False
    deleted: bool = False
    named: Named = UNNAMED
    """Events with title and metadata, so that one of a thousand updates is read."""
    open_runs: int = 0
    queued_messages: int = 0
    removed_messages: int = 0
    fork: ForkPoint | None = None
    projection_version: int = PROJECTION_VERSION
    """``PROJECTION_VERSION`` that wrote it."""


class MessageRow(msgspec.Struct, frozen=True, gc=False):
    """A message's place and state; its content is in the log."""

    key_of: ClassVar[KeyOf] = attrgetter("message_id")
    message_id: bytes
    version: int
    role: Role
    place: Place | None
    """None while it is queued, and for a message that was replaced in the queue."""
    parent_id: bytes | None = None
    status: MessageStatus = "completed"
    queued_version: int | None = None
    """Version of its ``MessageQueued``, which holds the content."""
    sent: int | None = None
    """Version at which the message that it replaces was sent, while it waits in its place."""
    replaces: bytes | None = None
    run_id: bytes | None = None
    open_calls: tuple[str, ...] = ()
    """Tool calls on the path down to here that have no result yet."""
    removed: int | None = None
    """Version that removed it."""
    took_head: bool = False
    """Its removal moved the head, so restoring it may move the head back."""
    changed: int | None = None
    """Last version that touched it since it was added."""
    revision: int = 0
    """Number of times it was amended."""
    said: Said | None = None
    """Events with its current wording, so that one of a thousand amendments is read; None if the
    thread has not changed it."""

    @property
    def content_version(self) -> int:
        """Version of the event that holds the first content."""
        return self.queued_version or self.version

    @property
    def waits_since(self) -> int:
        """Its place in the queue: the version at which it, or the message it replaces, was sent."""
        return self.sent or self.version


class SegmentRow(msgspec.Struct, frozen=True, gc=False):
    """A run of messages, each the only or first child of the one before."""

    key_of: ClassVar[KeyOf] = attrgetter("hop", "segment")
    hop: int
    segment: int
    parent: Place
    """The place it hangs from; its first message is one deeper."""
    ordinal: int = 0
    """Number of siblings of its first message when it was made."""


class BranchPointRow(msgspec.Struct, frozen=True, gc=False):
    """A place from which segments hang, with the number of children and the last active one."""

    key_of: ClassVar[KeyOf] = attrgetter("place")
    place: Place
    children: int
    removed: int = 0
    active: tuple[int, int] | None = None
    """Hop and segment of the active child; None is the next message of the same segment."""


class RunRow(msgspec.Struct, frozen=True, gc=False):
    """The current state of a run."""

    key_of: ClassVar[KeyOf] = attrgetter("run_id")
    run_id: bytes
    version: int
    """Version of its ``RunQueued``: its place in the queue."""
    status: RunStatus
    changed: int
    assistant_id: bytes | None = None
    regenerates: bytes | None = None
    started: bool = False
    """It was past queued once; when its tool outputs are in, it is queued at the front."""
    started_head: bytes | None = None
    last_message: bytes | None = None
    """Parent of its next message."""
    pending_calls: tuple[str, ...] = ()
    steps: int = 0
    writing: bytes | None = None
    """Message whose text is shown while it is written."""
    created_position: int = 0
    """Place of its ``RunQueued`` in the whole store: its place among the runs of a tenant."""
    updated_at_us: int = 0
    """Time of the event ``changed``."""
    queue: str | None = None
    holder: str | None = None
    """The worker that started it or took it over last."""
    fence: int | None = None
    """Version of the event that made this worker its holder; None before it first started."""
    taken_over: bool = False
    """A holder lost it to another one, so from then on each write of a holder names its fence."""
    subject: bytes | None = None
    """The person in whose name it was created: what is written for it is theirs, too."""


class StepRow(msgspec.Struct, frozen=True, gc=False):
    """A step of a run."""

    key_of: ClassVar[KeyOf] = attrgetter("step_id")
    step_id: bytes
    run_id: bytes
    version: int
    status: StepStatus = "in_progress"


class LabelRow(msgspec.Struct, frozen=True, gc=False):
    """A message's label; None once it was removed."""

    key_of: ClassVar[KeyOf] = attrgetter("message_id")
    message_id: bytes
    label: str | None


class TouchRow(msgspec.Struct, frozen=True, gc=False):
    """An event, after the first, that changes a thread, message, run or step.

    A removal or restoration also touches the parent (the thread, for a root), so that a past moment
    can tell which siblings were visible.
    """

    key_of: ClassVar[KeyOf] = attrgetter("subject_id", "version")
    subject_id: bytes
    version: int


Row: TypeAlias = (
    ThreadRow | MessageRow | SegmentRow | BranchPointRow | RunRow | StepRow | LabelRow | TouchRow
)

ROW_KINDS: Final[tuple[type[Row], ...]] = get_args(Row)
"""Every kind of row."""
