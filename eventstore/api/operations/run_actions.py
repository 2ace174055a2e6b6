"""``store.runs``: let a run wait for the outputs of tools, and hand them in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args

from eventstore.api.operations.inputs import (
    checked_draft,
    checked_fence,
    checked_sequence,
    run_key,
)
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.api.operations.runs import approves
from eventstore.conversation import commands as c
from eventstore.conversation.rows import ActionReason
from eventstore.conversation.run_values import Run
from eventstore.core.json_values import check_name
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput

__all__ = ["require_action", "submit_tool_outputs"]


_OUTPUTS: Final = "Give dicts with a call_id."


def require_action(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    calls: Sequence[str] | Mapping[str, ActionReason] | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Let a run wait for people: for the outputs of tool calls, or for leave to make them.

    Args:
        thread_id: The thread.
        run_id: The run.
        calls: Ids of the calls to wait for; all that are open if left out. A dict gives each
            its reason: ``"outputs"``, ``"outcome_unknown"`` or ``"approval"``.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it is not in progress, or has no such open call.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    named = None
    reasons: tuple[ActionReason, ...] = ()
    if isinstance(calls, Mapping):
        reasons, calls = tuple(map(_reason, calls.values())), list(calls)
    if calls is not None:
        listed = checked_sequence(calls, "calls", "Give the ids of tool calls.")
        named = tuple(check_name(call, "calls") for call in listed)
    command = c.RequireAction(
        run_id=run_key(run_id), fence=checked_fence(fence), calls=named, reasons=reasons
    )
    return to_thread(scope, thread_id, command, options)


def _reason(given: object) -> ActionReason:
    if given not in get_args(ActionReason):
        known = ", ".join(get_args(ActionReason))
        raise InvalidInput("calls", f"{quoted(given)} is not a reason", f"Use one of: {known}.")
    return given  # type: ignore[return-value]


def submit_tool_outputs(
    scope: Scope,
    thread_id: str,
    run_id: str,
    outputs: Sequence[Mapping[str, Any]],
    *,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Hand in outputs of tool calls that a run waits for.

    Each becomes a tool message of the run. When the last one is in, the run is queued at the
    front. A call that is approved becomes no message: it stays open, and whoever executes the
    run makes it, or makes it again.

    Args:
        thread_id: The thread.
        run_id: The run.
        outputs: Dicts of ``call_id``, ``output`` (any JSON value) and perhaps
            ``status="failed"``; or of ``call_id`` and ``approved=True``.

    Raises:
        InvalidInput: an output is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: the run does not wait, or not for these calls.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    listed = checked_sequence(outputs, "outputs", _OUTPUTS)
    if not listed:
        raise InvalidInput("outputs", "is empty", _OUTPUTS)
    approvals = [index for index, given in enumerate(listed) if approves(given)]
    command = c.SubmitToolOutputs(
        run_id=run_key(run_id),
        outputs=tuple(
            _output(scope, given, index)
            for index, given in enumerate(listed)
            if index not in approvals
        ),
        approved=tuple(_approved(listed[index], index) for index in approvals),
    )
    return to_thread(scope, thread_id, command, options)


def _approved(given: Mapping[str, Any], index: int) -> str:
    field = f"outputs[{index}]"
    if set(given) != {"call_id", "approved"} or given["approved"] is not True:
        remedy = "Give call_id and approved=True, or a failed output to decline."
        raise InvalidInput(field, "is not an approval", remedy)
    return check_name(given["call_id"], f"{field}.call_id")


def _output(scope: Scope, given: object, index: int) -> c.ToolOutput:
    field = f"outputs[{index}]"
    if not isinstance(given, Mapping) or not set(given) <= {"call_id", "output", "status"}:
        raise InvalidInput(field, "is not an output", "Give call_id, output and maybe status.")
    if "output" not in given:
        remedy = "Give the tool's answer, any JSON value; None if it has none."
        raise InvalidInput(f"{field}.output", "is missing", remedy)
    part = {"type": "tool_result", **given}
    try:
        return c.ToolOutput(draft=checked_draft("tool", [part], scope.log.limits))
    except InvalidInput as error:
        where = error.field.replace("content[0]", field).replace("content", field)
        raise InvalidInput(where, error.problem, error.remedy) from None
