"""A store full of conversations, and a hand that changes its tables behind its back.

The hand keeps a copy of each table, so that a store is made once and mutated many times.
"""

import random
import re
import sqlite3

from eventstore.testing.history import History
from eventstore.testing.history_actions import Step
from tests.storage.lives import full_life
from tests.storage.tables_of_threads import OF_THREADS

ACTIONS = (
    *("say", "answer", "edit", "regenerate", "amend", "select", "remove", "restore", "begin"),
    *("fork", "retitle", "begin_run", "call_tool", "end_run", "erase"),
)
OFTEN = ("say", "answer", "say", "answer")
CHANGES = re.compile(r"(?:UPDATE|INSERT INTO|DELETE FROM) (\w+)")
KEPT = (*sorted(OF_THREADS), "events", "blobs", "streams", "assistants", "idempotency_keys")
KEPT = (*KEPT, "tree_leaves", "tree_nodes", "tree_heads")


def fill(store, threads, seed=7):
    """Let a life with every event and some histories happen, until there are enough threads."""
    full_life(store)
    chosen = random.Random(seed)
    while len(store.threads.list(limit=1_000, include_deleted=True)) < threads:
        steps = [
            Step(
                chosen.choice(ACTIONS + OFTEN),
                chosen.randrange(3),
                chosen.randrange(12),
                f"words {n} " + "é" * chosen.randrange(20),
            )
            for n in range(24)
        ]
        History(tuple(steps)).play(store)


class Hand:
    """Runs SQL with ``?`` marks on a connection of its own, without triggers."""

    def __init__(self, execute, mark="?"):
        self._execute = execute
        self._mark = mark
        self._touched = set()
        self.columns = {table: self._columns(table) for table in KEPT}
        for table in KEPT:
            self.run(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")

    def run(self, sql, *parameters):
        if (changed := CHANGES.match(sql)) is not None:
            self._touched.add(changed[1])
        return self._execute(sql.replace("?", self._mark), parameters)

    def all(self, sql, *parameters):
        return [tuple(row) for row in self.run(sql, *parameters).fetchall()]

    def rows(self, table, where="1 = 1", *parameters):
        """Return rows as dictionaries, in an order that does not depend on the database."""
        names = self.columns[table]
        found = self.all(f"SELECT {', '.join(names)} FROM {table} WHERE {where}", *parameters)
        return sorted((dict(zip(names, row, strict=True)) for row in found), key=repr)

    def update(self, table, row, **changes):
        """Change a row, which is found by all of its former values."""
        given = ", ".join(f"{name} = ?" for name in changes)
        where, values = self._where(row)
        done = self.run(f"UPDATE {table} SET {given} WHERE {where}", *changes.values(), *values)
        assert done.rowcount == 1, (table, row)

    def delete(self, table, row):
        where, values = self._where(row)
        assert self.run(f"DELETE FROM {table} WHERE {where}", *values).rowcount == 1

    def insert(self, table, row):
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        self.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", *row.values())

    def undo(self):
        """Put back every table that was changed."""
        for table in [*self._touched & self.columns.keys()]:
            names = ", ".join(self.columns[table])
            self.run(f"DELETE FROM {table}")
            self.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM kept_{table}")
        self._touched.clear()

    def _columns(self, table):
        cursor = self.run(f"SELECT * FROM {table} LIMIT 0")
        return tuple(column[0] for column in cursor.description)

    def _where(self, row):
        named = [name for name in row if row[name] is not None]
        return " AND ".join(f"{name} = ?" for name in named), [row[name] for name in named]


def hand_on_file(path):
    """Open a hand on an SQLite file; it commits at once."""
    connection = sqlite3.connect(path, isolation_level=None)
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    for (name,) in triggers.fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    connection.execute("PRAGMA synchronous = OFF")
    return Hand(connection.execute), connection.close


def hand_on_postgres(connection):
    """Open a hand on an autocommit connection of a superuser."""
    connection.execute("SET session_replication_role = replica")
    return Hand(connection.execute, "%s")
