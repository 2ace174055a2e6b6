"""``store.runs``: end a run, well or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eventstore.api.operations.inputs import (
    checked_fence,
    checked_usage,
    optional_text,
    run_key,
)
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.conversation import commands as c
from eventstore.conversation.run_values import Run, TokenUsage
from eventstore.core.json_values import NAME_MAX, check_text

__all__ = ["cancel", "complete", "expire", "fail"]


def complete(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    usage: TokenUsage | Mapping[str, Any] | None = None,
    incomplete_reason: str | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """End a run well; with ``incomplete_reason`` it ends ``incomplete``.

    It ends well once each of its tool calls has a result. If it ends incomplete, the open calls are
    closed with a "cancelled" result.

    Messages that waited for it join the tree in the order they were sent, up to the next queued
    run.

    Args:
        thread_id: The thread.
        run_id: The run.
        usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
        incomplete_reason: Why the answer was cut off, for example ``"max_tokens"``.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already, or was never started; ``"open_tool_calls"``.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.CompleteRun(
        run_id=run_key(run_id),
        fence=checked_fence(fence),
        usage=checked_usage(usage),
        incomplete_reason=optional_text(incomplete_reason, "incomplete_reason", NAME_MAX),
    )
    return to_thread(scope, thread_id, command, options)


def fail(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    code: str = "server_error",
    message: str | None = None,
    usage: TokenUsage | Mapping[str, Any] | None = None,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """End a run that failed. Its open tool calls are closed with a "failed" result.

    Args:
        thread_id: The thread.
        run_id: The run.
        code: Kind of failure, up to 255 characters, for example ``"rate_limit_exceeded"``.
        message: Words for people; erasable.
        usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.FailRun(
        run_id=run_key(run_id),
        fence=checked_fence(fence),
        code=check_text(code, "code", NAME_MAX),
        message=optional_text(message, "message"),
        usage=checked_usage(usage),
    )
    return to_thread(scope, thread_id, command, options)


def cancel(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Cancel a run.

    A run in progress becomes ``cancelling``, so that its loop can keep its output and call this
    once more, with its ``fence``. Any other run ends at once. Its open tool calls are closed with a
    "cancelled" result when it ends.

    Args:
        thread_id: The thread.
        run_id: The run.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(
        scope, thread_id, c.CancelRun(run_id=run_key(run_id), fence=checked_fence(fence)), options
    )


def expire(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    fence: int | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """End a run that took too long.

    Args:
        thread_id: The thread.
        run_id: The run.
        fence: Fence of the run's holder, from ``start``; needed once another holder took over.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already.
        LeaseLost: another worker took the run over.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(
        scope, thread_id, c.ExpireRun(run_id=run_key(run_id), fence=checked_fence(fence)), options
    )
