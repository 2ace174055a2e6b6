"""``store.runs.steps``: one model call or one round of tools each, with its context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventstore.api.operations.inputs import (
    checked_fence,
    checked_metadata,
    checked_usage,
    message_key,
    optional_id,
    optional_text,
    run_key,
)
from eventstore.api.operations.loaders import live_thread, thread_key
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Read,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.conversation import commands as c
from eventstore.conversation.present_runs import step_value
from eventstore.conversation.run_values import RunContext, RunStep, TokenUsage
from eventstore.core import ids
from eventstore.core.json_values import NAME_MAX, check_text
from eventstore.errors import InvalidInput, RunNotFound
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction
from eventstore.threads.run_rows import STEPS


def _is_of(context: object, thread_id: str, run_id: str) -> bool:
    """Return whether ``runs.context`` returned this context for this run."""
    if not isinstance(context, RunContext):
        return False
    return (context.thread_id, context.run_id) == (thread_id, run_id)


def start(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    type: str = "message_creation",
    context: RunContext | None = None,
    details: Mapping[str, Any] | None = None,
    step_id: str | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[RunStep]:
    """Record that a step of a run begins.

    Args:
        thread_id: The thread.
        run_id: The run.
        type: Kind of step, up to 255 characters.
        context: Context that the step saw, from ``runs.context``; it can then be rebuilt
            exactly.
        details: JSON object of your own; erasable.
        step_id: Id of your own: ``step_`` and 32 lowercase hex digits.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        InvalidInput: a value is malformed, or the id is in use.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: the run is not in progress; ``"context_erased"``, read the context again.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    seen: dict[str, Any] = {}
    if context is not None:
        if not _is_of(context, thread_id, run_id):
            raise InvalidInput(
                "context", "is not a context of this run", "Give what runs.context() returned."
            )
        seen = {
            "head": None if context.head_id is None else message_key(context.head_id),
            "seen_version": context.version,
            "ranges": context.ranges,
            "left_out": tuple(message_key(one) for one in context.left_out),
            "erased": tuple(message_key(one.id) for one in context.messages if one.erased),
            "sources": tuple(
                (ids.parse(ids.THREAD, source, "context"), at) for source, at in context.sources
            ),
            "salt": context.salt,
            "digest": context.digest,
        }
    command = c.StartStep(
        run_id=run_key(run_id),
        fence=checked_fence(fence),
        type=check_text(type, "type", NAME_MAX),
        step_id=optional_id(ids.STEP, step_id, "step_id"),
        details=checked_metadata(details, scope.log.limits, "details"),
        **seen,
    )
    return to_thread(scope, thread_id, command, options)


def complete(
    scope: Scope,
    thread_id: str,
    step_id: str,
    *,
    details: Mapping[str, Any] | None = None,
    usage: TokenUsage | Mapping[str, Any] | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[RunStep]:
    """Record that a step ended well.

    Args:
        thread_id: The thread.
        step_id: The step.
        details: JSON object that is added to the details that the step began with; erasable.
        usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound: there is none.
        Refused: there is no such step, it ended, or its run did.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.CompleteStep(
        step_id=ids.parse(ids.STEP, step_id, "step_id"),
        fence=checked_fence(fence),
        details=checked_metadata(details, scope.log.limits, "details"),
        usage=checked_usage(usage),
    )
    return to_thread(scope, thread_id, command, options)


def fail(
    scope: Scope,
    thread_id: str,
    step_id: str,
    *,
    code: str = "server_error",
    message: str | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[RunStep]:
    """Record that a step failed.

    Args:
        thread_id: The thread.
        step_id: The step.
        code: Kind of failure, up to 255 characters.
        message: Words for people; erasable.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound: there is none.
        Refused: there is no such step, it ended, or its run did.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.FailStep(
        step_id=ids.parse(ids.STEP, step_id, "step_id"),
        fence=checked_fence(fence),
        code=check_text(code, "code", NAME_MAX),
        message=optional_text(message, "message"),
    )
    return to_thread(scope, thread_id, command, options)


def list_(scope: Scope, thread_id: str, run_id: str) -> Read[list[RunStep]]:
    """Return the steps of a run, in order.

    Args:
        thread_id: The thread.
        run_id: The run.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
    """
    key = thread_key(scope, thread_id)
    run = run_key(run_id)

    def look(tx: Transaction) -> list[RunStep]:
        view = live_thread(tx, scope, key)
        if view.run(run) is None:
            raise RunNotFound(run_id, thread_id)
        tenant = find_tenant(tx, scope.tenant) or 0
        rows = STEPS.find(tx, tenant, key.id, "run = ? ORDER BY version", (run,))
        return [step_value(view, row) for row in rows]

    return Read(look)
