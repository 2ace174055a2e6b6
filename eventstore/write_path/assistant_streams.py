"""Decides and projects assistants. Their streams are short, so reading one folds all its events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.assistants import decide_assistant, fold_assistant
from eventstore.conversation.run_values import Assistant
from eventstore.conversation.store_events import EraseVersions, content_erased
from eventstore.core import ids
from eventstore.core.events import Decided, Event, StreamKey
from eventstore.errors import AssistantNotFound
from eventstore.storage import read
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.stream_heads import head_version
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import AppendRequest, NewId, StreamSession

__all__ = ["AssistantHandler", "assistant_for_run", "assistant_history"]

_KEPT: Final = "assistants of runs"
_KEPT_MAX: Final = 1_000


class _Current(NamedTuple):
    """The present version of an assistant, and its model: no words."""

    version: int
    model: str | None


_UPSERT: Final = (
    "INSERT INTO {assistants}"
    " (tenant, assistant, version, created_position, created_at, updated_at, deleted)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (tenant, assistant) DO UPDATE SET version = excluded.version,"
    " updated_at = excluded.updated_at, deleted = excluded.deleted"
)


def assistant_history(
    tx: Transaction, log: Log, tenant: str, assistant_id: bytes
) -> list[Assistant]:
    """Return an assistant's versions, oldest first; empty if it does not exist."""
    stream = StreamKey(tenant, ids.ASSISTANT, assistant_id)
    events = (read.as_event(log, stored) for stored in read.iterate_stream(tx, stream))
    return list(fold_assistant(assistant_id, events))


def assistant_for_run(tx: Transaction, log: Log, tenant: str, command: c.CreateRun) -> c.CreateRun:
    """Return the command with the assistant's version, and its model unless the run names one.

    Raises:
        AssistantNotFound: there is none, or it was deleted.
    """
    assert command.assistant_id is not None  # noqa: S101 (asked by the caller)
    stream = StreamKey(tenant, ids.ASSISTANT, command.assistant_id)
    known: dict[StreamKey, _Current] = tx.cache.setdefault(_KEPT, {})
    current = known.get(stream)
    if current is None or current.version != head_version(tx, stream):
        current = _current(assistant_history(tx, log, tenant, command.assistant_id))
        if current is None:
            raise AssistantNotFound(ids.show(ids.ASSISTANT, command.assistant_id))
        if len(known) >= _KEPT_MAX:
            known.clear()
        known[stream] = current
    return replace(command, assistant_version=current.version, model=command.model or current.model)


def _current(versions: Sequence[Assistant]) -> _Current | None:
    if not versions or versions[-1].deleted:
        return None
    return _Current(versions[-1].version, versions[-1].model)


class AssistantHandler:
    """Implements ``CategoryHandler`` for the category ``asst``."""

    watching: frozenset[type[Any]] = frozenset()
    waking: frozenset[type[Any]] = frozenset()
    """Empty: deciding reads only the assistant's own stream."""

    def __init__(self, tx: Transaction, log: Log, _: NewId) -> None:
        self._tx = tx
        self._log = log
        self._sessions: dict[StreamKey, _AssistantSession] = {}

    def watched(self, _: AppendRequest) -> Iterable[StreamKey]:
        return ()

    def session(self, stream: StreamKey) -> StreamSession[Any, Any]:
        session = self._sessions.get(stream)
        if session is None:
            stored = read.iterate_stream(self._tx, stream)
            history = [read.as_event(self._log, one) for one in stored]
            session = self._sessions[stream] = _AssistantSession(stream, history)
        return session

    def write(self) -> None:
        for stream, session in self._sessions.items():
            if session.take_changed():
                first, last = session.history[0], session.history[-1]
                self._tx.run(
                    _UPSERT,
                    (
                        find_tenant(self._tx, stream.tenant),
                        stream.id,
                        last.version,
                        first.position,
                        first.recorded_at_us,
                        last.recorded_at_us,
                        int(any(one.type == "AssistantDeleted" for one in session.history)),
                    ),
                )


class _AssistantSession:
    """Implements ``StreamSession`` for one assistant, from all of its events."""

    def __init__(self, stream: StreamKey, history: list[Event]) -> None:
        self.history = history
        self._stream = stream
        self._written = len(history)

    def _current(self) -> Assistant | None:
        versions = list(fold_assistant(self._stream.id, self.history))
        return versions[-1] if versions else None

    def check(self, request: AppendRequest) -> None:
        """Check nothing: the expected version is the only guard."""

    def decide(
        self, request: AppendRequest, command: c.Command | EraseVersions
    ) -> Sequence[Decided]:
        if isinstance(command, EraseVersions):
            return [content_erased(command)]
        decided = decide_assistant(self._current(), command, self._stream.text)
        reason = getattr(request.options, "reason", None)
        if reason is not None:
            content = replace(decided.content or e.Note(), reason=reason)  # type: ignore[type-var]
            decided = replace(decided, content=content)
        return [decided]

    def evolve(self, event: Event) -> None:
        self.history.append(event)

    def result(self, _: object, __: object) -> Assistant | None:
        return self._current()

    def repeated(self, _: AppendRequest, __: object, ___: int, last: int) -> Assistant:
        return list(fold_assistant(self._stream.id, self.history))[last - 1]

    def savepoint(self) -> int:
        return len(self.history)

    def rollback_to(self, savepoint: int) -> None:
        del self.history[savepoint:]

    def summary(self) -> None:
        """Return nothing: no summary is stored with the head."""

    def take_changed(self) -> bool:
        """Return whether there are unwritten changes, and mark them as written."""
        before, self._written = self._written, len(self.history)
        return self._written > before
