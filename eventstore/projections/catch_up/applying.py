"""One batch: the checkpoint moves and the events are applied, in one transaction or not at all.

An event that cannot be applied must be told from a database that cannot be written to. The first
stops the projection at this event, until somebody has mended its rule; the second passes, and the
batch is tried again. An error of a driver that speaks of the statement or of its values (a
constraint, a type, a missing column) belongs to the event, one that speaks of locks, disks and
connections does not. Whatever else the rule raises belongs to the event.
"""

from __future__ import annotations

import sqlite3
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from eventstore.core.events import Position, RecordedEvent
from eventstore.errors import ConversationStoreError
from eventstore.projections.catch_up.definition import Definition
from eventstore.projections.catch_up.generations import Failure, Generation, advance
from eventstore.projections.catch_up.tables import WritableTables
from eventstore.storage.transaction import Transaction

__all__ = ["Batch", "Poisoned", "TenantEvent", "failure_at"]

TenantEvent = tuple[str, RecordedEvent]
"""An event, and the tenant it belongs to."""

_OF_THE_STATEMENT: Final = ("21", "22", "23", "42", "0A", "54")
"""Classes of SQLSTATE that speak of what was said, not of how the server is."""
_SQLITE_OF_THE_STATEMENT: Final = {
    "SQLITE_ERROR",
    "SQLITE_CONSTRAINT",
    "SQLITE_MISMATCH",
    "SQLITE_RANGE",
    "SQLITE_TOOBIG",
}
_KINDS_OF_THE_STATEMENT: Final = {
    "DataError",
    "IntegrityError",
    "NotSupportedError",
    "ProgrammingError",
}
"""The same, raised by a driver before the database was asked; the names are those of PEP 249."""


class Poisoned(Exception):
    """The event at ``index`` of a batch cannot be applied. Nothing of the batch was written."""

    def __init__(self, index: int, failure: Failure) -> None:
        super().__init__(failure.error)
        self.index = index
        self.failure = failure


class Batch:
    """Applies events to the tables of one generation; called with a transaction, maybe again."""

    def __init__(
        self,
        definition: Definition,
        held: Generation,
        events: Sequence[TenantEvent],
        end: Position,
        until_us: int,
    ) -> None:
        self._definition = definition
        self._held = held
        self._events = events
        self._end = end
        self._until_us = until_us

    def __call__(self, tx: Transaction) -> None:
        """Move the checkpoint, then apply.

        Raises:
            LeaseLost: somebody else took over.
            Poisoned: an event cannot be applied.
        """
        held = self._held
        advance(tx, held, self._end, self._until_us)
        tables = WritableTables(tx, held.name, held.generation, held.tables, "")
        for index, (tenant, event) in enumerate(self._events):
            tables.tenant = tenant
            try:
                self._definition.apply(tables, event)
            except Exception as error:
                if _passes(error):
                    raise
                failure = failure_at(event.stream_id, event.version, event.type, error)
                raise Poisoned(index, failure) from error


def failure_at(stream_id: str, version: int, event_type: str, error: Exception) -> Failure:
    """Return what is kept of an error: its kind and its place, since its text may quote words."""
    if isinstance(error, ConversationStoreError):
        return Failure(stream_id, version, event_type, f"{type(error).__name__}: {error}")
    code = _code(error)
    said = f"{type(error).__name__} ({code})" if code else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if len(frames) > 1:  # the first is ours, the next is the rule that was called
        place = frames[1]
        said += f" in {place.name}, line {place.lineno} of {Path(place.filename).name}"
    return Failure(stream_id, version, event_type, said)


def _driver_error(error: BaseException) -> BaseException | None:
    """Return the error of a driver, if it is one."""
    if isinstance(error, DBAPIError):
        return error.orig
    return error if isinstance(error, sqlite3.Error) or hasattr(error, "sqlstate") else None


def _code(error: BaseException) -> str:
    driver = _driver_error(error)
    if driver is None:
        return ""
    name = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorname", None)
    return str(name or "")


def _passes(error: BaseException) -> bool:
    """Tell whether the same event may be applied later, if nothing but the weather changes."""
    driver = _driver_error(error)
    if driver is None:
        return isinstance(error, (ConnectionError, TimeoutError))
    code = _code(error)
    if not code:
        kinds = {kind.__name__ for one in (driver, driver.__cause__) for kind in type(one).__mro__}
        return kinds.isdisjoint(_KINDS_OF_THE_STATEMENT)
    if isinstance(driver, sqlite3.Error):
        return "_".join(code.split("_")[:2]) not in _SQLITE_OF_THE_STATEMENT
    return not code.startswith(_OF_THE_STATEMENT)
