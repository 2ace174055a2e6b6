"""Create the tables of a second empty database without computing the SQL again.

Alembic and SQLAlchemy take some fifty milliseconds to turn the revisions into SQL, which for an
empty database is the same SQL each time. A process that opens many of them (one for each test, one
for each customer) keeps the statements of the first, and repeats them.

What must stay true: the statements are kept only when all of them succeeded, and are repeated only
where the revisions would give the same: on an empty database of the same kind and version, with the
same names. Revisions write single rows to an empty database, if any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, event

from eventstore.storage.transaction import Naming

__all__ = ["remembering"]

_Key: TypeAlias = tuple[object, ...]

_ran: Final[dict[_Key, list[tuple[str, Any]]]] = {}
"""Statements with their parameters, by everything that they depend on."""


def remembering(
    connection: Connection, naming: Naming, upgrade: Callable[[Connection, Naming], None]
) -> None:
    """Do what ``upgrade`` does to an empty database: run it, or repeat its earlier statements."""
    dialect = connection.dialect
    key = (dialect.name, dialect.driver, dialect.server_version_info, naming.prefix, naming.schema)
    known = _ran.get(key)
    if known is None:
        ran: list[tuple[str, Any]] = []

        def note(_: object, __: object, statement: str, parameters: object, *___: object) -> None:
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
