"""Triggers that forbid changing history.

* INSERT over an existing version or position is refused *before* it happens: ``INSERT OR REPLACE``
  deletes the old row without firing a DELETE trigger. (SQLite; on PostgreSQL the key refuses it.)
  It fails rather than aborts, which saves each insert a savepoint: rows that a statement inserted
  before the refused one stay, but none was written over.
* UPDATE passes only if there was content, content and salt both become NULL, a commitment takes
  their place (without it the chain could never be verified again), and nothing else changes.
* DELETE passes only for a stream listed in ``purging``, in the same transaction; on SQLite never
  for the last event of all, so that no position is given twice: the tombstone comes first.
* TRUNCATE, which PostgreSQL has, never passes.

Contents in ``blobs`` are protected the same way: no INSERT over one, no UPDATE, no TRUNCATE, and
DELETE only once the event has no content any more, erased or purged.

A migration that copies the table must create them again; after every migration a test tries each
way around them.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from eventstore.storage.transaction import Naming

__all__ = ["create_triggers"]

_KEPT: Final = (
    "position",
    "epoch",
    "xid",
    "tenant",
    "category",
    "stream",
    "version",
    "event_id",
    "type",
    "schema_version",
    "recorded_at",
    "data",
    "subject",
    "metadata",
    "hash",
)

_SQLITE: Final = (
    """
    CREATE TRIGGER "{prefix}events_no_replace" BEFORE INSERT ON {events}
    WHEN EXISTS (SELECT 1 FROM {events} WHERE position = NEW.position)
      OR EXISTS (
        SELECT 1 FROM {events}
        WHERE tenant = NEW.tenant AND category = NEW.category
          AND stream = NEW.stream AND version = NEW.version)
    BEGIN SELECT RAISE(FAIL, 'eventstore: this version or position is taken'); END
    """,
    """
    CREATE TRIGGER "{prefix}events_no_update" BEFORE UPDATE ON {events}
    WHEN OLD.content IS NULL OR NEW.content IS NOT NULL OR NEW.salt IS NOT NULL
      OR NEW.commitment IS NULL OR length(NEW.commitment) <> 32 OR {changed}
    BEGIN SELECT RAISE(ABORT, 'eventstore: events are never changed, content is only erased'); END
    """,
    """
    CREATE TRIGGER "{prefix}events_no_delete" BEFORE DELETE ON {events}
    WHEN NOT EXISTS (
      SELECT 1 FROM {purging}
      WHERE tenant = OLD.tenant AND category = OLD.category AND stream = OLD.stream)
    BEGIN SELECT RAISE(ABORT, 'eventstore: events are never deleted, streams are only purged'); END
    """,
    """
    CREATE TRIGGER "{prefix}events_no_last_delete" BEFORE DELETE ON {events}
    WHEN OLD.position = (SELECT max(position) FROM {events})
    BEGIN SELECT RAISE(ABORT, 'eventstore: the last event stays, append a tombstone first'); END
    """,
    """
    CREATE TRIGGER "{prefix}blobs_no_replace" BEFORE INSERT ON {blobs}
    WHEN EXISTS (
      SELECT 1 FROM {blobs}
      WHERE tenant = NEW.tenant AND category = NEW.category
        AND stream = NEW.stream AND version = NEW.version)
    BEGIN SELECT RAISE(FAIL, 'eventstore: this version has its blob'); END
    """,
    """
    CREATE TRIGGER "{prefix}blobs_no_update" BEFORE UPDATE ON {blobs}
    BEGIN SELECT RAISE(ABORT, 'eventstore: blobs are never changed, they go with content'); END
    """,
    """
    CREATE TRIGGER "{prefix}blobs_no_delete" BEFORE DELETE ON {blobs}
    WHEN EXISTS (
      SELECT 1 FROM {events}
      WHERE tenant = OLD.tenant AND category = OLD.category
        AND stream = OLD.stream AND version = OLD.version AND content IS NOT NULL)
    BEGIN SELECT RAISE(ABORT, 'eventstore: a blob goes after the content of its event'); END
    """,
)


_POSTGRES: Final = (
    """
    CREATE FUNCTION {dot}"{prefix}events_are_kept"() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN
        IF EXISTS (
          SELECT 1 FROM {purging} p WHERE p.tenant = OLD.tenant AND p.category = OLD.category
            AND p.stream = OLD.stream) THEN
          RETURN OLD;
        END IF;
        RAISE EXCEPTION 'eventstore: events are never deleted, streams are only purged';
      END IF;
      IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'eventstore: events are never deleted, streams are only purged';
      END IF;
      IF OLD.content IS NULL OR NEW.content IS NOT NULL OR NEW.salt IS NOT NULL
        OR NEW.commitment IS NULL OR length(NEW.commitment) <> 32 OR {changed} THEN
        RAISE EXCEPTION 'eventstore: events are never changed, content is only erased';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER "{prefix}events_no_change" BEFORE UPDATE OR DELETE ON {events}
    FOR EACH ROW EXECUTE FUNCTION {dot}"{prefix}events_are_kept"()
    """,
    """
    CREATE TRIGGER "{prefix}events_no_truncate" BEFORE TRUNCATE ON {events}
    FOR EACH STATEMENT EXECUTE FUNCTION {dot}"{prefix}events_are_kept"()
    """,
    """
    CREATE FUNCTION {dot}"{prefix}blobs_are_kept"() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP = 'DELETE' THEN
        IF NOT EXISTS (
          SELECT 1 FROM {events} e WHERE e.tenant = OLD.tenant AND e.category = OLD.category
            AND e.stream = OLD.stream AND e.version = OLD.version AND e.content IS NOT NULL) THEN
          RETURN OLD;
        END IF;
        RAISE EXCEPTION 'eventstore: a blob goes after the content of its event';
      END IF;
      RAISE EXCEPTION 'eventstore: blobs are never changed, they go with content';
    END $$
    """,
    """
    CREATE TRIGGER "{prefix}blobs_no_change" BEFORE UPDATE OR DELETE ON {blobs}
    FOR EACH ROW EXECUTE FUNCTION {dot}"{prefix}blobs_are_kept"()
    """,
    """
    CREATE TRIGGER "{prefix}blobs_no_truncate" BEFORE TRUNCATE ON {blobs}
    FOR EACH STATEMENT EXECUTE FUNCTION {dot}"{prefix}blobs_are_kept"()
    """,
)

_BY_DIALECT: Final = {"sqlite": (_SQLITE, "IS NOT"), "postgresql": (_POSTGRES, "IS DISTINCT FROM")}


def create_triggers(connection: Connection, naming: Naming) -> None:
    """Create the triggers; they must not exist."""
    templates, differs = _BY_DIALECT[connection.dialect.name]
    changed = " OR ".join(f"NEW.{column} {differs} OLD.{column}" for column in _KEPT)
    dot = f'"{naming.schema}".' if naming.schema else ""
    for template in templates:
        text = template.replace("{changed}", changed).replace("{prefix}", naming.prefix)
        connection.exec_driver_sql(naming.sql(text.replace("{dot}", dot)))
