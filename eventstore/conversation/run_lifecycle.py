"""The life of a run, as a table that the code reads.

::

    (new) ─▶ queued ──▶ in_progress ──▶ completed │ incomplete │ failed │ expired
             │  ▲        │  ▲ taken over
             │  │        ├──▶ requires_action ──▶ cancelling │ failed │ expired
             │  └────────│────────┘ all outputs in
             ▼           ▼
     cancelled │     cancelling ──▶ cancelled, or the end that came first
     failed │ expired    ▲ taken over

A terminal run never changes. A thread is busy while one of its runs is not terminal, and at most
one of them is past ``queued``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventstore.conversation.rows import RunStatus
from eventstore.errors import Refused

__all__ = ["HELD", "MOVES", "MOVING", "PAST_QUEUED", "TERMINAL", "next_status"]

TERMINAL: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})
PAST_QUEUED: Final = frozenset({"in_progress", "requires_action", "cancelling"})
HELD: Final = frozenset({"in_progress", "cancelling"})
"""A worker executes the run, and holds a lease on it."""

_ENDS: Final[Mapping[str, RunStatus]] = {
    "RunCompleted": "completed",
    "RunIncomplete": "incomplete",
    "RunFailed": "failed",
    "RunExpired": "expired",
}

MOVES: Final[Mapping[RunStatus, Mapping[str, RunStatus]]] = {
    "queued": {
        "RunStarted": "in_progress",
        "RunCancelled": "cancelled",
        "RunExpired": "expired",
        "RunFailed": "failed",
    },
    "in_progress": {
        **_ENDS,
        "RunTakenOver": "in_progress",
        "RunActionRequired": "requires_action",
        "RunCancelling": "cancelling",
    },
    "requires_action": {
        "ToolOutputsSubmitted": "queued",
        "RunCancelling": "cancelling",
        "RunExpired": "expired",
        "RunFailed": "failed",
    },
    "cancelling": {**_ENDS, "RunTakenOver": "cancelling", "RunCancelled": "cancelled"},
}
"""The next status, by status and event. No other move can happen."""

MOVING: Final = frozenset(event for moves in MOVES.values() for event in moves)
"""The events that move a run."""


_DONE_BY: Final[Mapping[str, str]] = {
    "RunStarted": "runs.start",
    "RunTakenOver": "runs.start(take_over=True)",
    "RunActionRequired": "runs.require_action",
    "ToolOutputsSubmitted": "runs.submit_tool_outputs",
    "RunCancelling": "runs.cancel",
    "RunCancelled": "runs.cancel",
    "RunCompleted": "runs.complete",
    "RunIncomplete": "runs.complete(incomplete_reason=…)",
    "RunFailed": "runs.fail",
    "RunExpired": "runs.expire",
}
"""The method that leads to each event, for error messages."""


def next_status(status: RunStatus, event: str, run_id: str) -> RunStatus:
    """Return the status after ``event``.

    Raises:
        Refused: ``"run_ended"`` or ``"illegal_transition"``.
    """
    if status in TERMINAL:
        raise Refused(
            "run_ended", f"{run_id} is {status} and never changes again", "Create a new run."
        )
    moves = MOVES[status]
    if event not in moves:
        raise Refused(
            "illegal_transition",
            f"{run_id} is {status}, so {_DONE_BY[event]} is not allowed",
            f"Allowed now: {', '.join(sorted({_DONE_BY[move] for move in moves}))}.",
        )
    return moves[event]
