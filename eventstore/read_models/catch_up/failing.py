"""Distinguish failures of a projection's rule from temporary failures of the database.

A broken rule stops the projection until the rule is mended; a failure of the database is temporary,
and the work is retried. A driver's error about the statement or its values (a constraint, a type, a
missing column) belongs to the rule, one about locks, disks and connections does not. Every other
error that the rule raises belongs to the rule.
"""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy.exc import DBAPIError

from eventstore.core.causes import cause_of
from eventstore.errors import ConversationStoreError

__all__ = ["Failure", "failure_at", "passes", "said"]


class Failure(NamedTuple):
    """The cause that stopped a projection: an event that it could not apply, or its creation."""

    stream_id: str
    version: int
    """0 without an event: it could not create its tables."""
    type: str
    error: str
    """A description without any user's words."""


_OF_THE_STATEMENT: Final = ("21", "22", "23", "42", "0A", "54")
"""Classes of SQLSTATE about the statement, not about the state of the server."""
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
"""The same for errors that a driver raises before it asks the database; PEP 249 names them."""


_OURS: Final = 2
"""Frames of an error's traceback between its handler and the call of the rule, by ``follow``."""


def failure_at(stream_id: str, version: int, event_type: str, error: Exception) -> Failure:
    """Return the record of an error that the rule raised for one event."""
    return Failure(stream_id, version, event_type, said(error))


def said(error: Exception) -> str:
    """Return an error's kind, its place in the rule and its cause, without any user's words."""
    if isinstance(error, ConversationStoreError):
        return f"{type(error).__name__}: {error}"
    code = _code(error)
    kind = f"{type(error).__name__} ({code})" if code else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    if len(frames) > _OURS:  # the next is the rule that was called
        place = frames[_OURS]
        kind += f" in {place.name}, line {place.lineno} of {Path(place.filename).name}"
    cause = cause_of(error)
    return kind if cause is None else f"{kind}: {cause}"


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


def passes(error: BaseException) -> bool:
    """Return whether a retry may succeed later without any change to the rule."""
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
