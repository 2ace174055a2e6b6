"""Errors of database drivers, translated into ours: the one place that knows their codes.

The distinction that matters: before COMMIT was sent, nothing was written and the caller may try
again (:class:`StoreBusy`, :class:`StoreUnavailable`); once it was sent and its answer is not a
clear no, the write may exist (:class:`OutcomeUnknown`). Texts of SQL and parameters never reach a
message.
"""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DBAPIError

from eventstore.core.causes import cause_of
from eventstore.errors import ConversationStoreError, OutcomeUnknown, StoreBusy, StoreUnavailable
from eventstore.storage.constraints import refused, refused_statement
from eventstore.storage.not_text import is_not_text

__all__ = ["driver_error", "translated", "translated_commit"]

_UNAVAILABLE = {
    "SQLITE_NOTADB": (
        "not_a_database",
        "the file is not a SQLite database",
        "Check the path in the URL; nothing was changed.",
    ),
    "SQLITE_READONLY": (
        "read_only",
        "the database cannot be written to",
        "Check the permissions of the file and its folder, and the URL's mode.",
    ),
    "SQLITE_FULL": (
        "disk_full",
        "the disk, or the database's page limit, is full",
        "Free some space and send the write again: nothing of it was written.",
    ),
    "SQLITE_CANTOPEN": (
        "cannot_open",
        "the database file cannot be opened",
        "Check that the folder exists and may be written to.",
    ),
    "SQLITE_CORRUPT": (
        "corrupt",
        "the database file is damaged",
        "Restore a backup, or recover it with the sqlite3 shell's .recover.",
    ),
    "SQLITE_IOERR": (
        "io_error",
        "the operating system failed to read or write the database file",
        "Check the disk; nothing was written.",
    ),
}
_BUSY = {"SQLITE_BUSY", "SQLITE_LOCKED"}
_CONSTRAINT = "SQLITE_CONSTRAINT"
_NAMED = " constraint failed: "
_NO_TABLE = "no such table"
"""SQLite has no code for it."""
_NOT_TEXT = (
    "corrupt",
    "a column of text holds bytes that are no text",
    "Somebody changed it by hand: 'eventstore verify' names the thread; or restore a backup.",
)
_NOT_MIGRATED = (
    "not_migrated",
    "a table of the store is missing",
    "Open the store once with migrate='auto'.",
)


def driver_error(error: BaseException) -> sqlite3.Error | None:
    """Return the driver's own error behind ``error``, if there is one."""
    if isinstance(error, DBAPIError):
        error.hide_parameters = True  # the engine may be the application's, and show them in logs
        return driver_error(error.orig) if error.orig is not None else None
    return error if isinstance(error, sqlite3.Error) else None


def _code(error: sqlite3.Error) -> str:
    """Return the primary result code's name: ``SQLITE_BUSY`` for ``SQLITE_BUSY_SNAPSHOT``."""
    name = getattr(error, "sqlite_errorname", None) or ""
    return "_".join(name.split("_")[:2])


def _named(driver: sqlite3.Error) -> str:
    """Return the constraint as the schema names it, or its kind; a trigger may say anything."""
    kind, _, name = str(driver).partition(_NAMED)
    return f"{kind} {name}" if name else driver.sqlite_errorname


def translated(error: BaseException, *, on_own_connection: bool = False) -> BaseException:
    """Return the error that the caller gets for an error before COMMIT was sent."""
    driver = driver_error(error)
    if driver is None:
        return error
    if (cause := cause_of(error)) is not None:  # an application's statement failed
        return refused_statement(cause)
    return _told(driver, on_own_connection=on_own_connection)


def _told(driver: sqlite3.Error, *, on_own_connection: bool) -> StoreBusy | StoreUnavailable:
    """Return the error that the caller gets for an error of the driver's."""
    code = _code(driver)
    if code == "SQLITE_ERROR" and str(driver).startswith(_NO_TABLE):
        return StoreUnavailable(*_NOT_MIGRATED)
    if is_not_text(driver):
        return StoreUnavailable(*_NOT_TEXT)
    if code in _BUSY:
        return StoreBusy(
            "the transaction handed in as connection= could not write, because another connection"
            " wrote since it began; begin it with BEGIN IMMEDIATE"
            if on_own_connection
            else "another connection holds the database's write lock; a transaction opened for"
            " connection= and left open has this effect"
        )
    if code in _UNAVAILABLE:
        return StoreUnavailable(*_UNAVAILABLE[code])
    if code == _CONSTRAINT:
        return refused(_named(driver), None)
    return StoreUnavailable(
        "driver", f"the database failed with {code or type(driver).__name__}", "See __cause__."
    )


def translated_commit(
    error: BaseException, *, rolled_back: bool
) -> ConversationStoreError | BaseException:
    """Return the error that the caller gets when COMMIT itself failed.

    ``rolled_back``: the transaction was still open afterwards and was rolled back, or SQLite rolled
    it back, as it does on a full disk, and the appended events are missing. So nothing remains. A
    failing fsync is the other case: the commit may be in the log that recovery reads.
    """
    driver = driver_error(error)
    if driver is None:
        return error
    if rolled_back and _code(driver) != "SQLITE_IOERR":
        return translated(error)
    return OutcomeUnknown(f"the database failed while committing ({_code(driver) or 'no code'})")
