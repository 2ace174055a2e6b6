"""Changing tables behind the back of a store, and looking at all they hold."""

import sqlite3
from contextlib import closing, contextmanager

from tests.storage.tables_of_threads import OF_THREADS

TABLES = sorted(OF_THREADS - {"tombstones", "leases", "snapshots"})
"""Those that a rebuild makes anew; of a lease it knows only that there is one."""


@contextmanager
def vandal(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def contents(path):
    tables = (*TABLES, "leases", "streams", "events")
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in tables
        }
