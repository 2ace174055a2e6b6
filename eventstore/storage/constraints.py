"""Errors for rows that a constraint of the schema refuses, on every database.

The store checks its own rules before it writes. So a constraint that still refuses a write was
added to the tables by others, or shows a bug of this library. Either way the error goes to the one
request whose rows are refused. Names of constraints and tables come from the schema and hold no
user's words; the database's own message quotes the row, and is left out.
"""

from __future__ import annotations

from typing import Final

from eventstore.errors import StoreUnavailable

__all__ = ["REASON", "Violated", "refused", "refused_statement"]

REASON: Final = "constraint"


class Violated(StoreUnavailable):
    """A unique key refuses the rows: another transaction was first, or they never fit."""


def refused(constraint: str | None, table: str | None, *, unique: bool = False) -> StoreUnavailable:
    """Return the error for rows that a constraint refuses."""
    what = f"the constraint {constraint}" if constraint else "a constraint"
    where = f" of the table {table}" if table else ""
    return (Violated if unique else StoreUnavailable)(
        REASON,
        f"{what}{where} refuses what was to be written",
        "Drop it if somebody added it to the tables; otherwise report it as a bug of this library.",
    )


def refused_statement(cause: str) -> StoreUnavailable:
    """Return the error for a failed statement of the application's; nothing was written."""
    problem = f"the database refused the statement: {cause}"
    return StoreUnavailable("driver", problem, "Correct the SQL of the projection or query.")
