"""Changing tables behind the back of a store, and looking at all they hold."""

import sqlite3
from contextlib import closing, contextmanager

from tests.storage.tables_of_threads import OF_THREADS

TABLES = sorted(OF_THREADS - {"tombstones"})


@contextmanager
def vandal(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def contents(path):
    tables = (*TABLES, "streams", "events")
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in tables
        }
