"""A person's consent to one tool call, or refusal: who decided is the actor, why the reason."""

from __future__ import annotations

from eventstore.api.operations.operation import NO_OPTIONS, Scope, Write, WriteOptions
from eventstore.api.operations.run_actions import submit_tool_outputs
from eventstore.conversation.run_values import Run
from eventstore.core.json_values import check_text

__all__ = ["approve", "deny"]

_DENIED = "A person denied this call."


def approve(
    scope: Scope,
    thread_id: str,
    run_id: str,
    call_id: str,
    *,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Let whoever executes the run make a tool call that it waits for, or make it again.

    ``actor`` says who consents, and ``reason`` why; both are recorded. When nothing else is waited
    for, the run is queued at the front.

    Args:
        thread_id: The thread.
        run_id: The run.
        call_id: Call that the run waits for.

    Raises:
        InvalidInput: the call id, the reason or another value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: the run does not wait, or not for this call.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    approval = {"call_id": call_id, "approved": True}
    return submit_tool_outputs(scope, thread_id, run_id, [approval], options=options)


def deny(
    scope: Scope,
    thread_id: str,
    run_id: str,
    call_id: str,
    *,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Refuse a tool call that a run waits for; its result is "failed", and tells the model so.

    ``actor`` says who refuses, and ``reason`` why; both are recorded, and the model is told the
    reason. When nothing else is waited for, the run is queued at the front.

    Args:
        thread_id: The thread.
        run_id: The run.
        call_id: Call that the run waits for.

    Raises:
        InvalidInput: the call id, the reason or another value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: the run does not wait, or not for this call.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    why = {} if options.reason is None else {"reason": check_text(options.reason, "reason")}
    denied = {"call_id": call_id, "output": {"error": _DENIED, **why}, "status": "failed"}
    return submit_tool_outputs(scope, thread_id, run_id, [denied], options=options)
