"""``store.runs``: record the work of an agent loop, and read it back.

The store records; the engine, or the application's own loop, executes. A run is created (queued),
started, writes its messages with ``run_id=``, may wait for tool outputs, and ends. ``on_busy``
chooses the behaviour while another run is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import UNSET, UnsetType

from eventstore.api.operations.inputs import (
    check_updates,
    checked_fence,
    checked_flag,
    checked_metadata,
    checked_on_busy,
    checked_tools,
    checked_version,
    message_key,
    optional_id,
    optional_name,
    optional_text,
    run_key,
    unset_or,
)
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.conversation import commands as c
from eventstore.conversation.commands import OnBusy
from eventstore.conversation.run_values import Run
from eventstore.conversation.tool_definition import ToolGiven
from eventstore.core import ids
from eventstore.core.json_values import NAME_MAX
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput

_INSTRUCTIONS_MAX: Final = 256_000
_LEASE_SECONDS_MAX: Final = 86_400


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
    queue: str | None = None,
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
        queue: Name of the queue whose workers execute it, up to 255 characters; None if the
            application executes it itself.

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
        model=optional_text(model, "model", NAME_MAX),
        instructions=optional_text(instructions, "instructions", _INSTRUCTIONS_MAX),
        tools=checked_tools(tools, limits),  # type: ignore[arg-type]
        settings=checked_metadata(settings, limits, "settings"),
        metadata=checked_metadata(metadata, limits),
        regenerates=None if regenerates is None else message_key(regenerates, "regenerates"),
        on_busy=checked_on_busy(on_busy),
        queue=optional_name(queue, "queue"),
    )
    return to_thread(scope, thread_id, command, options)


def start(
    scope: Scope,
    thread_id: str,
    run_id: str,
    *,
    holder: str | None = None,
    take_over: bool = False,
    fence: int | None = None,
    lease_seconds: float = 30.0,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Run]:
    """Begin a run, or go on with it once its tool outputs are in.

    Only the first run of the queue may start. Tool calls on its path that were never answered
    are closed with a "cancelled" result first.

    Whoever starts a run, or takes it over, holds it, and gives ``fence=run.fence`` with each
    further write. Writes of the holder before it are refused from then on.

    Args:
        thread_id: The thread.
        run_id: The run.
        holder: Name of the worker that executes it, up to 255 characters.
        take_over: Take a run in progress, or one that is being cancelled, away from its holder.
        fence: Fence that the run must still have. Of several workers that saw the same dead
            holder, the first one takes over.
        lease_seconds: Time in which the holder promises to call ``heartbeat``. Later
            ``runs.list(lease_ended=True)`` shows the run to others.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: it is not its turn, or it ended.
        LeaseLost: the run has another fence.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.StartRun(
        run_id=run_key(run_id),
        holder=optional_name(holder, "holder"),
        take_over=checked_flag(take_over, "take_over"),
        fence=checked_fence(fence),
        lease_us=_lease_us(lease_seconds),
    )
    return to_thread(scope, thread_id, command, options)


def heartbeat(
    scope: Scope, thread_id: str, run_id: str, *, fence: int, lease_seconds: float = 30.0
) -> Write[Run]:
    """Say that the holder of a run is alive: its lease ends that much later from now.

    This is no event: nothing happened to the run. A third of the lease is a good interval.

    Args:
        thread_id: The thread.
        run_id: The run.
        fence: Fence of the holder, from ``start``.
        lease_seconds: Length of the lease from now on; 0 gives it back, for others to take over
            at once.

    Raises:
        InvalidInput: a value is malformed.
        ThreadNotFound, RunNotFound: there is no such run.
        Refused: the run ended, or nobody holds it.
        LeaseLost: another worker took over: stop.
    """
    command = c.HoldRun(
        run_id=run_key(run_id),
        fence=checked_version(fence, "fence"),
        lease_us=_lease_us(lease_seconds),
    )
    return to_thread(scope, thread_id, command, NO_OPTIONS)


def _lease_us(seconds: object) -> int:
    """Return the length of a lease in microseconds."""
    number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not number or not 0 <= seconds <= _LEASE_SECONDS_MAX:  # type: ignore[operator]
        raise InvalidInput(
            "lease_seconds",
            f"{quoted(seconds)} is not a length of a lease",
            f"Give 0 to {_LEASE_SECONDS_MAX:,} seconds.",
        )
    return int(seconds * 1_000_000)  # type: ignore[operator]


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
        run_id=run_key(run_id),
        metadata=unset_or(metadata, lambda value: checked_metadata(value, scope.log.limits)),
    )
    return to_thread(scope, thread_id, command, options)


def approves(given: object) -> bool:
    return isinstance(given, Mapping) and "approved" in given
