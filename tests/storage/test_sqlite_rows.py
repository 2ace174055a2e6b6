"""Few statements leave the same rows as one for each."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eventstore.storage.sqlite_rows import RowByRow, as_insert, in_few
from eventstore.storage.statements import Delete, Insert, Update

COLUMNS = ("key", "given", "often", "rare")
ADD = Insert("t", COLUMNS)
REPLACE = Insert("t", COLUMNS, conflict=("key",), replaces=COLUMNS[1:])
MOVE = Update("t", COLUMNS[1:], ("key",), whole=True)
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
                insert = as_insert(statement)
                assert insert is not None
                for text, parameters in in_few(insert, written):
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


@given(before=rows(st.integers(0, 40)), data=st.data())
def test_they_update_whole_rows_the_same(before, data):
    keys = [row[0] for row in before] or [0]
    after = [(*row[1:], row[0]) for row in data.draw(rows(st.sampled_from(keys))) if before]
    begun = (ADD, before, False)
    assert table(begun, (MOVE, after, True)) == table(begun, (MOVE, after, False))


@pytest.mark.parametrize("statement", [Update("t", ("rare",), ("key",)), Delete("t", ("key",))])
def test_what_names_only_some_columns_is_no_insert(statement):
    assert as_insert(statement) is None


def test_no_statement_has_more_parameters_than_old_builds_take():
    columns = tuple(f"c{n}" for n in range(20))
    wide = Insert("t", columns)
    assert max(len(p) for _, p in in_few(wide, [tuple(range(20))] * 1_000)) <= 999
