"""Giving a second empty database its tables without working out again what that takes.

Alembic and SQLAlchemy take some fifty milliseconds to turn the revisions into SQL, which for an
empty database is the same SQL each time. A process that opens many of them (one for each test, one
for each customer) keeps what was run on the first, and runs that.

What must stay true: the statements are kept only when all of them went well, and are run only where
the same would be: on an empty database of the same kind and version, with the same names. Revisions
write single rows to an empty database, if any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, event

from eventstore.storage.transaction import Naming

__all__ = ["remembering"]

_Key: TypeAlias = tuple[object, ...]

_ran: Final[dict[_Key, list[tuple[str, Any]]]] = {}
"""Statements with their parameters, by what they depend on."""


def remembering(
    connection: Connection, naming: Naming, upgrade: Callable[[Connection, Naming], None]
) -> None:
    """Do what ``upgrade`` does to an empty database, by running it or what it ran before."""
    dialect = connection.dialect
    key = (dialect.name, dialect.driver, dialect.server_version_info, naming.prefix, naming.schema)
    known = _ran.get(key)
    if known is None:
        ran: list[tuple[str, Any]] = []

        def note(*heard: Any) -> None:  # noqa: ANN401 (what SQLAlchemy tells)
            _, _, statement, parameters, _, _ = heard
            ran.append((statement, parameters))

        event.listen(connection, "after_cursor_execute", note)
        try:
            upgrade(connection, naming)
        finally:
            event.remove(connection, "after_cursor_execute", note)
        _ran[key] = ran
    else:
        for statement, parameters in known:
            connection.exec_driver_sql(statement, parameters or None).close()
