"""Few statements leave the same rows as one for each."""

import sqlite3
from contextlib import closing

from hypothesis import example, given
from hypothesis import strategies as st

from eventstore.storage.sqlite_rows import RowByRow, in_few
from eventstore.storage.statements import Insert

COLUMNS = ("key", "given", "often", "rare")
ADD = Insert("t", COLUMNS)
REPLACE = Insert("t", COLUMNS, conflict=("key",), replaces=COLUMNS[1:])
VALUES = st.sampled_from([None, 0, -9, b"", b"xyz", "", "né"])
"""Of each type, what is empty and what is not: rows are laid out by the types of their values."""


def rows(keys):
    given_values = st.sampled_from([0, 9, b"", b"xyz"])
    return st.lists(
        st.tuples(keys, given_values, VALUES, VALUES),
        max_size=70,
        unique_by=lambda row: row[0],
    )


def table(*batches):
    """What a table holds after each of some (statement, rows, whether in few statements)."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (key INTEGER PRIMARY KEY, given NOT NULL, often, rare)")
        for statement, written, few in batches:
            if few:
                for text, parameters in in_few(statement, written):
                    db.execute(text.format(t="t"), parameters)
            else:
                text = RowByRow().text(statement, written).format(t="t")
                db.executemany(text, RowByRow.parameters(written))
        return db.execute("SELECT * FROM t ORDER BY key").fetchall()


@given(written=rows(st.integers(0, 200)))
@example([(n, b"x", None, None) for n in range(63)])
@example([(1, b"", None, None)])
@example([])
def test_they_insert_the_same(written):
    assert table((ADD, written, True)) == table((ADD, written, False))


@given(before=rows(st.integers(0, 40)), after=rows(st.integers(0, 40)))
@example([(1, 1, b"old", "old")], [(1, 2, None, None)])
def test_they_replace_the_same_also_by_nothing(before, after):
    begun = (ADD, before, False)
    assert table(begun, (REPLACE, after, True)) == table(begun, (REPLACE, after, False))


def test_no_statement_has_more_parameters_than_old_builds_take():
    columns = tuple(f"c{n}" for n in range(20))
    wide = Insert("t", columns)
    assert max(len(p) for _, p in in_few(wide, [tuple(range(20))] * 1_000)) <= 999
