"""Translate errors of PostgreSQL's drivers: the one place that knows the server's codes.

asyncpg and psycopg both carry the server's SQLSTATE; an error without one is a connection that
could not be made or was lost. Before COMMIT was sent nothing was written, whatever happened. A
connection that breaks after it was sent leaves the outcome unknown. Texts of SQL and parameters
never reach a message.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Final

from sqlalchemy.exc import DBAPIError, EmulatedDBAPIException

from eventstore.core.causes import cause_of
from eventstore.errors import OutcomeUnknown, StoreBusy, StoreUnavailable
from eventstore.storage.constraints import refused, refused_statement

__all__ = ["DRIVER_ERRORS", "Raced", "sqlstate", "translated", "translated_commit"]


class Raced(StoreBusy):
    """Another transaction did the same at the same moment; a retry will see it."""


_KINDS: Final = {
    "psycopg": ["Error"],
    # The last one answers a statement that is sent after the server announced its shutdown and
    # before the socket is closed: "cannot switch to state 15; another operation is in progress".
    "asyncpg": ["PostgresError", "InterfaceError", "InternalClientError"],
}


def _driver_errors() -> tuple[type[BaseException], ...]:
    """Return the errors of the installed drivers. A missing driver raises nothing."""
    kinds: list[type[BaseException]] = [DBAPIError, EmulatedDBAPIException, OSError]
    for module, names in _KINDS.items():
        if find_spec(module) is not None:
            kinds += [getattr(import_module(module), name) for name in names]
    return tuple(kinds)


DRIVER_ERRORS: Final = _driver_errors()

_RACES: Final = {
    "40P01": "the database ended the transaction because two waited for each other (deadlock)",
    "40001": "the database could not serialize the transaction with another one",
}
_VIOLATIONS: Final = "23"
"""The class of every refusal by a constraint."""
_UNIQUE: Final = "23505"
_MADE_TWICE: Final = "another transaction made the same stream at the same moment"
_BUSY: Final = {
    "55P03": (
        "another transaction holds this thread; a transaction opened for connection= and left open"
        " has this effect"
    ),
    "57014": "the database cancelled the statement, for example because of statement_timeout",
    "53300": "the server allows no more connections",
}
_UNAVAILABLE: Final = {
    "28P01": ("password", "the server refused the password", "Check the user and password."),
    "28000": (
        "authorization",
        "the server does not let this user in",
        "Check the user and the server's pg_hba.conf.",
    ),
    "3D000": ("no_such_database", "there is no such database", "Create it, or check the URL."),
    "3F000": ("no_such_schema", "there is no such schema", "Create it, or check schema=."),
    "42501": (
        "no_permission",
        "the database user lacks a permission",
        "Grant it, or make the tables as a user who may (migrate='check' only looks).",
    ),
    "42P01": (
        "not_migrated",
        "a table of the store is missing",
        "Open the store once with migrate='auto'.",
    ),
    "25006": (
        "read_only",
        "the server is read-only, like a standby",
        "Connect to the primary server.",
    ),
    "25P02": (
        "transaction_failed",
        "a statement failed earlier in the transaction, so it accepts no more",
        "Roll it back, to a savepoint at least; begin_nested() makes one.",
    ),
    "53100": (
        "disk_full",
        "the server's disk is full",
        "Free some space and send the write again: nothing of it was written.",
    ),
    "53200": ("out_of_memory", "the server is out of memory", "Try again with smaller batches."),
}
_GONE: Final = (
    "connection_lost",
    "the connection to the server could not be made, or was lost",
    "Check that the server runs and can be reached; nothing was written.",
)
_MISUSED: Final = {"ProgrammingError", "DataError", "NotSupportedError"}
"""Kinds of errors that the driver itself raises and that concern no connection."""
_GONE_CLASSES: Final = ("08", "57P")


def _driver_error(error: BaseException) -> BaseException | None:
    if isinstance(error, DBAPIError):
        error.hide_parameters = True  # the engine may be the application's, and show them in logs
        return error.orig
    return error if isinstance(error, DRIVER_ERRORS) else None


_REFUSED_TO_CONNECT: Final = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    'FATAL:  role "': "28000",
    "does not exist": "3D000",
    "too many clients": "53300",
    "remaining connection slots": "53300",
    "too many connections": "53300",
}
"""libpq passes on a refused connection as text alone; if the text is not English, the caller only
learns that the connection could not be made."""


def sqlstate(error: BaseException) -> str | None:
    """Return the server's code of an error, if it has one."""
    driver = _driver_error(error)
    code = getattr(driver, "sqlstate", None)
    if isinstance(code, str):
        return code
    told = str(driver)
    return next((code for words, code in _REFUSED_TO_CONNECT.items() if words in told), None)


def translated(error: BaseException, *, on_own_connection: bool = False) -> BaseException:
    """Return the error that the caller gets for an error before COMMIT was sent."""
    driver = _driver_error(error)
    if driver is None:
        return error
    if (cause := cause_of(error)) is not None:  # an application's statement failed
        return refused_statement(cause)
    code = sqlstate(error)
    if code is None:
        return _without_code(driver)
    if code.startswith(_VIOLATIONS):
        return _violated(driver, code, on_own_connection=on_own_connection)
    if code in _RACES:
        return (StoreBusy if on_own_connection else Raced)(_RACES[code])
    return _told(code)


def _told(code: str) -> StoreBusy | StoreUnavailable:
    """Return the error that the caller gets where the server's code is enough."""
    if code.startswith(_GONE_CLASSES):
        return StoreUnavailable(*_GONE)
    if code in _BUSY:
        return StoreBusy(_BUSY[code])
    other = ("driver", f"the database failed with SQLSTATE {code}", "See __cause__.")
    return StoreUnavailable(*_UNAVAILABLE.get(code, other))


def _violated(
    driver: BaseException, code: str, *, on_own_connection: bool
) -> StoreBusy | StoreUnavailable:
    """Return the error for rows that a constraint refuses.

    Two transactions that make the same stream meet at a unique key, and nothing of the second is
    written. Where it can be retried, the retry distinguishes a race from rows that never fit. In a
    transaction of the application's it cannot; there the head of a stream, which is written first,
    shows the race.
    """
    constraint = _said(driver, "constraint_name") or _said(driver, "column_name")
    table = _said(driver, "table_name")
    if on_own_connection and code == _UNIQUE and str(table).endswith("streams"):
        return StoreBusy(_MADE_TWICE)
    return refused(constraint, table, unique=code == _UNIQUE)


def _said(driver: BaseException, fact: str) -> str | None:
    """Return a detail of the server's error: psycopg keeps it in ``diag``, asyncpg on the error.

    SQLAlchemy wraps the errors of asyncpg.
    """
    for one in (getattr(driver, "diag", None), driver, driver.__cause__):
        if isinstance(value := getattr(one, fact, None), str):
            return value
    return None


def _without_code(driver: BaseException) -> StoreUnavailable:
    """Return the error that the caller gets where no server sent a code."""
    if _MISUSED & {kind.__name__ for kind in type(driver).__mro__}:
        refused = f"the driver refused the call with {type(driver).__name__}"
        return StoreUnavailable("driver", refused, "See __cause__.")
    return StoreUnavailable(*_GONE)


def translated_commit(error: BaseException, *, rolled_back: bool) -> BaseException:
    """Return the error that the caller gets when COMMIT itself failed.

    The server answers a COMMIT it refuses with a code and has rolled back by then. Without an
    answer, or with one that ends the connection, the commit may have happened.
    """
    if _driver_error(error) is None:
        return error
    code = sqlstate(error)
    if code is not None and not code.startswith(_GONE_CLASSES):
        return translated(error)
    del rolled_back  # the server decides that, not what the client believes to be open
    return OutcomeUnknown(f"the connection was lost while committing ({code or 'no answer'})")
