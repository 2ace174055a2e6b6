"""The options of ``Engine.run``: those of a new run, and of the write that creates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from sqlalchemy import Connection

from eventstore.conversation.commands import OnBusy
from eventstore.conversation.tool_definition import ToolGiven

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection  # loads the ORM

__all__ = ["RunOptions"]


class RunOptions(TypedDict, total=False):
    """Everything that ``store.runs.create`` takes besides the thread and the assistant."""

    model: str | None
    """Model, in place of the assistant's."""
    instructions: str | None
    """Instructions, in place of the assistant's; erasable."""
    tools: Sequence[ToolGiven] | None
    """Tool definitions, or tools of ``eventstore.engine``, in place of the assistant's."""
    settings: Mapping[str, Any] | None
    """JSON object of whatever the model takes: temperature, limits."""
    metadata: Mapping[str, Any] | None
    """JSON object of your own; erasable."""
    regenerates: str | None
    """Assistant's message to make another answer to."""
    run_id: str | None
    """Id of your own: ``run_`` and 32 lowercase hex digits."""
    on_busy: OnBusy | None
    """``"enqueue"``, ``"reject"``, ``"interrupt"`` or ``"rollback"``, if the thread is busy."""
    queue: str | None
    """Name of the queue whose workers execute it."""
    expected_head: str | None
    """Id of the message that the caller believes is the head; ``EMPTY`` for none."""
    expected_version: int | Literal["no_stream", "stream_exists", "any"] | None
    """Version that the caller believes the thread is at; None does not check it."""
    idempotency_key: str | None
    """The same key with the same command returns the first result and adds nothing."""
    actor: str | None
    """Opaque id of the user or service that acts."""
    reason: str | None
    """The reason, in the writer's words; erasable."""
    subject: str | None
    """Opaque name of the person whose data the content is."""
    connection: Connection | AsyncConnection | None
    """The application's own open transaction."""
