"""Decides the life of a thread."""

from __future__ import annotations

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.decide.common import (
    NewId,
    decided,
    existing_thread,
    living_thread,
    placed_message,
    thread_text,
)
from eventstore.conversation.rows import ThreadRow
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided
from eventstore.errors import InvalidInput, Refused

__all__ = [
    "archive",
    "check_idle",
    "create",
    "delete",
    "fork",
    "restore",
    "show",
    "unarchive",
    "update",
]


def create(view: ThreadView, command: c.CreateThread, _: NewId) -> list[Decided]:
    """Decide a new thread."""
    _check_new(view)
    details = e.ThreadDetails(title=command.title, metadata=command.metadata or {})
    return [decided(e.ThreadCreated(), details)]


def show(view: ThreadView, _: c.ShowThread, __: NewId) -> list[Decided]:
    """Decide nothing."""
    existing_thread(view)
    return []


def fork(
    view: ThreadView, source: ThreadView, message_id: bytes, version: int, source_hash: bytes
) -> list[Decided]:
    """Decide a fork that shares the path of ``source`` to ``message_id``, as of ``version``.

    The caller has resolved message and version, and read the source's hash at that version.
    """
    _check_new(view)
    living_thread(source)
    row, place = placed_message(source, message_id)
    if place.hop == 0 and row.version > version:
        raise InvalidInput(
            "at_message",
            f"was added at version {row.version}, after {version}",
            "Raise at_version.",
        )
    data = e.ThreadForked(
        source_id=source.thread_id,
        source_version=version,
        source_hash=source_hash,
        message_id=message_id,
        hop=place.hop,
        segment=place.segment,
        depth=place.depth,
    )
    return [decided(data)]


def _check_new(view: ThreadView) -> None:
    if view.thread is not None:
        raise InvalidInput(
            "thread_id", f"{thread_text(view)} is in use", "Leave it out, or give a new UUID."
        )


def update(view: ThreadView, command: c.UpdateThread, _: NewId) -> list[Decided]:
    """Decide a new title or metadata."""
    living_thread(view)
    return [
        decided(e.ThreadUpdated(), e.ThreadDetails(title=command.title, metadata=command.metadata))
    ]


def archive(view: ThreadView, _: c.ArchiveThread, __: NewId) -> list[Decided]:
    """Decide to archive a thread; no event if it is archived already."""
    thread = living_thread(view)
    check_idle(view, thread)
    return [] if thread.archived else [decided(e.ThreadArchived())]


def unarchive(view: ThreadView, _: c.UnarchiveThread, __: NewId) -> list[Decided]:
    """Decide to unarchive a thread; no event if it is not archived."""
    return [decided(e.ThreadUnarchived())] if living_thread(view).archived else []


def delete(view: ThreadView, _: c.DeleteThread, __: NewId) -> list[Decided]:
    """Decide to delete a thread: it is hidden, and can be restored."""
    check_idle(view, living_thread(view))
    return [decided(e.ThreadDeleted())]


def check_idle(view: ThreadView, thread: ThreadRow) -> None:
    """Refuse a thread with a run that has not ended.

    Raises:
        Refused: ``"thread_busy"``.
    """
    if thread.open_runs:
        raise Refused(
            "thread_busy",
            f"{thread_text(view)} has a run that has not ended",
            "Cancel its runs first.",
        )


def restore(view: ThreadView, _: c.RestoreThread, __: NewId) -> list[Decided]:
    """Decide to restore a deleted thread; no event if it is not deleted."""
    return [decided(e.ThreadRestored())] if existing_thread(view).deleted else []
