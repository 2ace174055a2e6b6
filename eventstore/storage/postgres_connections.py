"""Read encodings and warnings, which a driver's connection reports beside query results.

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

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from eventstore.errors import OutcomeUnknown, StoreUnavailable

__all__ = ["check_encoding", "committing", "is_asyncpg"]

_UTF8: Final = frozenset({"UTF8", "UNICODE"})
"""The server's name of UTF-8, and the one it had before."""
_WARNING: Final = "WARNING"


def is_asyncpg(driver: Any) -> bool:  # noqa: ANN401
    """Return whether a connection is asyncpg's and not psycopg's."""
    return hasattr(driver, "is_in_transaction")


def check_encoding(driver: Any) -> None:  # noqa: ANN401
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


def _encodings(driver: Any) -> tuple[str | None, str | None]:  # noqa: ANN401
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
def committing(driver: Any) -> Iterator[None]:  # noqa: ANN401
    """Collect the server's warnings while it commits; other listeners still get them, too.

    Raises:
        OutcomeUnknown: it warned of something.
    """
    warned: list[str] = []
    if is_asyncpg(driver):

        def hear(_: Any, message: Any) -> None:  # noqa: ANN401
            _note(message, message.severity_en or message.severity, warned)

        add, remove = driver.add_log_listener, driver.remove_log_listener
    else:

        def hear(message: Any) -> None:  # type: ignore[misc] # noqa: ANN401
            _note(message, message.severity_nonlocalized, warned)

        add, remove = driver.add_notice_handler, driver.remove_notice_handler
    add(hear)
    try:
        yield
    finally:
        remove(hear)
    if warned:
        raise OutcomeUnknown(
            f"the server committed with a warning (SQLSTATE {warned[0]}), as it does where the wait"
            " for a standby was cancelled: a failover may lose the write"
        )


def _note(message: Any, severity: str | None, warned: list[str]) -> None:  # noqa: ANN401
    if severity == _WARNING and not message.context:
        warned.append(message.sqlstate)
