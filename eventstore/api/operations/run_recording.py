"""``store.runs.record``: an application's own agent loop, recorded from its start to its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from eventstore.api.operations import runs
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import NO_OPTIONS, Scope, Write, write
from eventstore.api.operations.recording import Recording
from eventstore.conversation.commands import OnBusy
from eventstore.conversation.run_values import Run
from eventstore.conversation.tool_definition import ToolGiven
from eventstore.core import ids
from eventstore.errors import InvalidInput
from eventstore.write_path.requests import AppendRequest

__all__ = ["record"]


def record(
    scope: Scope,
    thread_id: str,
    run_id: str | None = None,
    *,
    assistant_id: str | None = None,
    model: str | None = None,
    instructions: str | None = None,
    tools: Sequence[ToolGiven] | None = None,
    settings: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    regenerates: str | None = None,
    on_busy: OnBusy = "reject",
    holder: str | None = None,
    take_over: bool = False,
    fence: int | None = None,
    lease_seconds: float = 30.0,
) -> Recording:
    """Record a run of your own loop in a ``with`` block: its start, what it says, and its end.

    Entering the block starts the run, and heartbeats keep it from being taken over while the block
    runs. Leaving the block completes it. After an exception it has failed, with the code of the
    error, or the name of its class. After a cancellation or an interrupt it is cancelled. In each
    case the text that it had said so far is kept as a message, with the status ``"incomplete"`` if
    it was cut off, and the thread is free again. If the process dies, the lease ends, and
    ``runs.list(lease_ended=True)`` finds the run.

    Args:
        thread_id: The thread.
        run_id: A queued run to start, or one to take over; a new run is made if left out.
        assistant_id: Assistant that answers, for a new run.
        model: Model, in place of the assistant's.
        instructions: Instructions, in place of the assistant's; erasable.
        tools: Tool definitions, in place of the assistant's.
        settings: JSON object of whatever the model takes.
        metadata: JSON object of your own; erasable.
        regenerates: Assistant's message to make another answer to.
        on_busy: ``"reject"`` (the default) refuses while another run is open, ``"interrupt"``
            and ``"rollback"`` cancel it.
        holder: Name of this worker, up to 255 characters.
        take_over: Take ``run_id`` away from a holder that died.
        fence: Fence that ``run_id`` must still have.
        lease_seconds: How long this process may be silent before another may take over.

    Raises:
        InvalidInput: a value is malformed, or values for a new run are given with ``run_id``.
        ThreadNotFound, RunNotFound, AssistantNotFound, MessageNotFound: something that it names
            does not exist.
        Refused: the thread is archived, deleted or busy, or it is not the run's turn.
        LeaseLost: the run has another fence; inside the block, another worker took it over.
    """
    made = {
        "assistant_id": assistant_id,
        "model": model,
        "instructions": instructions,
        "tools": tools,
        "settings": settings,
        "metadata": metadata,
        "regenerates": regenerates,
    }
    if run_id is not None:
        for name, value in made.items():
            if value is not None:
                raise InvalidInput(name, "given with run_id", "That run has its own already.")
    new = run_id is None
    run = run_id or ids.show(ids.RUN, scope.log.environment.new_id())
    begin = runs.start(
        scope,
        thread_id,
        run,
        holder=holder,
        take_over=take_over,
        fence=fence,
        lease_seconds=lease_seconds,
    )
    if new:
        created = runs.create(scope, thread_id, run_id=run, on_busy=on_busy, **made)  # type: ignore[arg-type]
        begin = _together(scope, thread_id, created, begin)
    return Recording(scope, thread_id, run, begin, new=new, lease_seconds=lease_seconds)


def _together(scope: Scope, thread_id: str, *writes: Write[Run]) -> Write[Run]:
    """Return one write of several commands, with the result of the last."""
    commands: list[Any] = []
    for one in writes:
        assert isinstance(one.request, AppendRequest)  # noqa: S101 (made by an operation on a thread)
        commands += one.request.commands
    both = write(scope, thread_key(scope, thread_id), commands, NO_OPTIONS)
    return replace(both, answer=lambda appended: appended.result[-1])
