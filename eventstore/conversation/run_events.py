"""The events of ``runs.stream``: a run as its readers see it, in order.

They are made from the log and from the text that is being written, and they are the same live and
afterwards. Each has a ``cursor``, to resume behind it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = [
    "MessageDelta",
    "MessageEnded",
    "MessageStarted",
    "RunChanged",
    "RunEvent",
    "RunState",
    "StepChanged",
    "StepState",
    "ToolAnswered",
    "ToolCalled",
]


RunState: TypeAlias = Literal[
    "run.queued",
    "run.in_progress",
    "run.taken_over",
    "run.requires_action",
    "run.cancelling",
    "run.completed",
    "run.incomplete",
    "run.failed",
    "run.cancelled",
    "run.expired",
]
StepState: TypeAlias = Literal["step.started", "step.completed", "step.failed"]


class _Told(Value):
    run_id: str
    """The run."""
    cursor: str
    """Give it as ``after=`` to resume behind this event."""


class RunChanged(_Told):
    """The run moved to another state."""

    type: RunState
    """``"run."`` and the new status; ``"run.taken_over"``: another holder goes on with it."""
    pending_calls: tuple[str, ...] = ()
    """For ``"run.requires_action"``: the tool calls whose outputs it waits for."""
    code: str | None = None
    """For ``"run.failed"``: the kind of failure. For ``"run.incomplete"``: the reason."""


class StepChanged(_Told):
    """A step began or ended."""

    type: StepState
    """Its new state."""
    step_id: str
    """The step."""
    step_type: str | None = None
    """For ``"step.started"``: its type."""
    code: str | None = None
    """For ``"step.failed"``: the kind of failure."""


class MessageStarted(_Told):
    """The run begins to write a message; deltas follow."""

    type: Literal["message.started"] = "message.started"
    """Always the same."""
    message_id: str
    """The message."""


class MessageDelta(_Told):
    """The next piece of the text that the run writes."""

    type: Literal["message.delta"] = "message.delta"
    """Always the same."""
    message_id: str
    """The message that it belongs to."""
    text: Unshown[str]
    """The piece."""
    offset: int
    """Characters of text of the whole run before it, in the order of versions."""


class MessageEnded(_Told):
    """A message of the run is final, and in the thread."""

    type: Literal["message.completed", "message.interrupted"]
    """``"message.interrupted"``: the run was taken over, ended or asked again before the message
    was final, and the text shown so far was kept."""
    message_id: str
    """The message."""
    status: Literal["completed", "incomplete"]
    """Status of the message."""


class ToolCalled(_Told):
    """A final message calls a tool."""

    type: Literal["tool.called"] = "tool.called"
    """Always the same."""
    message_id: str
    """The message that holds the call."""
    call_id: str
    """The call."""
    name: str | None
    """Name of the tool; None once it was erased."""
    arguments: Unshown[Any]
    """Arguments; None once they were erased."""


class ToolAnswered(_Told):
    """A tool call has its result."""

    type: Literal["tool.answered"] = "tool.answered"
    """Always the same."""
    message_id: str
    """The message that holds the result."""
    call_id: str
    """The call."""
    status: str | None
    """Status of the result; None once it was erased."""
    output: Unshown[Any]
    """Output of the tool; None once it was erased."""


RunEvent: TypeAlias = Annotated[
    RunChanged
    | StepChanged
    | MessageStarted
    | MessageDelta
    | MessageEnded
    | ToolCalled
    | ToolAnswered,
    Field(discriminator="type"),
]
"""Any event of ``runs.stream``; ``type`` tells them apart."""
