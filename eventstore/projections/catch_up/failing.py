"""Whose fault it is: of a projection's rule, or of a database that will do again.

A rule that cannot be followed must be told from a database that cannot be written to. The first
stops the projection, until somebody has mended its rule; the second passes, and the work is tried
again. An error of a driver that speaks of the statement or of its values (a constraint, a type, a
missing column) belongs to the rule, one that speaks of locks, disks and connections does not.
Whatever else the rule raises is its own.
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
    """What stopped a projection: an event that it could not apply, or its own beginning."""

    stream_id: str
    version: int
    """0: no event, it could not make its tables."""
    type: str
    error: str
    """What happened, without anybody's words."""


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


_OURS: Final = 2
"""Frames of an error's traceback from where it is heard to the call of the rule, by ``follow``."""


def failure_at(stream_id: str, version: int, event_type: str, error: Exception) -> Failure:
    """Return what is kept of an error that one event's rule raised."""
    return Failure(stream_id, version, event_type, said(error))


def said(error: Exception) -> str:
    """Return an error's kind, its place in the rule and its cause, without anybody's words."""
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
    """Tell whether the same may succeed later, if nothing but the weather changes."""
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
