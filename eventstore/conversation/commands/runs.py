"""Decides the life of a run; ``run_lifecycle`` holds the table of its moves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.conversation import events as e
from eventstore.conversation.commands import queue
from eventstore.conversation.commands.base import Command, OnBusy
from eventstore.conversation.commands.checks import (
    decided,
    living_thread,
    placed_message,
    writable_thread,
)
from eventstore.conversation.commands.closing import Outcome, closed, end_at
from eventstore.conversation.commands.holding import check_fence, of_run, some_run
from eventstore.conversation.commands.showing import asked_again
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.present_runs import its_run
from eventstore.conversation.rows import RunRow
from eventstore.conversation.run_lifecycle import HELD, PAST_QUEUED, next_status
from eventstore.conversation.run_values import Run
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided, EventContent, EventData
from eventstore.errors import InvalidInput, Refused

__all__ = ["RUNS", "CreateRun", "StartRun", "UpdateRun"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


def moved(run: RunRow, data: EventData, content: EventContent | None = None) -> Decided:
    """Decide one move of a run; refuse a move that the table does not have."""
    event = decided(data, content)
    next_status(run.status, event.type, ids.show(ids.RUN, run.run_id))
    return event


def ended(
    view: ThreadView, run: RunRow, new_id: NewId, *last: Decided, outcome: Outcome = "cancelled"
) -> list[Decided]:
    """Decide the end of a run: finish what it left, and add the messages that waited for it."""
    head = end_at(view, living_thread(view).head)
    left, head = queue.left_by(view, run, head, new_id, outcome)
    joined, _ = queue.drained(view, [run.run_id], head, new_id)
    return [*left, *last, *joined]


class CreateRun(Command[Run], frozen=True):
    run_id: bytes | None = None
    assistant_id: bytes | None = None
    assistant_version: int | None = None
    model: str | None = None
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    settings: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    regenerates: bytes | None = None
    on_busy: OnBusy = "enqueue"
    queue: str | None = None


def create(view: ThreadView, command: CreateRun, new_id: NewId) -> list[Decided]:
    """Decide a new run: it is queued behind the runs and messages sent before it."""
    thread = writable_thread(view)
    if command.run_id is not None and view.run(command.run_id) is not None:
        raise InvalidInput(
            "run_id", f"{ids.show(ids.RUN, command.run_id)} is in use", "Leave it out."
        )
    if command.regenerates is not None:
        _check_answer(view, command.regenerates)
    before: list[Decided] = []
    if thread.open_runs and command.on_busy != "enqueue":
        before, _ = queue.make_way(view, command.on_busy, new_id)
    data = e.RunQueued(
        run_id=command.run_id or new_id(),
        assistant_id=command.assistant_id,
        assistant_version=command.assistant_version,
        model=command.model,
        regenerates=command.regenerates,
        queue=command.queue,
    )
    content = e.RunContent(
        instructions=command.instructions,
        tools=command.tools,
        settings=command.settings,
        metadata=command.metadata,
    )
    return [*before, decided(data, content)]


def _check_answer(view: ThreadView, message_id: bytes) -> None:
    row, _ = placed_message(view, message_id)
    if row.role != "assistant":
        raise Refused(
            "not_an_answer",
            f"{ids.show(ids.MESSAGE, message_id)} is a {row.role} message",
            "Regenerate an assistant's message.",
        )


class StartRun(Command[Run], frozen=True):
    run_id: bytes
    holder: str | None = None
    take_over: bool = False
    fence: int | None = None
    lease_us: int = 0


def start(view: ThreadView, command: StartRun, new_id: NewId) -> list[Decided]:
    """Decide that a run begins, or goes on after its tool outputs are in.

    Only the first run of the queue may start, and only if no other run is past queued. Unanswered
    calls on its path are first closed with a "cancelled" result.
    """
    thread, run = writable_thread(view), some_run(view, command.run_id)
    if command.fence is not None:
        check_fence(run, command.fence)
    if command.take_over and run.status in HELD:
        taken = moved(run, e.RunTakenOver(run_id=run.run_id, holder=command.holder))
        again = asked_again(view, run) if run.status == "in_progress" else []
        return [*again, taken]
    started = e.RunStarted(run_id=run.run_id, holder=command.holder)
    moved(run, started)
    _check_turn(view, run)
    before: list[Decided] = []
    head = run.started_head if run.started else thread.head
    if run.regenerates is not None and not run.started:
        head = placed_message(view, run.regenerates)[0].parent_id
        if head != thread.head:
            before = [decided(e.BranchSelected(requested=head, head=head))]
    if not run.started:
        closing, end = closed(end_at(view, head), new_id)
        before, head = [*before, *closing], end.message_id
    return [*before, decided(e.RunStarted(run_id=run.run_id, head=head, holder=command.holder))]


def _check_turn(view: ThreadView, run: RunRow) -> None:
    """Check that runs start in the order they were created, one at a time."""
    first = view.open_runs()[0]
    if first.run_id == run.run_id:
        return
    situation = "is under way" if first.status in PAST_QUEUED else "was sent before"
    raise Refused(
        "not_its_turn",
        f"{ids.show(ids.RUN, first.run_id)} {situation}",
        "Runs of a thread start in the order they were created: end or cancel that one first.",
    )


class UpdateRun(Command[Run], frozen=True):
    run_id: bytes
    metadata: dict[str, Any] | UnsetType | None = UNSET


def update(view: ThreadView, command: UpdateRun, _: NewId) -> list[Decided]:
    """Decide new metadata of a run, at any time of its life."""
    run = some_run(view, command.run_id)
    return [decided(e.RunUpdated(run_id=run.run_id), e.RunDetails(metadata=command.metadata))]


def _assistant(command: CreateRun) -> Iterable[tuple[str, bytes]]:
    return () if command.assistant_id is None else ((ids.ASSISTANT, command.assistant_id),)


RUNS: Final = (
    ThreadCommand(
        CreateRun,
        create,
        its_run,
        leads_to=("RunQueued",),
        mints=("run_id", ids.RUN),
        watched=_assistant,
    ),
    of_run(StartRun, start, "RunStarted", "RunTakenOver"),
    of_run(UpdateRun, update, "RunUpdated"),
)
