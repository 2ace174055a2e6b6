"""Decides the life of a thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.conversation import events as e
from eventstore.conversation.commands.base import Command
from eventstore.conversation.commands.checks import (
    decided,
    existing_thread,
    living_thread,
    placed_message,
    thread_text,
)
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand, decided_elsewhere
from eventstore.conversation.present import this_thread
from eventstore.conversation.rows import ThreadRow
from eventstore.conversation.values import Thread
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.errors import InvalidInput, Refused

__all__ = [
    "THREADS",
    "ArchiveThread",
    "CreateThread",
    "DeleteThread",
    "ForkThread",
    "RestoreThread",
    "ShowThread",
    "UnarchiveThread",
    "UpdateThread",
]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class CreateThread(Command[Thread], frozen=True):
    title: str | None = None
    metadata: dict[str, Any] | None = None
    named: bool = False
    """The caller gave the id or a key that implies it, so it may be the id of a purged thread."""


def create(view: ThreadView, command: CreateThread, _: NewId) -> list[Decided]:
    """Decide a new thread."""
    _check_new(view)
    details = e.ThreadDetails(title=command.title, metadata=command.metadata or {})
    return [decided(e.ThreadCreated(), details)]


class ShowThread(Command[Thread], frozen=True):
    """Changes nothing: returns the thread as the commands before it left it."""


def show(view: ThreadView, _: ShowThread, __: NewId) -> list[Decided]:
    """Decide nothing."""
    existing_thread(view)
    return []


class ForkThread(Command[Thread], frozen=True):
    brief = False

    source_id: bytes
    at_message: bytes | None = None
    at_version: int | None = None
    named: bool = False
    """The same as for a new thread."""


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


class UpdateThread(Command[Thread], frozen=True):
    title: str | UnsetType | None = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET


def update(view: ThreadView, command: UpdateThread, _: NewId) -> list[Decided]:
    """Decide a new title or metadata."""
    living_thread(view)
    given = {"title": command.title, "metadata": command.metadata}
    data = e.ThreadUpdated(fields=tuple(name for name in given if given[name] is not UNSET))
    return [decided(data, e.ThreadDetails(title=command.title, metadata=command.metadata))]


class ArchiveThread(Command[Thread], frozen=True):
    pass


def archive(view: ThreadView, _: ArchiveThread, __: NewId) -> list[Decided]:
    """Decide to archive a thread; no event if it is archived already."""
    thread = living_thread(view)
    check_idle(view, thread)
    return [] if thread.archived else [decided(e.ThreadArchived())]


class UnarchiveThread(Command[Thread], frozen=True):
    pass


def unarchive(view: ThreadView, _: UnarchiveThread, __: NewId) -> list[Decided]:
    """Decide to unarchive a thread; no event if it is not archived."""
    return [decided(e.ThreadUnarchived())] if living_thread(view).archived else []


class DeleteThread(Command[Thread], frozen=True):
    pass


def delete(view: ThreadView, _: DeleteThread, __: NewId) -> list[Decided]:
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


class RestoreThread(Command[Thread], frozen=True):
    pass


def restore(view: ThreadView, _: RestoreThread, __: NewId) -> list[Decided]:
    """Decide to restore a deleted thread; no event if it is not deleted."""
    return [decided(e.ThreadRestored())] if existing_thread(view).deleted else []


def _source(command: ForkThread) -> Iterable[tuple[str, bytes]]:
    return ((ids.THREAD, command.source_id),)


THREADS: Final = (
    ThreadCommand(CreateThread, create, this_thread, leads_to=("ThreadCreated",)),
    ThreadCommand(ShowThread, show, this_thread),
    ThreadCommand(
        ForkThread, decided_elsewhere, this_thread, leads_to=("ThreadForked",), watched=_source
    ),
    ThreadCommand(UpdateThread, update, this_thread, leads_to=("ThreadUpdated",)),
    ThreadCommand(ArchiveThread, archive, this_thread, leads_to=("ThreadArchived",)),
    ThreadCommand(UnarchiveThread, unarchive, this_thread, leads_to=("ThreadUnarchived",)),
    ThreadCommand(DeleteThread, delete, this_thread, leads_to=("ThreadDeleted",)),
    ThreadCommand(RestoreThread, restore, this_thread, leads_to=("ThreadRestored",)),
)
