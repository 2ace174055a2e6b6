"""Decides the steps of a run: one model call or one round of tools each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from eventstore.conversation import events as e
from eventstore.conversation.commands.base import Command
from eventstore.conversation.commands.checks import decided, existing_thread, thread_text
from eventstore.conversation.commands.holding import writing_run
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.events import Usage
from eventstore.conversation.present_runs import its_step
from eventstore.conversation.rows import StepRow
from eventstore.conversation.run_values import RunStep
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided, Trace
from eventstore.errors import InvalidInput, Refused

__all__ = ["STEPS", "CompleteStep", "FailStep", "StartStep"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class StartStep(Command[RunStep], frozen=True):
    run_id: bytes
    type: str
    fence: int | None = None
    step_id: bytes | None = None
    details: dict[str, Any] | None = None
    head: bytes | None = None
    seen_version: int | None = None
    ranges: tuple[tuple[int, int, int, int], ...] = ()
    left_out: tuple[bytes, ...] = ()
    erased: tuple[bytes, ...] = ()
    sources: tuple[tuple[bytes, int], ...] = ()
    """Other threads that hold messages it saw, and the version at which each was read."""
    salt: bytes | None = None
    digest: bytes | None = None


def start(view: ThreadView, command: StartStep, new_id: NewId) -> list[Decided]:
    """Decide that a step begins, with the messages that it saw."""
    run = writing_run(view, command.run_id, command.fence)
    _check_not_erased_since(view, command)
    if command.step_id is not None and view.row(StepRow, command.step_id) is not None:
        raise InvalidInput(
            "step_id", f"{ids.show(ids.STEP, command.step_id)} is in use", "Leave it out."
        )
    data = e.RunStepStarted(
        run_id=run.run_id,
        step_id=command.step_id or new_id(),
        type=command.type,
        head=command.head,
        seen_version=command.seen_version,
        ranges=command.ranges,
        left_out=command.left_out,
        erased=command.erased,
    )
    content = e.StepBegun(details=command.details, salt=command.salt, digest=command.digest)
    return [decided(data, content)]


def _check_not_erased_since(view: ThreadView, command: StartStep) -> None:
    """Refuse a context read before an erasure: its digest would outlive the words."""
    existing = existing_thread(view)
    seen = command.seen_version
    if seen is not None and seen < existing.version:
        check_nothing_erased(thread_text(view), view.traces(after=seen))


def check_nothing_erased(thread: str, traces: Iterable[Trace]) -> None:
    """Refuse a context if content of a thread was erased since it was read."""
    for trace in traces:
        if trace.data.erases:
            raise Refused(
                "context_erased",
                f"something was erased from {thread} after this context was read",
                "Read it again with runs.context().",
            )


class CompleteStep(Command[RunStep], frozen=True):
    step_id: bytes
    fence: int | None = None
    details: dict[str, Any] | None = None
    usage: Usage | None = None


def complete(view: ThreadView, command: CompleteStep, _: NewId) -> list[Decided]:
    """Decide that a step ended well."""
    step = _open_step(view, command.step_id, command.fence)
    data = e.RunStepCompleted(run_id=step.run_id, step_id=step.step_id, usage=command.usage)
    return [decided(data, e.StepContent(details=command.details))]


class FailStep(Command[RunStep], frozen=True):
    step_id: bytes
    fence: int | None = None
    code: str = "server_error"
    message: str | None = None


def fail(view: ThreadView, command: FailStep, _: NewId) -> list[Decided]:
    """Decide that a step failed."""
    step = _open_step(view, command.step_id, command.fence)
    data = e.RunStepFailed(run_id=step.run_id, step_id=step.step_id, code=command.code)
    return [decided(data, e.ErrorContent(message=command.message))]


def _open_step(view: ThreadView, step_id: bytes, fence: int | None) -> StepRow:
    step = view.row(StepRow, step_id)
    if step is None:
        raise Refused(
            "unknown_step",
            f"{thread_text(view)} has no step {ids.show(ids.STEP, step_id)}",
            "Start it first with runs.steps.start().",
        )
    writing_run(view, step.run_id, fence)
    if step.status != "in_progress":
        raise Refused(
            "step_ended",
            f"{ids.show(ids.STEP, step_id)} is {step.status} and never changes again",
            "Start a new step.",
        )
    return step


STEPS: Final = (
    ThreadCommand(
        StartStep,
        start,
        its_step,
        leads_to=("RunStepStarted",),
        about=("run_id", "run_id"),
        mints=("step_id", ids.STEP),
    ),
    ThreadCommand(
        CompleteStep,
        complete,
        its_step,
        leads_to=("RunStepCompleted",),
        about=("step_id", "step_id"),
    ),
    ThreadCommand(
        FailStep, fail, its_step, leads_to=("RunStepFailed",), about=("step_id", "step_id")
    ),
)
