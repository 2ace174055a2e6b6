"""Commands that let a run wait for the outputs of tools, and take them."""

from __future__ import annotations

from typing import Final

import msgspec

from eventstore.conversation import events as e
from eventstore.conversation.commands.base import Command, Draft
from eventstore.conversation.commands.checks import (
    check_new_message_id,
    decided,
    draft_content,
    living_thread,
    placed_message,
    some_message,
)
from eventstore.conversation.commands.holding import held_run, of_run, some_run
from eventstore.conversation.commands.runs import moved
from eventstore.conversation.commands.thread_command import NewId
from eventstore.conversation.rows import ActionReason, RunRow
from eventstore.conversation.run_lifecycle import next_status
from eventstore.conversation.run_values import Run
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.core.quoting import named, quoted
from eventstore.errors import Refused

__all__ = ["RUN_ACTIONS", "RequireAction", "SubmitToolOutputs", "ToolOutput"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


class RequireAction(Command[Run], frozen=True):
    run_id: bytes
    fence: int | None = None
    calls: tuple[str, ...] | None = None
    reasons: tuple[ActionReason, ...] = ()
    """One for each call, or none at all."""


def require_action(view: ThreadView, command: RequireAction, _: NewId) -> list[Decided]:
    """Decide that a run waits for people: for the named calls, or for all open calls."""
    run = held_run(view, command.run_id, command.fence)
    row = None if run.last_message is None else some_message(view, run.last_message)
    open_calls = () if row is None else row.open_calls
    calls = open_calls if command.calls is None else command.calls
    calls = tuple(dict.fromkeys(calls))
    missing = [call for call in calls if call not in open_calls]
    if missing or not calls:
        raise Refused(
            "no_open_call",
            f"calls names {quoted(missing[0])}, which is not an open tool call of this run"
            if missing
            else "the run has no open tool call",
            "First record the assistant message with its tool_call parts, giving run_id=.",
        )
    reasons = command.reasons if set(command.reasons) - {"outputs"} else ()
    return [moved(run, e.RunActionRequired(run_id=run.run_id, calls=calls, reasons=reasons))]


class ToolOutput(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One tool's answer, as a draft of the tool message that will hold it."""

    draft: Draft
    message_id: bytes | None = None


class SubmitToolOutputs(Command[Run], frozen=True):
    run_id: bytes
    outputs: tuple[ToolOutput, ...]
    approved: tuple[str, ...] = ()


def submit_tool_outputs(
    view: ThreadView, command: SubmitToolOutputs, new_id: NewId
) -> list[Decided]:
    """Decide tool messages for the outputs; with the last one the run is queued at the front.

    A call that is approved has no result yet: it stays open, for whoever executes the run.
    """
    run = some_run(view, command.run_id)
    if run.status != "requires_action":
        next_status(run.status, "ToolOutputsSubmitted", ids.show(ids.RUN, run.run_id))
    given = tuple(answer for output in command.outputs for answer in output.draft.answers)
    _check_outputs(run, (*given, *command.approved))
    if run.last_message is not None:
        placed_message(view, run.last_message)
    events, message_ids, parent_id = [], [], run.last_message
    select = living_thread(view).head == run.last_message
    for output in command.outputs:
        check_new_message_id(view, output.message_id)
        message_id = output.message_id or new_id()
        data = e.MessageAdded(
            message_id=message_id,
            role="tool",
            parent_id=parent_id,
            select=select,
            run_id=run.run_id,
            answers=output.draft.answers,
        )
        events.append(decided(data, draft_content(output.draft)))
        message_ids.append(message_id)
        parent_id = message_id
    submitted = e.ToolOutputsSubmitted(
        run_id=run.run_id,
        message_ids=tuple(message_ids),
        calls=given,
        all_in={*given, *command.approved} == set(run.pending_calls),
        approved=command.approved,
    )
    return [*events, decided(submitted)]


def _check_outputs(run: RunRow, given: tuple[str, ...]) -> None:
    wrong = [call for call in given if call not in run.pending_calls]
    if not given or wrong or len(set(given)) < len(given):
        expected = ", ".join(map(named, run.pending_calls))
        raise Refused(
            "unexpected_tool_outputs",
            f"expected outputs for {expected}, got {', '.join(map(quoted, given)) or 'none'}",
            "Give one output for each call that the run waits for.",
        )


RUN_ACTIONS: Final = (
    of_run(RequireAction, require_action, "RunActionRequired"),
    of_run(SubmitToolOutputs, submit_tool_outputs, "ToolOutputsSubmitted"),
)
