"""Commands to a thread or an assistant: one frozen value each.

A command holds packed ids and parsed parts; its builder has checked its shape. An id of None is
made while deciding. The digest behind an idempotency key covers the command, so a command holds
nothing that differs between two tries of the same request, except for ``fence``: a guard, which
the digest leaves out, since another holder may repeat what the one before it wrote.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from eventstore.conversation.content import StoredPart
from eventstore.conversation.events import Usage
from eventstore.conversation.provider_form import StoredForm
from eventstore.conversation.rows import MessageStatus, Role

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)

OnBusy: TypeAlias = Literal["enqueue", "reject", "interrupt", "rollback"]
Included: TypeAlias = Literal["edits", "run"]


class Command(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of all commands."""


class CreateThread(Command, frozen=True):
    title: str | None = None
    metadata: dict[str, Any] | None = None
    named: bool = False
    """The caller gave the id or a key that implies it, so it may be the id of a purged thread."""


class ShowThread(Command, frozen=True):
    """Changes nothing: returns the thread as the commands before it left it."""


class ForkThread(Command, frozen=True):
    source_id: bytes
    at_message: bytes | None = None
    at_version: int | None = None
    named: bool = False
    """The same as for a new thread."""


class UpdateThread(Command, frozen=True):
    title: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class ArchiveThread(Command, frozen=True):
    pass


class UnarchiveThread(Command, frozen=True):
    pass


class DeleteThread(Command, frozen=True):
    pass


class RestoreThread(Command, frozen=True):
    pass


class Draft(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The content of a message to add."""

    parts: list[StoredPart]
    calls: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    name: str | None = None
    external_id: str | None = None
    original_created_at_us: int | None = None
    provider: StoredForm | None = None


class CreateMessage(Command, frozen=True):
    draft: Draft
    role: Role
    message_id: bytes | None = None
    parent_id: bytes | UnsetType | None = UNSET
    select: bool = True
    status: MessageStatus = "completed"
    run_id: bytes | None = None
    fence: int | None = None
    on_busy: OnBusy = "enqueue"


class EditMessage(Command, frozen=True):
    target: bytes
    draft: Draft
    message_id: bytes | None = None
    select: bool = True


class RegenerateMessage(Command, frozen=True):
    target: bytes
    draft: Draft
    message_id: bytes | None = None
    select: bool = True
    status: MessageStatus = "completed"
    run_id: bytes | None = None
    fence: int | None = None


class AmendMessage(Command, frozen=True):
    target: bytes
    draft: Draft


class UpdateMessage(Command, frozen=True):
    target: bytes
    metadata: dict[str, Any] | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET


class RemoveMessage(Command, frozen=True):
    target: bytes


class RestoreMessage(Command, frozen=True):
    target: bytes


class SelectBranch(Command, frozen=True):
    branch: bytes | str
    """A message's id, or a label."""


class LabelBranch(Command, frozen=True):
    target: bytes
    label: str | None


class CreateRun(Command, frozen=True):
    run_id: bytes | None = None
    assistant_id: bytes | None = None
    assistant_version: int | None = None
    model: str | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    settings: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    regenerates: bytes | None = None
    on_busy: OnBusy = "enqueue"
    queue: str | None = None


class StartRun(Command, frozen=True):
    run_id: bytes
    holder: str | None = None
    take_over: bool = False
    fence: int | None = None
    lease_us: int = 0


class HoldRun(Command, frozen=True):
    """Changes nothing in the log: moves the end of the lease."""

    run_id: bytes
    fence: int
    lease_us: int


class WriteText(Command, frozen=True):
    run_id: bytes
    message_id: bytes
    offset: int
    """Characters of the message that were written before."""
    text: str
    fence: int | None = None


class RequireAction(Command, frozen=True):
    run_id: bytes
    fence: int | None = None
    calls: tuple[str, ...] | None = None


class ToolOutput(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One tool's answer, as a draft of the tool message that will hold it."""

    draft: Draft
    message_id: bytes | None = None


class SubmitToolOutputs(Command, frozen=True):
    run_id: bytes
    outputs: tuple[ToolOutput, ...]


class CompleteRun(Command, frozen=True):
    run_id: bytes
    fence: int | None = None
    usage: Usage | None = None
    incomplete_reason: str | None = None


class FailRun(Command, frozen=True):
    run_id: bytes
    fence: int | None = None
    code: str = "server_error"
    message: str | None = None
    usage: Usage | None = None


class CancelRun(Command, frozen=True):
    run_id: bytes
    fence: int | None = None


class ExpireRun(Command, frozen=True):
    run_id: bytes
    fence: int | None = None


class UpdateRun(Command, frozen=True):
    run_id: bytes
    metadata: dict[str, Any] | UnsetType | None = UNSET


class StartStep(Command, frozen=True):
    run_id: bytes
    type: str
    fence: int | None = None
    step_id: bytes | None = None
    details: dict[str, Any] | None = None
    head: bytes | None = None
    seen_version: int | None = None
    ranges: tuple[tuple[int, int, int, int], ...] = ()
    left_out: tuple[bytes, ...] = ()
    erased: tuple[bytes, ...] = ()
    sources: tuple[tuple[bytes, int], ...] = ()
    """Other threads that hold messages it saw, and the version at which each was read."""
    salt: bytes | None = None
    digest: bytes | None = None


class CompleteStep(Command, frozen=True):
    step_id: bytes
    fence: int | None = None
    details: dict[str, Any] | None = None
    usage: Usage | None = None


class FailStep(Command, frozen=True):
    step_id: bytes
    fence: int | None = None
    code: str = "server_error"
    message: str | None = None


class EraseContent(Command, frozen=True):
    targets: tuple[bytes, ...]
    """The message to erase; in a fork, all erased messages that it inherits."""
    include: tuple[Included, ...] = ()
    source_id: bytes | None = None
    """In a fork: the thread in which the erasure was requested."""


class CreateAssistant(Command, frozen=True):
    model: str | None = None
    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    settings: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class UpdateAssistant(Command, frozen=True):
    model: str | UnsetType | None = UNSET
    name: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
    instructions: str | UnsetType | None = UNSET
    tools: list[dict[str, Any]] | UnsetType = UNSET
    settings: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


class DeleteAssistant(Command, frozen=True):
    pass
