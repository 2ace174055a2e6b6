"""``store.runs``: recording what an agent loop does, and reading it back.

The store records; the application's own loop executes. A run is created (queued), started, writes
its messages with ``run_id=``, may wait for tool outputs, and ends. ``on_busy`` says what happens
when one is under way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Unpack

from msgspec import UNSET, UnsetType

from eventstore.conversation import commands as c
from eventstore.conversation.present import run_value
from eventstore.conversation.values import Run
from eventstore.core import ids
from eventstore.core.json_values import check_name, check_text
from eventstore.core.pages import (
    EVERYTHING,
    Count,
    PageOf,
    check_limit,
    decode_cursor,
    encode_cursor,
    listing_key,
)
from eventstore.errors import InvalidInput
from eventstore.operations.inputs import (
    check_updates,
    checked_draft,
    checked_flag,
    checked_metadata,
    checked_on_busy,
    checked_sequence,
    checked_tools,
    checked_usage,
    message_key,
    optional_id,
    optional_text,
    unset_or,
)
from eventstore.operations.lookups import existing_run, live_thread, thread_key
from eventstore.operations.operation import Read, Scope, Write, WriteOptions, to_thread
from eventstore.projections.runs import RUNS
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction

_NAME_MAX: Final = 255
_INSTRUCTIONS_MAX: Final = 256_000
_OUTPUTS: Final = "Give dicts with a call_id."
_Runs = PageOf[Run]  # once: pydantic looks for it each time


def _run_key(run_id: str) -> bytes:
    return ids.parse(ids.RUN, run_id, "run_id")


# -- recording -------------------------------------------------------------------------------------


def create(
    scope: Scope,
    thread_id: str,
    *,
    assistant_id: str | None = None,
    model: str | None = None,
    instructions: str | None = None,
    tools: Sequence[Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    regenerates: str | None = None,
    run_id: str | None = None,
    on_busy: str | None = None,
    **options: Unpack[WriteOptions],
) -> Write[Run]:
    """Queue a run behind the runs and messages that were sent before it.

    ``regenerates`` names the assistant's message that it makes another answer to. ``settings`` is
    any JSON object: temperature, limits, what the model takes.

    Raises:
        ThreadNotFound, AssistantNotFound, MessageNotFound: what it names is not there.
        Refused: the thread is archived, deleted, or busy with ``on_busy="reject"``.
    """
    limits = scope.log.limits
    command = c.CreateRun(
        run_id=optional_id(ids.RUN, run_id, "run_id"),
        assistant_id=optional_id(ids.ASSISTANT, assistant_id, "assistant_id"),
        model=optional_text(model, "model", _NAME_MAX),
        instructions=optional_text(instructions, "instructions", _INSTRUCTIONS_MAX),
        tools=checked_tools(tools, limits),  # type: ignore[arg-type]
        settings=checked_metadata(settings, limits, "settings"),
        metadata=checked_metadata(metadata, limits),
        regenerates=None if regenerates is None else message_key(regenerates, "regenerates"),
        on_busy=checked_on_busy(on_busy),
    )
    return to_thread(scope, thread_id, command, options)


def start(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    holder: str | None = None,
    take_over: bool = False,
    **options: Unpack[WriteOptions],
) -> Write[Run]:
    """Begin a run, or go on after its tool outputs are in. Only the first of the queue may.

    Tool calls on its path that were never answered are closed with a "cancelled" result first. With
    ``take_over`` a run in progress goes to another ``holder``.

    Raises:
        RunNotFound, Refused: it is not its turn, or it ended.
    """
    command = c.StartRun(
        run_id=_run_key(run_id),
        holder=optional_text(holder, "holder", _NAME_MAX),
        take_over=checked_flag(take_over, "take_over"),
    )
    return to_thread(scope, thread_id, command, options)


def update(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    metadata: Mapping[str, Any] | UnsetType | None = UNSET,
    **options: Unpack[WriteOptions],
) -> Write[Run]:
    """Replace a run's metadata, at any time of its life.

    Raises:
        InvalidInput: it is malformed, or was not given.
        RunNotFound.
    """
    check_updates(metadata=metadata)
    command = c.UpdateRun(
        run_id=_run_key(run_id),
        metadata=unset_or(metadata, lambda value: checked_metadata(value, scope.log.limits)),
    )
    return to_thread(scope, thread_id, command, options)


def require_action(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    calls: Sequence[str] | None = None,
    **options: Unpack[WriteOptions],
) -> Write[Run]:
    """Let a run wait for the outputs of tool calls: those named, or all that are open.

    Raises:
        RunNotFound, Refused: it is not in progress, or has no such open call.
    """
    named = None
    if calls is not None:
        listed = checked_sequence(calls, "calls", "Give the ids of tool calls.")
        named = tuple(check_name(call, "calls", _NAME_MAX) for call in listed)
    command = c.RequireAction(run_id=_run_key(run_id), calls=named)
    return to_thread(scope, thread_id, command, options)


def submit_tool_outputs(
    scope: Scope,
    thread_id: str,
    run_id: str,
    outputs: Sequence[Mapping[str, Any]],
    **options: Unpack[WriteOptions],
) -> Write[Run]:
    """Hand in tool outputs: dicts of ``call_id``, ``output`` and maybe ``status="failed"``.

    Each becomes a tool message of the run. When the last one is in, the run is queued at the front.

    Raises:
        RunNotFound, Refused: it does not wait, or not for these calls.
    """
    listed = checked_sequence(outputs, "outputs", _OUTPUTS)
    if not listed:
        raise InvalidInput("outputs", "is empty", _OUTPUTS)
    command = c.SubmitToolOutputs(
        run_id=_run_key(run_id),
        outputs=tuple(_output(scope, given, index) for index, given in enumerate(listed)),
    )
    return to_thread(scope, thread_id, command, options)


def _output(scope: Scope, given: Any, index: int) -> c.ToolOutput:  # noqa: ANN401 (checked)
    field = f"outputs[{index}]"
    if not isinstance(given, Mapping) or not set(given) <= {"call_id", "output", "status"}:
        raise InvalidInput(field, "is not an output", "Give call_id, output and maybe status.")
    part = {"type": "tool_result", **given}
    try:
        return c.ToolOutput(draft=checked_draft("tool", [part], scope.log.limits))
    except InvalidInput as error:
        where = error.field.replace("content[0]", field).replace("content", field)
        raise InvalidInput(where, error.problem, error.remedy) from None


def complete(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    usage: Any = None,  # noqa: ANN401 (a mapping or a TokenUsage)
    incomplete_reason: str | None = None,
    **options: Unpack[WriteOptions],
) -> Write[Run]:
    """End a run well; with ``incomplete_reason`` (say ``"max_tokens"``) it ends ``incomplete``.

    Messages that waited for it join the tree, in the order they were sent, up to the next queued
    run.

    Raises:
        RunNotFound, Refused: it ended already, or was never started.
    """
    command = c.CompleteRun(
        run_id=_run_key(run_id),
        usage=checked_usage(usage),
        incomplete_reason=optional_text(incomplete_reason, "incomplete_reason", _NAME_MAX),
    )
    return to_thread(scope, thread_id, command, options)


def fail(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    code: str = "server_error",
    message: str | None = None,
    usage: Any = None,  # noqa: ANN401
    **options: Unpack[WriteOptions],
) -> Write[Run]:
    """End a run that failed.

    Raises:
        RunNotFound, Refused: it ended already, or waits for tool outputs: submit, cancel or expire.
    """
    command = c.FailRun(
        run_id=_run_key(run_id),
        code=check_text(code, "code", _NAME_MAX),
        message=optional_text(message, "message"),
        usage=checked_usage(usage),
    )
    return to_thread(scope, thread_id, command, options)


def cancel(
    scope: Scope, thread_id: str, run_id: str, **options: Unpack[WriteOptions]
) -> Write[Run]:
    """Cancel a run.

    One in progress becomes ``cancelling``, so that its loop can keep what it wrote and call this
    once more; any other ends at once.

    Raises:
        RunNotFound, Refused: it ended already.
    """
    return to_thread(scope, thread_id, c.CancelRun(run_id=_run_key(run_id)), options)


def expire(
    scope: Scope, thread_id: str, run_id: str, **options: Unpack[WriteOptions]
) -> Write[Run]:
    """End a run that took too long.

    Raises:
        RunNotFound, Refused: it ended already.
    """
    return to_thread(scope, thread_id, c.ExpireRun(run_id=_run_key(run_id)), options)


# -- reading ---------------------------------------------------------------------------------------


def get(scope: Scope, thread_id: str, run_id: str) -> Read[Run]:
    """Return a run.

    Raises:
        ThreadNotFound, RunNotFound.
    """
    key, wanted = thread_key(scope, thread_id), _run_key(run_id)

    def look(tx: Transaction) -> Run:
        view = live_thread(tx, scope, key)
        return run_value(view, existing_run(view, wanted))

    return Read(look)


def list_(
    scope: Scope, thread_id: str, *, after: str | None = None, limit: int | None = 100
) -> Read[PageOf[Run]]:
    """Return a page of a thread's runs, in the order they were created.

    Raises:
        ThreadNotFound, InvalidInput.
    """
    key = thread_key(scope, thread_id)
    size = check_limit(limit, scope.log.limits.page_size_max)
    listing = listing_key("runs", scope.tenant, key.id)
    start_at = 0 if after is None else decode_cursor(listing, after, tuple[Count])[0]

    def look(tx: Transaction) -> PageOf[Run]:
        view = live_thread(tx, scope, key)
        most = EVERYTHING if size is None else size + 1
        tenant = find_tenant(tx, scope.tenant) or 0
        where = "version > ? ORDER BY version LIMIT ?"
        rows = RUNS.find(tx, tenant, key.id, where, (start_at, most))
        more = size is not None and len(rows) > size
        rows = rows[:size] if more else rows
        return _Runs(
            data=tuple(run_value(view, row) for row in rows),
            next_cursor=encode_cursor(listing, rows[-1].version) if more else None,
        )

    return Read(look)
