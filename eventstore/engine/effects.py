"""The deeds of the engine outside of the log, and their results.

``step`` asks for effects. A driver performs them, and hands each result to the next ``step``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from eventstore import ProviderForm, RunContext, TokenUsage
from eventstore.conversation.content import ContentPart, Part
from eventstore.engine.models.protocol import ModelRequest

__all__ = [
    "AskModel",
    "CallTool",
    "CancelRequested",
    "ContextRead",
    "DeadlinePassed",
    "Effect",
    "ListTools",
    "ModelAnswered",
    "ModelFailed",
    "ReadContext",
    "Result",
    "Stop",
    "Stopped",
    "TextArrived",
    "ToolReturned",
    "ToolUnusable",
    "ToolsListed",
]

StopReason: TypeAlias = Literal["cancelled", "expired"]


# -- effects ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadContext:
    """Read the messages that the model is to see."""

    last_messages: int | None = None
    tools: tuple[Mapping[str, Any], ...] | None = field(default=None, repr=False)
    """Definitions that were listed for this run just now."""


@dataclass(frozen=True, slots=True)
class ListTools:
    """List the tools of sets, by their types."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskModel:
    """Ask the model."""

    step: int
    request: ModelRequest


@dataclass(frozen=True, slots=True)
class CallTool:
    """Call a tool of this process."""

    call_id: str
    name: str
    arguments: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop everything that is under way."""

    reason: StopReason


Effect: TypeAlias = ReadContext | ListTools | AskModel | CallTool | Stop


# -- results ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContextRead:
    """The messages were read."""

    context: RunContext = field(repr=False)
    asked: ReadContext


@dataclass(frozen=True, slots=True)
class ToolsListed:
    """The definitions of the tools of each set, by its type."""

    tools: Mapping[str, tuple[Mapping[str, Any], ...]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolUnusable:
    """A tool cannot be used at all, so the run ends."""

    code: str
    message: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ModelAnswered:
    """The model answered."""

    parts: tuple[Part, ...] = field(repr=False)
    reason: Literal["stop", "length", "tool_calls", "content_filter"]
    usage: TokenUsage | None = None
    provider: ProviderForm | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """The model gave up, perhaps after a part of its answer."""

    code: str
    message: str | None = field(default=None, repr=False)
    parts: tuple[Part, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class ToolReturned:
    """A tool returned, or failed."""

    call_id: str
    output: Any = field(repr=False)
    status: Literal["completed", "failed"] = "completed"
    parts: tuple[ContentPart, ...] = field(default=(), repr=False)
    """Images and files beside the output."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the run to end."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The run took too long."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Everything that was under way has stopped."""

    reason: StopReason
    parts: tuple[Part, ...] = field(default=(), repr=False)
    """Beginning of the answer that was being written."""
    returned: tuple[ToolReturned, ...] = ()
    """Tools that returned meanwhile."""


@dataclass(frozen=True, slots=True)
class TextArrived:
    """More text of the answer that a step writes. It is shown to readers, and decides nothing."""

    step: int
    text: str = field(repr=False)


Result: TypeAlias = (
    ContextRead
    | ModelAnswered
    | ModelFailed
    | ToolReturned
    | ToolsListed
    | ToolUnusable
    | CancelRequested
    | DeadlinePassed
    | Stopped
)
