"""``store.runs.steps``: one model call or one round of tools each, with what it saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Unpack

from eventstore.conversation import commands as c
from eventstore.conversation.present import step_value
from eventstore.conversation.values import RunContext, RunStep
from eventstore.core import ids
from eventstore.core.json_values import check_text
from eventstore.errors import InvalidInput, RunNotFound
from eventstore.operations.inputs import (
    checked_metadata,
    checked_usage,
    message_key,
    optional_id,
    optional_text,
)
from eventstore.operations.lookups import live_thread, thread_key
from eventstore.operations.operation import Read, Scope, Write, WriteOptions, to_thread
from eventstore.projections.runs import STEPS
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction

_NAME_MAX: Final = 255


def _is_of(context: object, thread_id: str, run_id: str) -> bool:
    """Tell whether a context is what ``runs.context`` returned for this run."""
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
    **options: Unpack[WriteOptions],
) -> Write[RunStep]:
    """Record that a step begins. ``context``, from ``runs.context``, records exactly what it saw.

    Raises:
        RunNotFound.
        Refused: the run is not in progress; ``"context_erased"``: read the context again.
    """
    seen: dict[str, Any] = {}
    if context is not None:
        if not _is_of(context, thread_id, run_id):
            raise InvalidInput(
                "context", "is not what this run works with", "Give what runs.context() returned."
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
        run_id=ids.parse(ids.RUN, run_id, "run_id"),
        type=check_text(type, "type", _NAME_MAX),
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
    usage: Any = None,  # noqa: ANN401 (a mapping or a TokenUsage)
    **options: Unpack[WriteOptions],
) -> Write[RunStep]:
    """Record that a step ended well; ``details`` are added to those it began with.

    Raises:
        Refused: there is no such step, it ended, or its run did.
    """
    command = c.CompleteStep(
        step_id=ids.parse(ids.STEP, step_id, "step_id"),
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
    **options: Unpack[WriteOptions],
) -> Write[RunStep]:
    """Record that a step failed.

    Raises:
        Refused: there is no such step, it ended, or its run did.
    """
    command = c.FailStep(
        step_id=ids.parse(ids.STEP, step_id, "step_id"),
        code=check_text(code, "code", _NAME_MAX),
        message=optional_text(message, "message"),
    )
    return to_thread(scope, thread_id, command, options)


def list_(scope: Scope, thread_id: str, run_id: str) -> Read[list[RunStep]]:
    """Return the steps of a run, in order.

    Raises:
        ThreadNotFound, RunNotFound.
    """
    key = thread_key(scope, thread_id)
    run = ids.parse(ids.RUN, run_id, "run_id")

    def look(tx: Transaction) -> list[RunStep]:
        view = live_thread(tx, scope, key)
        if view.run(run) is None:
            raise RunNotFound(run_id, thread_id)
        tenant = find_tenant(tx, scope.tenant) or 0
        rows = STEPS.find(tx, tenant, key.id, "run = ? ORDER BY version", (run,))
        return [step_value(view, row) for row in rows]

    return Read(look)
