"""Decides who may write for a run: its holder, which names its fence.

A run's fence is the version of the event that made a worker its holder. A holder that lost the run
names an older one, or none, and is refused. So it writes nothing, whatever the clocks say: leases
only decide who tries to take over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from eventstore.conversation.commands.base import Command
from eventstore.conversation.commands.checks import living_thread, thread_text
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.present_runs import its_run
from eventstore.conversation.rows import RunRow
from eventstore.conversation.run_lifecycle import HELD, TERMINAL, next_status
from eventstore.conversation.run_values import Run
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.errors import LeaseLost, Refused, RunNotFound

__all__ = ["HOLDING", "HoldRun"]

C = TypeVar("C", bound=Command)


def some_run(view: ThreadView, run_id: bytes) -> RunRow:
    """Return a run's row.

    Raises:
        ThreadNotFound, Refused: ``"thread_deleted"``.
        RunNotFound: the thread has none of this id.
    """
    living_thread(view)
    run = view.run(run_id)
    if run is None:
        raise RunNotFound(ids.show(ids.RUN, run_id), thread_text(view))
    return run


def held_run(view: ThreadView, run_id: bytes, fence: int | None) -> RunRow:
    """Return the row of a run for a write of its holder.

    Raises:
        ThreadNotFound, RunNotFound, Refused: as :func:`some_run`.
        LeaseLost: the writer does not hold it any more.
    """
    run = some_run(view, run_id)
    check_fence(run, fence)
    return run


def check_fence(run: RunRow, fence: int | None) -> None:
    """Check that a write comes from a run's holder; without a fence, that no holder ever lost it.

    Raises:
        LeaseLost: another worker holds the run, or held it last.
    """
    if fence != run.fence if fence is not None else run.taken_over:
        raise LeaseLost(
            ids.show(ids.RUN, run.run_id),
            run.holder,
            "Stop this loop. Whoever holds the run gives its fence, which start() returned.",
        )


def writing_run(view: ThreadView, run_id: bytes, fence: int | None) -> RunRow:
    """Return a run that may still write messages, for a write of its holder.

    Raises:
        RunNotFound, Refused: ``"run_not_in_progress"``; the run has ended.
        LeaseLost: the writer does not hold it any more.
    """
    run = view.run(run_id)
    if run is None:
        raise RunNotFound(ids.show(ids.RUN, run_id), thread_text(view))
    check_fence(run, fence)
    if run.status not in HELD:
        raise Refused(
            "run_not_in_progress",
            f"{ids.show(ids.RUN, run_id)} is {run.status} and takes no messages",
            "Start the run first; if it was cancelled, stop this loop.",
        )
    return run


class HoldRun(Command[Run], frozen=True):
    """Changes nothing in the log: moves the end of the lease."""

    run_id: bytes
    fence: int
    lease_us: int


def hold(view: ThreadView, command: HoldRun, _: NewId) -> list[Decided]:
    """Decide that the holder keeps its lease: no event, since nothing happened to the run."""
    run = held_run(view, command.run_id, command.fence)
    if run.status in TERMINAL:
        next_status(run.status, "", ids.show(ids.RUN, run.run_id))
    if run.status not in HELD:
        raise Refused(
            "run_not_in_progress",
            f"{ids.show(ids.RUN, run.run_id)} is {run.status} and held by nobody",
            "Start the run again before you go on with it.",
        )
    return []


def of_run(
    command: type[C], decide: Callable[[ThreadView, C, NewId], list[Decided]], *leads_to: str
) -> ThreadCommand[C, Run]:
    """Declare a command about one run, which is its result."""
    return ThreadCommand(command, decide, its_run, leads_to, about=("run_id", "run_id"))


HOLDING: Final = (ThreadCommand(HoldRun, hold, its_run),)
