"""Rows written by their layout are the same as rows written as they are."""

import sqlite3
from contextlib import closing

from hypothesis import example, given
from hypothesis import strategies as st

from eventstore.storage.sqlite_rows import RowByRow, by_layout
from eventstore.storage.statements import Insert

COLUMNS = ("key", "given", "often", "rare")
ADD = Insert("t", COLUMNS)
REPLACE = Insert("t", COLUMNS, conflict=("key",), replaces=COLUMNS[1:])
VALUES = st.sampled_from([None, 0, -9, b"", b"xyz", "", "né"])
"""Of each type, an empty value and another: a layout follows from the types of a row's values."""


def rows(keys):
    given_values = st.sampled_from([0, 9, b"", b"xyz"])
    return st.lists(
        st.tuples(keys, given_values, VALUES, VALUES),
        max_size=20,
        unique_by=lambda row: row[0],
    )


def table(*batches):
    """Return a table after batches of a statement, its rows, and whether by layout."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE t (key INTEGER PRIMARY KEY, given NOT NULL, often, rare)")
        for statement, written, laid_out in batches:
            texts = [(RowByRow.one(statement), RowByRow.parameters(written))]
            for text, parameters in by_layout(statement, written) if laid_out else texts:
                db.executemany(text.format(t="t"), parameters)
        return db.execute("SELECT *, typeof(often), typeof(rare) FROM t ORDER BY key").fetchall()


@given(written=rows(st.integers(0, 200)))
@example([(1, b"", None, None), (2, b"x", None, b""), (3, b"x", None, None)])
@example([])
def test_they_insert_the_same(written):
    assert table((ADD, written, True)) == table((ADD, written, False))


@given(before=rows(st.integers(0, 20)), after=rows(st.integers(0, 20)))
@example([(1, 1, b"old", "old")], [(1, 2, None, None)])
def test_they_replace_the_same_also_by_nothing(before, after):
    begun = (ADD, before, False)
    assert table(begun, (REPLACE, after, True)) == table(begun, (REPLACE, after, False))


def test_rows_alike_share_a_text_and_rows_keep_their_order():
    written = [(1, 1, None, None), (2, 1, None, None), (3, 1, b"x", None), (4, 1, None, None)]
    texts = [
        (text, [row[0] if type(row[0]) is int else row[1] for row in some])  # bytes come first
        for text, some in by_layout(ADD, written)
    ]
    assert [keys for _, keys in texts] == [[1, 2], [3], [4]]
    assert texts[0][0] == texts[2][0] != texts[1][0]
