"""Read the encodings, warnings and state that a driver's connection reports beside query results.

**Encodings.** The server reports at once in which encoding it stores text and in which it sends it.
Any encoding but UTF8 cannot hold every text, and fails when a user first writes in another script;
SQL_ASCII makes drivers return bytes. So both are checked before anything else.

**Warnings at COMMIT.** A commit that waits for a synchronous standby cannot be rolled back.
Cancelling the wait makes the server answer COMMIT with success, and with a warning that the
transaction may not have reached the standby: a failover may lose it. The warning's text is in the
server's language, and its code (01000) is that of any warning. What marks it is that it comes from
the server itself and not from a function: a trigger that is deferred to the commit may warn of
anything, and the server names the function as the context. No other warning of the server during a
commit means that all is well, so every warning without a context counts.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from sqlalchemy.util import await_only

from eventstore.errors import OutcomeUnknown, StoreUnavailable
from eventstore.storage.postgres_failures import DRIVER_ERRORS

if TYPE_CHECKING:
    import psycopg  # an extra
    from sqlalchemy.pool import PoolProxiedConnection
    from typing_extensions import TypeIs  # in typing from 3.13 on

__all__ = [
    "AsyncpgConnection",
    "Driver",
    "check_encoding",
    "committing",
    "in_transaction",
    "is_asyncpg",
    "is_lost",
    "say",
    "socket_of",
]

_UTF8: Final = frozenset({"UTF8", "UNICODE"})
"""The server's name of UTF-8, and the one it had before."""
_WARNING: Final = "WARNING"
_IDLE: Final = 0
"""libpq's PQTRANS_IDLE."""


class AsyncpgConnection(Protocol):
    """The used part of asyncpg's connection, which comes without types."""

    _transport: Any

    def is_in_transaction(self) -> bool: ...
    def is_closed(self) -> bool: ...
    def get_settings(self) -> object: ...
    def execute(self, query: str, *parameters: object) -> Awaitable[str]: ...
    def fetch(self, query: str, *parameters: object) -> Awaitable[list[Any]]: ...
    def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[Any]],
        columns: Sequence[str],
        schema_name: str | None,
    ) -> Awaitable[str]: ...
    def add_log_listener(self, callback: Callable[[object, _Message], None]) -> None: ...
    def remove_log_listener(self, callback: Callable[[object, _Message], None]) -> None: ...
    def add_termination_listener(self, callback: Callable[[object], None]) -> None: ...
    def add_listener(self, channel: str, callback: Callable[..., None]) -> Awaitable[None]: ...


Driver: TypeAlias = "psycopg.Connection[Any] | AsyncpgConnection"
"""A driver's connection."""


class _Message(Protocol):
    """A warning as asyncpg reports it."""

    severity: str | None
    severity_en: str | None
    context: str | None
    sqlstate: str | None


def is_asyncpg(driver: object) -> TypeIs[AsyncpgConnection]:
    """Return whether a connection is asyncpg's and not psycopg's."""
    return hasattr(driver, "is_in_transaction")


def check_encoding(driver: Driver) -> None:
    """Check that the database and a connection to it use an encoding that has every character.

    Raises:
        StoreUnavailable: ``"encoding"``.
    """
    server, client = _encodings(driver)
    if not _is_utf8(server):
        raise StoreUnavailable(
            "encoding",
            f"the database keeps text in the encoding {server}, which lacks most scripts",
            "Use one that was made with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )
    if not _is_utf8(client):
        raise StoreUnavailable(
            "encoding",
            f"the connection sends text in the encoding {client}, which lacks most scripts",
            "Leave client_encoding out of the URL, the engine, PGCLIENTENCODING and the role, or"
            " set it to UTF8.",
        )


def _is_utf8(encoding: str | None) -> bool:
    """Return whether an encoding is UTF-8, as far as it was reported.

    The server names it ``UTF8``. A pooler reports what the client asked for, as it spelt it:
    asyncpg's ``'utf-8'``, quotes included.
    """
    if encoding is None:
        return True
    return encoding.strip("'\"").upper().replace("-", "") in _UTF8


def _encodings(driver: Driver) -> tuple[str | None, str | None]:
    """Return the encodings that the server reported when it accepted the connection."""
    if is_asyncpg(driver):
        told = driver.get_settings()
        return (
            getattr(told, "server_encoding", None),
            getattr(told, "client_encoding", None),
        )
    status = driver.info.parameter_status
    return status("server_encoding"), status("client_encoding")


@contextmanager
def committing(driver: Driver) -> Iterator[None]:
    """Collect the server's warnings while it commits; other listeners still get them, too.

    Raises:
        OutcomeUnknown: it warned of something.
    """
    warned: list[str] = []
    if is_asyncpg(driver):

        def hear(_: object, message: _Message) -> None:
            _note(message, message.severity_en or message.severity, warned)

        driver.add_log_listener(hear)
        end = partial(driver.remove_log_listener, hear)
    else:

        def notice(message: psycopg.errors.Diagnostic) -> None:
            _note(message, message.severity_nonlocalized, warned)

        driver.add_notice_handler(notice)
        end = partial(driver.remove_notice_handler, notice)
    try:
        yield
    finally:
        end()
    if warned:
        raise OutcomeUnknown(
            f"the server committed with a warning (SQLSTATE {warned[0]}), as it does where the wait"
            " for a standby was cancelled: a failover may lose the write"
        )


def _note(
    message: _Message | psycopg.errors.Diagnostic, severity: str | None, warned: list[str]
) -> None:
    if severity == _WARNING and not message.context:
        warned.append(message.sqlstate or "")


def say(driver: Driver, text: str) -> None:
    """Execute a statement that begins or ends a transaction."""
    if is_asyncpg(driver):
        await_only(driver.execute(text))
    else:
        driver.execute(text)


def in_transaction(driver: Driver) -> bool:
    """Return whether a driver's connection has an open transaction."""
    if is_asyncpg(driver):
        return bool(driver.is_in_transaction())
    return not driver.closed and driver.info.transaction_status != _IDLE


def is_lost(driver: Driver) -> bool:
    """Return whether a driver's connection has lost its server."""
    return bool(driver.is_closed() if is_asyncpg(driver) else driver.closed)


def socket_of(pooled: PoolProxiedConnection) -> tuple[int, int] | None:
    """Return the device and inode of a connection's socket; None once it is closed."""
    driver: Any = pooled.driver_connection
    try:
        if is_asyncpg(driver):
            number = driver._transport.get_extra_info("socket").fileno()  # noqa: SLF001
        else:
            number = driver.fileno()
        found = os.fstat(number)
    except (OSError, AttributeError):
        return None
    except DRIVER_ERRORS:
        return None
    return found.st_dev, found.st_ino
