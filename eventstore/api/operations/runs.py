"""``store.runs``: record the work of an agent loop, and read it back.

The store records; the application's own loop executes. A run is created (queued), started, writes
its messages with ``run_id=``, may wait for tool outputs, and ends. ``on_busy`` chooses the
behaviour while another run is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.api.operations.inputs import (
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
from eventstore.api.operations.loaders import existing_run, live_thread, thread_key
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Read,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.conversation import commands as c
from eventstore.conversation.commands import OnBusy
from eventstore.conversation.present import run_value
from eventstore.conversation.tool_definition import ToolGiven
from eventstore.conversation.values import Run, TokenUsage
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
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction
from eventstore.threads.run_rows import RUNS

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
    tools: Sequence[ToolGiven] | None = None,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    regenerates: str | None = None,
    run_id: str | None = None,
    on_busy: OnBusy | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Queue a run behind the runs and messages that were sent before it.

    Args:
        thread_id: The thread.
        assistant_id: Assistant that answers; the run keeps the version that it has now.
        model: Model, in place of the assistant's.
        instructions: Instructions, in place of the assistant's; erasable.
        tools: Tool definitions or tools of ``eventstore.engine``, in place of the assistant's.
        settings: JSON object of whatever the model takes: temperature, limits.
        metadata: JSON object of your own; erasable.
        regenerates: Assistant's message to make another answer to.
        run_id: Id of your own: ``run_`` and 32 lowercase hex digits.
        on_busy: ``"enqueue"`` (the default) waits for its turn, ``"reject"`` refuses,
            ``"interrupt"`` cancels the other run and keeps what it wrote, ``"rollback"``
            cancels it and goes back to where it started.

    Raises:
        InvalidInput: a value is malformed, or an id is in use.
        ThreadNotFound, AssistantNotFound, MessageNotFound: something that it names does not
            exist.
        Refused: the thread is archived, deleted, or busy with ``on_busy="reject"``.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Begin a run, or go on with it once its tool outputs are in.

    Only the first run of the queue may start. Tool calls on its path that were never answered
    are closed with a "cancelled" result first.

    Args:
        thread_id: The thread.
        run_id: The run.
        holder: Name of the worker that executes it, up to 255 characters.
        take_over: Take a run in progress away from another ``holder``.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it is not its turn, or it ended.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Replace a run's metadata, at any time of its life.

    Args:
        thread_id: The thread.
        run_id: The run.
        metadata: JSON object that takes the place of the old one; None takes it away.

    Raises:
        InvalidInput: the metadata is malformed, or was not given.
        ThreadNotFound, RunNotFound: there is no such run.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Let a run wait for the outputs of tool calls.

    Args:
        thread_id: The thread.
        run_id: The run.
        calls: Ids of the calls to wait for; all that are open if left out.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it is not in progress, or has no such open call.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
    *,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Hand in outputs of tool calls that a run waits for.

    Each becomes a tool message of the run. When the last one is in, the run is queued at the
    front.

    Args:
        thread_id: The thread.
        run_id: The run.
        outputs: Dicts of ``call_id``, ``output`` (any JSON value) and perhaps
            ``status="failed"``.

    Raises:
        InvalidInput: an output is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: the run does not wait, or not for these calls.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
    if "output" not in given:
        remedy = "Give the tool's answer, any JSON value; None if it has none."
        raise InvalidInput(f"{field}.output", "is missing", remedy)
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
    usage: TokenUsage | Mapping[str, Any] | None = None,
    incomplete_reason: str | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """End a run well; with ``incomplete_reason`` it ends ``incomplete``.

    Messages that waited for it join the tree in the order they were sent, up to the next queued
    run.

    Args:
        thread_id: The thread.
        run_id: The run.
        usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
        incomplete_reason: Why the answer was cut off, for example ``"max_tokens"``.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already, or was never started.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
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
    usage: TokenUsage | Mapping[str, Any] | None = None,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """End a run that failed.

    Args:
        thread_id: The thread.
        run_id: The run.
        code: Kind of failure, up to 255 characters, for example ``"rate_limit_exceeded"``.
        message: Words for people; erasable.
        usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already, or waits for tool outputs: submit them, cancel or expire.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.FailRun(
        run_id=_run_key(run_id),
        code=check_text(code, "code", _NAME_MAX),
        message=optional_text(message, "message"),
        usage=checked_usage(usage),
    )
    return to_thread(scope, thread_id, command, options)


def cancel(
    scope: Scope, thread_id: str, run_id: str, *, options: WriteOptions = NO_OPTIONS
) -> Write[Run]:
    """Cancel a run.

    A run in progress becomes ``cancelling``, so that its loop can keep its output and call this
    once more. Any other run ends at once.

    Args:
        thread_id: The thread.
        run_id: The run.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(scope, thread_id, c.CancelRun(run_id=_run_key(run_id)), options)


def expire(
    scope: Scope, thread_id: str, run_id: str, *, options: WriteOptions = NO_OPTIONS
) -> Write[Run]:
    """End a run that took too long.

    Args:
        thread_id: The thread.
        run_id: The run.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it ended already.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    return to_thread(scope, thread_id, c.ExpireRun(run_id=_run_key(run_id)), options)


# -- reading ---------------------------------------------------------------------------------------


def get(scope: Scope, thread_id: str, run_id: str) -> Read[Run]:
    """Return a run.

    Args:
        thread_id: The thread.
        run_id: The run.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
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

    Args:
        thread_id: The thread.
        after: A page's ``next_cursor``, to begin behind it.
        limit: Most runs on the page; None is all of them.

    Raises:
        InvalidInput: a value is malformed, or the cursor belongs to another listing.
        ThreadNotFound: there is none, or it was deleted.
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
