"""The error for what the schema of the database refuses, on every database.

The store's own rules are checked before anything is written, so a constraint that still refuses a
write is one that somebody added to the tables, or shows a bug of this library. Either way it is the
error of the one request whose rows it refuses. Names of constraints and tables come from the schema
and hold nobody's words; the database's own message quotes the row, and is left out.
"""

from __future__ import annotations

from typing import Final

from eventstore.errors import StoreUnavailable

__all__ = ["REASON", "Violated", "refused", "refused_statement"]

REASON: Final = "constraint"


class Violated(StoreUnavailable):
    """A unique key refuses the rows: another transaction was first, or they never fit."""


def refused(constraint: str | None, table: str | None, *, unique: bool = False) -> StoreUnavailable:
    """Return what the caller gets when a constraint refuses the rows."""
    what = f"the constraint {constraint}" if constraint else "a constraint"
    where = f" of the table {table}" if table else ""
    return (Violated if unique else StoreUnavailable)(
        REASON,
        f"{what}{where} refuses what was to be written",
        "Drop it if somebody added it to the tables; otherwise report it as a bug of this library.",
    )


def refused_statement(cause: str) -> StoreUnavailable:
    """Return what the caller gets for a statement of an application's own; nothing was written."""
    problem = f"the database refused the statement: {cause}"
    return StoreUnavailable("driver", problem, "Mend the SQL of the projection or of the query.")
