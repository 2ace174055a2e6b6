"""Decides for an application's own categories: appends the caller's events as they are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from eventstore.conversation.store_events import EraseVersions, content_erased
from eventstore.core import ids
from eventstore.core.events import Decided, Event, StreamKey
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import AppendRequest, NewId, StreamSession

__all__ = ["PlainHandler"]


def _as_json(command: EraseVersions) -> dict[str, Any]:
    """Return the data of an erasure as such streams have it, where no id is packed."""
    person = command.subject_id
    of = {"whole": True} if person is None else {"subject_id": ids.show(ids.SUBJECT, person)}
    return {"versions": list(command.versions), **of}


class PlainHandler:
    """Appends the given events to any stream, and projects nothing."""

    watching: frozenset[type[Any]] = frozenset()
    waking: frozenset[type[Any]] = frozenset()

    def __init__(self, tx: Transaction, log: Log, _: NewId) -> None:
        """Take no arguments: nothing is read before deciding."""

    def watched(self, _: AppendRequest) -> Iterable[StreamKey]:
        return ()

    def session(self, _: StreamKey) -> StreamSession[Any, Any]:
        return self

    def check(self, request: AppendRequest) -> None:
        """Check nothing: the expected version is the only guard."""

    def decide(
        self, _: AppendRequest, command: Sequence[Decided] | EraseVersions
    ) -> Sequence[Decided]:
        if not isinstance(command, EraseVersions):
            return command
        return [replace(content_erased(command), data=_as_json(command))]

    def evolve(self, event: Event) -> None:
        """Fold nothing."""

    def result(self, _: object, events: Sequence[Event]) -> int:
        """Return the number of events appended."""
        return len(events)

    def repeated(self, _: AppendRequest, __: object, first: int, last: int) -> int:
        return last - first + 1

    def savepoint(self) -> None:
        """Return nothing: no state is folded."""

    def rollback_to(self, savepoint: object) -> None:
        """Undo nothing: no state was folded."""

    def summary(self) -> None:
        """Return nothing: no summary is stored with the head."""

    def write(self) -> None:
        """Write nothing: no rows are projected."""
