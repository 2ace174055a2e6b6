"""Migrate a database to the schema of this version, with Alembic, from inside ``open()``.

A database that is up to date costs one SELECT. Otherwise the revisions run in one transaction that
holds the write lock from its first statement. So ten processes may start at once: the first
migrates, the others find a current schema. A migration never updates event rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import Connection, inspect, text

from eventstore.errors import SchemaTooNew, StoreUnavailable
from eventstore.storage.migrations.remembered import remembering
from eventstore.storage.tables import TABLES
from eventstore.storage.transaction import Naming

__all__ = ["HEAD", "REVISIONS", "Migrate", "current_revision", "ensure_schema"]

Migrate: TypeAlias = Literal["auto", "check", "off"]

REVISIONS: Final = ("0001",)
"""Every revision there is in ``versions``, oldest first."""
HEAD: Final = REVISIONS[-1]


def _version_table(naming: Naming) -> str:
    return naming.plain("eventstore_revision")


def current_revision(connection: Connection, naming: Naming) -> str | None:
    """Return the revision of a database; None if it has no tables of this library."""
    table = _version_table(naming)
    if not inspect(connection).has_table(table, schema=naming.schema):
        return None
    dot = f'"{naming.schema}".' if naming.schema else ""
    row = connection.execute(text(f'SELECT version_num FROM {dot}"{table}"')).fetchone()
    return None if row is None else str(row[0])


def ensure_schema(connection: Connection, naming: Naming, migrate: Migrate) -> None:
    """Migrate, or only check, inside the caller's transaction.

    Raises:
        SchemaTooNew: a newer version of the library migrated the tables.
        StoreUnavailable: ``"not_migrated"``, when only asked to look.
    """
    if migrate == "off":
        return
    found = current_revision(connection, naming)
    if found == HEAD:
        return
    if found is not None and found not in REVISIONS:
        raise SchemaTooNew(found, HEAD)
    if migrate == "check":
        raise StoreUnavailable(
            "not_migrated",
            f"the database is at schema revision {found!r}, {HEAD!r} is needed",
            "Open it once with migrate='auto', or run the migrations yourself.",
        )
    if found is None:
        _check_names(connection, naming)
        remembering(connection, naming, _upgrade)
    else:
        _upgrade(connection, naming)


def _check_names(connection: Connection, naming: Naming) -> None:
    """Refuse to create tables where tables of the same names belong to other software."""
    present = set(inspect(connection).get_table_names(schema=naming.schema))
    taken = sorted(present & {naming.plain(table) for table in TABLES})
    if taken:
        raise StoreUnavailable(
            "names_taken",
            f"the database already has tables that this library did not create: {', '.join(taken)}",
            "Give prefix=, for example prefix='eventstore_', or another database.",
        )


def _upgrade(connection: Connection, naming: Naming) -> None:
    # Alembic costs a sixth of a second to import, and most processes find nothing to migrate.
    from alembic.operations import Operations  # noqa: PLC0415
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    script = ScriptDirectory(str(Path(__file__).parent))
    options: dict[str, Any] = {
        "version_table": _version_table(naming),
        "version_table_schema": naming.schema,
        "fn": lambda revision, _: script._upgrade_revs("head", revision),  # noqa: SLF001 (as in Alembic's own env.py)
    }
    context = MigrationContext.configure(connection, opts=options)
    with Operations.context(context):
        context.run_migrations(naming=naming)
