"""Commands that end a run, well or not."""

from __future__ import annotations

from typing import Final

from eventstore.conversation import events as e
from eventstore.conversation.commands import queue
from eventstore.conversation.commands.base import Command
from eventstore.conversation.commands.closing import check_answered
from eventstore.conversation.commands.holding import check_fence, held_run, of_run, some_run
from eventstore.conversation.commands.runs import ended, moved
from eventstore.conversation.commands.thread_command import NewId
from eventstore.conversation.events import Usage
from eventstore.conversation.run_values import Run
from eventstore.conversation.view import ThreadView
from eventstore.core.events import Decided

__all__ = ["RUN_ENDS", "CancelRun", "CompleteRun", "ExpireRun", "FailRun"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class CompleteRun(Command[Run], frozen=True):
    run_id: bytes
    fence: int | None = None
    usage: Usage | None = None
    incomplete_reason: str | None = None


def complete(view: ThreadView, command: CompleteRun, new_id: NewId) -> list[Decided]:
    """Decide that a run ended well, with every call answered, or, with a reason, incomplete."""
    run = held_run(view, command.run_id, command.fence)
    if command.incomplete_reason is not None:
        data = e.RunIncomplete(run.run_id, command.incomplete_reason, command.usage)
        return ended(view, run, new_id, moved(run, data))
    completed = moved(run, e.RunCompleted(run.run_id, command.usage))
    check_answered(view, run)
    return ended(view, run, new_id, completed)


class FailRun(Command[Run], frozen=True):
    run_id: bytes
    fence: int | None = None
    code: str = "server_error"
    message: str | None = None
    usage: Usage | None = None


def fail(view: ThreadView, command: FailRun, new_id: NewId) -> list[Decided]:
    """Decide that a run failed."""
    run = held_run(view, command.run_id, command.fence)
    data = e.RunFailed(run.run_id, command.code, command.usage)
    failed = moved(run, data, e.ErrorContent(message=command.message))
    return ended(view, run, new_id, failed, outcome="failed")


class CancelRun(Command[Run], frozen=True):
    run_id: bytes
    fence: int | None = None


def cancel(view: ThreadView, command: CancelRun, new_id: NewId) -> list[Decided]:
    """Decide a cancellation.

    A waiting run ends at once. A run in progress becomes ``cancelling``, so that its loop can
    record its last output, and ends with the second call, which is the holder's.
    """
    run = some_run(view, command.run_id)
    if run.status == "cancelling" or command.fence is not None:
        check_fence(run, command.fence)
    if run.status == "in_progress":
        return [moved(run, e.RunCancelling(run_id=run.run_id))]
    if run.status == "requires_action":
        return ended(view, run, new_id, *queue.cancelled(run))
    return ended(view, run, new_id, moved(run, e.RunCancelled(run_id=run.run_id)))


class ExpireRun(Command[Run], frozen=True):
    run_id: bytes
    fence: int | None = None


def expire(view: ThreadView, command: ExpireRun, new_id: NewId) -> list[Decided]:
    """Decide that a run took too long."""
    run = held_run(view, command.run_id, command.fence)
    return ended(view, run, new_id, moved(run, e.RunExpired(run_id=run.run_id)))


RUN_ENDS: Final = (
    of_run(CompleteRun, complete, "RunCompleted", "RunIncomplete"),
    of_run(FailRun, fail, "RunFailed"),
    of_run(CancelRun, cancel, "RunCancelled", "RunCancelling"),
    of_run(ExpireRun, expire, "RunExpired"),
)
