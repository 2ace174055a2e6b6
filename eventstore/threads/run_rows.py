"""The tables ``runs`` and ``steps``: the state of each run, for deciding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, get_args

from msgspec.structs import astuple, replace

from eventstore.conversation.rows import RunRow, RunStatus, StepRow, StepStatus
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.threads.row_table import RowTable, join_calls, split_calls

__all__ = ["OPEN_RUNS", "RUNS", "RUN_STATUSES", "RUN_TABLES", "STEPS", "run_codes"]

RUN_STATUSES: Final[tuple[RunStatus, ...]] = get_args(RunStatus)
_STEP_STATUSES: Final[tuple[StepStatus, ...]] = get_args(StepStatus)

_OPEN_CODES: Final = [
    str(code) for code, status in enumerate(RUN_STATUSES) if status not in TERMINAL
]
OPEN_RUNS: Final = f"status IN ({', '.join(_OPEN_CODES)}) ORDER BY version"
"""SQL that selects the runs that have not ended, in the order they were created."""


def run_codes(statuses: Iterable[RunStatus]) -> list[int]:
    """Return the numbers of statuses as the table holds them."""
    return sorted({RUN_STATUSES.index(status) for status in statuses})


def _encode_run(row: RunRow) -> tuple[Any, ...]:
    """Return the values of its fields, which stand in the order of the columns."""
    status, calls = RUN_STATUSES.index(row.status), join_calls(row.pending_calls)
    flags = {"started": int(row.started), "taken_over": int(row.taken_over)}
    return astuple(replace(row, status=status, pending_calls=calls, **flags))


def _decode_run(columns: Sequence[Any]) -> RunRow:
    row: Any = RunRow(*columns[1:])
    status, calls = RUN_STATUSES[row.status], split_calls(row.pending_calls)
    flags = {"started": bool(row.started), "taken_over": bool(row.taken_over)}
    return replace(row, status=status, pending_calls=calls, **flags)  # type: ignore[no-any-return]


RUNS: Final = RowTable[RunRow](
    RunRow,
    "runs",
    key=("run",),
    values=(
        "version",
        "status",
        "changed",
        "assistant",
        "regenerates",
        "started",
        "started_head",
        "last_message",
        "pending_calls",
        "steps",
        "writing",
        "created_position",
        "updated_at",
        "queue",
        "holder",
        "fence",
        "taken_over",
        "subject",
    ),
    encode=_encode_run,
    decode=_decode_run,
)

STEPS: Final = RowTable[StepRow](
    StepRow,
    "steps",
    key=("step",),
    values=("run", "version", "status"),
    encode=lambda row: (row.step_id, row.run_id, row.version, _STEP_STATUSES.index(row.status)),
    decode=lambda columns: StepRow(columns[1], columns[2], columns[3], _STEP_STATUSES[columns[4]]),
)

RUN_TABLES: Final = (RUNS, STEPS)
