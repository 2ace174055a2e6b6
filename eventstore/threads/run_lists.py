"""Find the runs of a thread, or of all threads of a tenant, by what they are doing.

Nearly all runs have ended, and the interesting ones have not. So the index by status leads: each
status asked for is a range of it in the order in which the runs were created, and a page reads the
first few of each. Runs that ended are looked at only when their status is asked for.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from msgspec import UNSET, UnsetType

from eventstore.conversation.rows import RunRow, RunStatus
from eventstore.storage.transaction import Transaction
from eventstore.threads.run_rows import RUNS, run_codes

__all__ = ["FoundRun", "RunsAsked", "find_runs"]


class RunsAsked(NamedTuple):
    """The filters and the place of a page of runs."""

    statuses: tuple[RunStatus, ...]
    start: int
    """The place behind which the page begins: a version in a thread, else a position."""
    most: int
    holder: str | None = None
    queue: str | UnsetType | None = UNSET
    lease_ended: bool | None = None
    updated_before_us: int | None = None


class FoundRun(NamedTuple):
    """A run, and the thread that it belongs to."""

    thread_id: bytes
    row: RunRow

    def place(self, *, in_thread: bool) -> int:
        """Return its place in the order of a listing."""
        return self.row.version if in_thread else self.row.created_position


_COLUMNS: Final = ", ".join(f"r.{name}" for name in RUNS.columns)
_LEASE: Final = (
    "COALESCE((SELECT l.ends_at FROM {leases} l"
    " WHERE l.tenant = r.tenant AND l.thread = r.thread AND l.run = r.run), 0)"
)
_LIVING: Final = (
    "NOT EXISTS (SELECT 1 FROM {threads} t"
    " WHERE t.tenant = r.tenant AND t.thread = r.thread AND t.deleted <> 0)"
)


def find_runs(
    tx: Transaction, tenant: int, thread_id: bytes | None, asked: RunsAsked
) -> list[FoundRun]:
    """Return a page of runs, in the order in which they were created."""
    where, parameters = _filters(tx, asked)
    codes = run_codes(asked.statuses)
    if not codes:
        return []
    if thread_id is not None:
        among = ", ".join(map(str, codes))
        sql = (
            f"SELECT {_COLUMNS} FROM {{runs}} r WHERE r.tenant = ? AND r.thread = ?"
            f" AND r.version > ? AND r.status IN ({among}){where} ORDER BY r.version LIMIT ?"
        )
        given: list[Any] = [tenant, thread_id, asked.start, *parameters, asked.most]
    else:
        one = (
            f"SELECT {_COLUMNS} FROM {{runs}} r WHERE r.tenant = ? AND r.status = ?"
            f" AND r.created_position > ? AND {_LIVING}{where}"
            " ORDER BY r.created_position LIMIT ?"
        )
        each = " UNION ALL ".join(f"SELECT * FROM ({one}) AS s{code}" for code in codes)
        sql = f"SELECT * FROM ({each}) AS found ORDER BY created_position LIMIT ?"
        given = [
            value
            for code in codes
            for value in (tenant, code, asked.start, *parameters, asked.most)
        ]
        given.append(asked.most)
    return [FoundRun(bytes(row[0]), RUNS.decode(row)) for row in tx.all(sql, given)]


def _filters(tx: Transaction, asked: RunsAsked) -> tuple[str, list[Any]]:
    """Return the SQL behind a place in the order, and its parameters."""
    where, parameters = "", list[Any]()
    if asked.holder is not None:
        where += " AND r.holder = ?"
        parameters.append(asked.holder)
    if asked.queue is None:
        where += " AND r.queue IS NULL"
    elif not isinstance(asked.queue, UnsetType):
        where += " AND r.queue = ?"
        parameters.append(asked.queue)
    if asked.updated_before_us is not None:
        where += " AND r.updated_at < ?"
        parameters.append(asked.updated_before_us)
    if asked.lease_ended is not None:
        where += f" AND {_LEASE} {'<=' if asked.lease_ended else '>'} {tx.ordering.clock}"
    return where, parameters
