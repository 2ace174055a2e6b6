"""The options of every write, and of those that erase or work on many threads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec
from sqlalchemy import Connection

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection  # loads the ORM: see `connect`

__all__ = [
    "NO_ERASURE_OPTIONS",
    "NO_OPTIONS",
    "NO_RETENTION_OPTIONS",
    "AppendOptions",
    "ErasureOptions",
    "RetentionOptions",
    "WriteOptions",
]


class AppendOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a low-level append."""

    idempotency_key: str | None = None
    """The same key with the same command returns the first result and adds nothing."""
    actor: str | None = None
    """Opaque id of the user or service that acts, up to 255 characters; kept for ever. Overrides
    ``acting()``."""
    subject: str | None = None
    """Opaque name of the person whose data the content is; the thread's own if left out."""
    connection: Connection | AsyncConnection | None = None
    """The application's own open transaction: the write commits or rolls back with it."""


class WriteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of every write."""

    expected_head: str | None = None
    """Id of the message that the caller believes is the head; ``EMPTY`` for none."""
    expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None
    """Version that the caller believes the stream is at; None does not check it."""
    idempotency_key: str | None = None
    """The same key with the same command returns the first result and adds nothing."""
    actor: str | None = None
    """Opaque id of the user or service that acts, up to 255 characters; kept for ever. Overrides
    ``acting()``."""
    reason: str | None = None
    """The reason, in the writer's words; erasable."""
    subject: str | None = None
    """Opaque name of the person whose data the content is. If left out, what belongs to a run is of
    the person in whose name the run was created, and all else is the thread's own."""
    connection: Connection | AsyncConnection | None = None
    """The application's own open transaction: the write commits or rolls back with it."""


NO_OPTIONS: Final = WriteOptions()


class ErasureOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an erasure, where ``subject`` is the person to erase."""

    expected_head: str | None = None
    """Id of the message that the caller believes is the head of the thread; ``EMPTY`` for none."""
    expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None
    """Version that the caller believes the thread is at; None does not check it."""
    idempotency_key: str | None = None
    """The same key with the same command returns the first result and adds nothing."""
    actor: str | None = None
    """Opaque id of the user or service that acts, up to 255 characters; kept for ever. Overrides
    ``acting()``."""
    reason: str | None = None
    """The reason, in the writer's words; erasable."""
    connection: Connection | AsyncConnection | None = None
    """The application's own open transaction: the write commits or rolls back with it."""

    def as_write(self) -> WriteOptions:
        """Return the same as options of a write."""
        return WriteOptions(**msgspec.structs.asdict(self))


NO_ERASURE_OPTIONS: Final = ErasureOptions()


class RetentionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of work on many threads or streams."""

    actor: str | None = None
    """Opaque id of the user or service that acts, up to 255 characters; kept for ever. Overrides
    ``acting()``."""
    reason: str | None = None
    """The reason, in the writer's words; erasable."""

    def as_write(self) -> WriteOptions:
        """Return the same as options of a write."""
        return WriteOptions(actor=self.actor, reason=self.reason)


NO_RETENTION_OPTIONS: Final = RetentionOptions()
