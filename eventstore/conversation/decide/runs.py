"""Decides the life of a run; ``run_lifecycle`` holds the table of its moves."""

from __future__ import annotations

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.decide import queue
from eventstore.conversation.decide.common import (
    NewId,
    check_new_message_id,
    decided,
    draft_content,
    living_thread,
    placed_message,
    some_message,
    writable_thread,
)
from eventstore.conversation.decide.holding import check_fence, held_run, some_run
from eventstore.conversation.decide.showing import asked_again, kept
from eventstore.conversation.rows import RunRow
from eventstore.conversation.run_lifecycle import HELD, PAST_QUEUED, next_status
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided, EventContent, EventData
from eventstore.core.quoting import named, quoted
from eventstore.errors import InvalidInput, Refused

__all__ = [
    "cancel",
    "complete",
    "create",
    "expire",
    "fail",
    "require_action",
    "start",
    "submit_tool_outputs",
    "update",
]


def _moved(run: RunRow, data: EventData, content: EventContent | None = None) -> Decided:
    """Decide one move of a run; refuse a move that the table does not have."""
    event = decided(data, content)
    next_status(run.status, event.type, ids.show(ids.RUN, run.run_id))
    return event


def _ended(view: ThreadView, run: RunRow, last: Decided) -> list[Decided]:
    """Decide the end of a run: keep the text it shows, and add the messages that waited for it."""
    shown, head = kept(view, run, living_thread(view).head)
    joined, _ = queue.drained(view, [run.run_id], head)
    return [*shown, last, *joined]


def create(view: ThreadView, command: c.CreateRun, new_id: NewId) -> list[Decided]:
    """Decide a new run: it is queued behind the runs and messages sent before it."""
    thread = writable_thread(view)
    if command.run_id is not None and view.run(command.run_id) is not None:
        raise InvalidInput(
            "run_id", f"{ids.show(ids.RUN, command.run_id)} is in use", "Leave it out."
        )
    if command.regenerates is not None:
        _check_answer(view, command.regenerates)
    before: list[Decided] = []
    if thread.open_runs:
        before = queue.make_way(view, command.on_busy)[0] or []
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


def start(view: ThreadView, command: c.StartRun, new_id: NewId) -> list[Decided]:
    """Decide that a run begins, or goes on after its tool outputs are in.

    Only the first run of the queue may start, and only if no other run is past queued. Unanswered
    calls on its path are first closed with a "cancelled" result.
    """
    thread, run = writable_thread(view), some_run(view, command.run_id)
    if command.fence is not None:
        check_fence(run, command.fence)
    if command.take_over and run.status in HELD:
        taken = _moved(run, e.RunTakenOver(run_id=run.run_id, holder=command.holder))
        again = asked_again(view, run) if run.status == "in_progress" else []
        return [*again, taken]
    started = e.RunStarted(run_id=run.run_id, holder=command.holder)
    _moved(run, started)
    _check_turn(view, run)
    before: list[Decided] = []
    head = run.started_head if run.started else thread.head
    if run.regenerates is not None and not run.started:
        head = placed_message(view, run.regenerates)[0].parent_id
        if head != thread.head:
            before = [decided(e.BranchSelected(requested=head, head=head))]
    if not run.started:
        closed, head = _calls_closed(view, head, new_id)
        before += closed
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


def _calls_closed(
    view: ThreadView, head: bytes | None, new_id: NewId
) -> tuple[list[Decided], bytes | None]:
    events = []
    row = None if head is None else some_message(view, head)
    for call in row.open_calls if row is not None else ():
        message_id = new_id()
        data = e.MessageAdded(message_id=message_id, role="tool", parent_id=head, answers=(call,))
        result = {"type": "tool_result", "call_id": call, "status": "cancelled"}
        events.append(decided(data, e.MessageContent(parts=[result])))
        head = message_id
    return events, head


def require_action(view: ThreadView, command: c.RequireAction, _: NewId) -> list[Decided]:
    """Decide that a run waits for tool outputs: of the named calls, or of all open calls."""
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
    return [_moved(run, e.RunActionRequired(run_id=run.run_id, calls=calls))]


def submit_tool_outputs(
    view: ThreadView, command: c.SubmitToolOutputs, new_id: NewId
) -> list[Decided]:
    """Decide tool messages for the outputs; with the last one the run is queued at the front."""
    run = some_run(view, command.run_id)
    if run.status != "requires_action":
        next_status(run.status, "ToolOutputsSubmitted", ids.show(ids.RUN, run.run_id))
    given = tuple(answer for output in command.outputs for answer in output.draft.answers)
    _check_outputs(run, given)
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
        all_in=set(given) == set(run.pending_calls),
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


def complete(view: ThreadView, command: c.CompleteRun, _: NewId) -> list[Decided]:
    """Decide that a run ended well, or, with a reason, incomplete."""
    run = held_run(view, command.run_id, command.fence)
    if command.incomplete_reason is None:
        return _ended(view, run, _moved(run, e.RunCompleted(run.run_id, command.usage)))
    data = e.RunIncomplete(run.run_id, command.incomplete_reason, command.usage)
    return _ended(view, run, _moved(run, data))


def fail(view: ThreadView, command: c.FailRun, _: NewId) -> list[Decided]:
    """Decide that a run failed."""
    run = held_run(view, command.run_id, command.fence)
    data = e.RunFailed(run.run_id, command.code, command.usage)
    return _ended(view, run, _moved(run, data, e.ErrorContent(message=command.message)))


def cancel(view: ThreadView, command: c.CancelRun, _: NewId) -> list[Decided]:
    """Decide a cancellation.

    A waiting run ends at once. A run in progress becomes ``cancelling``, so that its loop can
    record its last output, and ends with the second call, which is the holder's.
    """
    run = some_run(view, command.run_id)
    if run.status == "cancelling" or command.fence is not None:
        check_fence(run, command.fence)
    if run.status == "in_progress":
        return [_moved(run, e.RunCancelling(run_id=run.run_id))]
    if run.status == "requires_action":
        *before, last = queue.cancelled(run)
        return [*before, *_ended(view, run, last)]
    return _ended(view, run, _moved(run, e.RunCancelled(run_id=run.run_id)))


def expire(view: ThreadView, command: c.ExpireRun, _: NewId) -> list[Decided]:
    """Decide that a run took too long."""
    run = held_run(view, command.run_id, command.fence)
    return _ended(view, run, _moved(run, e.RunExpired(run_id=run.run_id)))


def update(view: ThreadView, command: c.UpdateRun, _: NewId) -> list[Decided]:
    """Decide new metadata of a run, at any time of its life."""
    run = some_run(view, command.run_id)
    return [decided(e.RunUpdated(run_id=run.run_id), e.RunDetails(metadata=command.metadata))]
