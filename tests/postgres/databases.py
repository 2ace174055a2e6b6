"""Databases that a store has been opened on before, for one test after another.

To make a database and drop it costs the server more than most tests do: it copies three hundred
files and removes them. So a database that a test gives back loses its rows and the tables it was
not made with, and goes to the next test. If it still differs from what it was made as, it is
dropped.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import LiteralString, NamedTuple, TypeAlias

import psycopg
from psycopg import sql

from eventstore import ConversationStore
from eventstore.testing.postgres_server import PostgresServer

FIRST_OID_OF_USERS = 16384
"""Whatever has a smaller one came with the server."""

# All that is defined in a database, by where each line of a catalogue stands and who wrote it:
# whatever changes one writes another. Of tables what TRUNCATE and ANALYZE leave alone.
DEFINED = f"""
WITH defined(what) AS (
    SELECT row(oid, relname, relnamespace, relowner, relkind, relpersistence, relnatts, relacl,
               reloptions, reltablespace, relrowsecurity, relreplident)::text
      FROM pg_class WHERE oid >= {FIRST_OID_OF_USERS}
    UNION ALL SELECT row(1, ctid, xmin)::text FROM pg_attribute
      WHERE attrelid >= {FIRST_OID_OF_USERS}
    UNION ALL SELECT row(2, ctid, xmin)::text FROM pg_attrdef
    UNION ALL SELECT row(3, ctid, xmin)::text FROM pg_index WHERE indexrelid >= {FIRST_OID_OF_USERS}
    UNION ALL SELECT row(4, ctid, xmin)::text FROM pg_constraint WHERE oid >= {FIRST_OID_OF_USERS}
    UNION ALL SELECT row(5, ctid, xmin)::text FROM pg_trigger
    UNION ALL SELECT row(6, ctid, xmin)::text FROM pg_event_trigger
    UNION ALL SELECT row(7, ctid, xmin)::text FROM pg_proc WHERE oid >= {FIRST_OID_OF_USERS}
    UNION ALL SELECT row(8, ctid, xmin)::text FROM pg_type WHERE oid >= {FIRST_OID_OF_USERS}
    UNION ALL SELECT row(9, ctid, xmin)::text FROM pg_namespace
      WHERE nspname !~ '^pg_(toast_)?temp_'
    UNION ALL SELECT row(10, ctid, xmin)::text FROM pg_extension
    UNION ALL SELECT row(11, ctid, xmin)::text FROM pg_policy
    UNION ALL SELECT row(12, ctid, xmin)::text FROM pg_sequence
    UNION ALL SELECT row(13, ctid, xmin)::text FROM pg_rewrite WHERE oid >= {FIRST_OID_OF_USERS}
    UNION ALL SELECT row(datacl, datallowconn, datconnlimit, setconfig)::text
      FROM pg_database one LEFT JOIN pg_db_role_setting ON setdatabase = one.oid
     WHERE datname = current_database()
)
SELECT md5(string_agg(what, '|' ORDER BY what)) FROM defined
"""

TABLES = f"""
SELECT nspname, relname FROM pg_class one JOIN pg_namespace ON relnamespace = pg_namespace.oid
 WHERE one.oid >= {FIRST_OID_OF_USERS} AND relkind IN ('r', 'p') AND NOT relispartition
"""

# A table that was written to, also if nothing of it was kept, is no longer empty on the disk. To
# delete a page of rows is quicker than to make new files; what is larger gets new ones.
WRITTEN_TO = f"""
SELECT nspname, relname FROM pg_class one JOIN pg_namespace ON relnamespace = pg_namespace.oid
 WHERE one.oid >= {FIRST_OID_OF_USERS} AND relkind = 'r' AND pg_relation_size(one.oid) > 0
 ORDER BY 1, 2
"""
LARGE = f"""
SELECT nspname, relname FROM pg_class one JOIN pg_namespace ON relnamespace = pg_namespace.oid
 WHERE one.oid >= {FIRST_OID_OF_USERS} AND relkind = 'r' AND pg_table_size(one.oid) > 65536
"""
SEQUENCES = f"""
SELECT setval(oid, seqstart, false) FROM pg_class JOIN pg_sequence ON seqrelid = oid
 WHERE oid >= {FIRST_OID_OF_USERS}
"""
OTHERS = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

Table: TypeAlias = tuple[str, ...]
"""Its schema and its name."""


class Seen(NamedTuple):
    """What a database is besides the rows of a life."""

    defined: str
    tables: set[Table]
    given: dict[Table, list[tuple[object, ...]]]
    """The rows of tables that are not empty from the start."""


class Databases:
    """Those of one server that are all the same."""

    def __init__(
        self,
        server: PostgresServer,
        schema: str | None = None,
        prefix: str = "",
        changes: LiteralString = "",
    ) -> None:
        """Give the tables other names, or make changes to them once they are there."""
        self._server = server
        self._schema = schema
        self._prefix = prefix
        self._changes = changes
        self._free: list[str] = []
        self._kept: dict[str, psycopg.Connection] = {}
        """Who is new has to read the catalogues, which takes longer than what is to be done."""

    @contextmanager
    def one(self) -> Iterator[str]:
        """Lend a database with the tables of a store and nothing in them."""
        name = self._free.pop() if self._free else self._made()
        yield name
        if self._emptied(name):
            self._free.append(name)
        else:
            self._kept.pop(name).close()
            self._server.drop_database(name)

    def close(self) -> None:
        """Leave no connection behind, and no database on a server that goes on."""
        for connection in self._kept.values():
            connection.close()
        if not self._server.owned:
            for name in (*self._free, self._template()[0]):
                self._server.drop_database(name)

    def _made(self) -> str:
        template, _ = self._template()
        return self._server.create_database(template=template)

    @cache  # noqa: B019 (as long as the server)
    def _template(self) -> tuple[str, Seen]:
        """Return the one that the others are copies of, and what it looks like."""
        name = self._server.create_database()
        with self._connected(name) as connection:  # to which nobody may be when it is copied
            if self._schema is not None:
                connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
            ConversationStore.open(
                self._server.url(database=name),
                schema=self._schema,
                prefix=self._prefix,
                durability="as_is",
            ).close()
            connection.execute(self._changes)
            return name, Seen(
                defined(connection),
                set(found(connection, TABLES)),
                rows(connection, found(connection, WRITTEN_TO)),
            )

    def _emptied(self, name: str) -> bool:
        """Take out tables and rows of a test; tell whether it is then as it was made."""
        _, made = self._template()
        connection = self._kept.get(name)
        if connection is None or not answers(connection):
            connection = self._kept[name] = self._connected(name)
        connection.execute(OTHERS)
        each(connection, "DROP TABLE {}", set(found(connection, TABLES)) - made.tables)
        if defined(connection) != made.defined:
            return False
        written_to = set(found(connection, WRITTEN_TO)) - made.given.keys()
        large = written_to & set(found(connection, LARGE))
        each(connection, "TRUNCATE {}", large)
        for table in sorted(written_to - large):
            each(connection, "DELETE FROM {}", {table})
        connection.execute(SEQUENCES)
        return rows(connection, made.given) == made.given

    def _connected(self, name: str) -> psycopg.Connection:
        connection = psycopg.connect(self._server.dsn(database=name), autocommit=True)
        # Triggers of a store forbid it, and a lock that never opens would be a wait.
        connection.execute("SET session_replication_role = replica; SET lock_timeout = '20s'")
        return connection


def answers(connection: psycopg.Connection) -> bool:
    """Tell whether it is still there: a test may have ended every connection."""
    try:
        connection.execute("SELECT 1")
    except psycopg.OperationalError:
        connection.close()
        return False
    return True


def defined(connection: psycopg.Connection) -> str:
    [[digest]] = connection.execute(DEFINED)
    return str(digest)


def found(connection: psycopg.Connection, statement: LiteralString) -> list[Table]:
    return connection.execute(statement).fetchall()


def each(connection: psycopg.Connection, statement: LiteralString, tables: set[Table]) -> None:
    """Do something to all of some tables at once."""
    if tables:
        names = sql.SQL(", ").join(sql.Identifier(*one) for one in sorted(tables))
        connection.execute(sql.SQL(statement).format(names))


def rows(
    connection: psycopg.Connection, tables: Iterable[Table]
) -> dict[Table, list[tuple[object, ...]]]:
    every = sql.SQL("SELECT * FROM {} ORDER BY 1")
    return {
        table: connection.execute(every.format(sql.Identifier(*table))).fetchall()
        for table in tables
    }
