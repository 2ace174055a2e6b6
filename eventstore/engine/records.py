"""The records of a run. ``step`` decides them, ``journal.py`` writes them.

A record names a step by its number within the run. Ids belong to the store: nothing that is decided
depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from eventstore import (
    ProviderForm,
    RunContext,
    TokenUsage,
)
from eventstore.conversation.parts import ContentPart, Part
from eventstore.conversation.rows import ActionReason

__all__ = [
    "BeginAnswer",
    "BeginCalls",
    "Cancel",
    "Complete",
    "EndStep",
    "Expire",
    "Fail",
    "FailStep",
    "Record",
    "RequireAction",
    "WriteAnswer",
    "WriteResult",
]


@dataclass(frozen=True, slots=True)
class BeginAnswer:
    """A model is about to be asked."""

    context: RunContext = field(repr=False)
    """Messages that it sees."""
    estimated: int | None = None
    """Tokens that they are estimated to take, if the run limits them."""
    tools: tuple[Mapping[str, Any], ...] | None = field(default=None, repr=False)
    """Definitions that the model is offered from now on, if sets were listed for this."""


@dataclass(frozen=True, slots=True)
class BeginCalls:
    """Tools are about to be called, side by side."""

    calls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteAnswer:
    """A model answered."""

    step: int
    parts: tuple[Part, ...] = field(repr=False)
    status: Literal["completed", "incomplete"] = "completed"
    provider: ProviderForm | None = field(default=None, repr=False)
    """The provider's own form of the answer."""


@dataclass(frozen=True, slots=True)
class WriteResult:
    """A tool answered."""

    call_id: str
    output: Any = field(repr=False)
    status: Literal["completed", "failed", "cancelled"] = "completed"
    parts: tuple[ContentPart, ...] = field(default=(), repr=False)
    """Images and files beside the output."""


@dataclass(frozen=True, slots=True)
class EndStep:
    """A step ended well."""

    step: int
    usage: TokenUsage | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FailStep:
    """A step failed."""

    step: int
    code: str
    message: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RequireAction:
    """The run waits for people: for these calls, each for a reason."""

    calls: Mapping[str, ActionReason]


@dataclass(frozen=True, slots=True)
class Complete:
    """The run ended well, or was cut off."""

    usage: TokenUsage
    incomplete_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    """The run failed."""

    code: str
    message: str | None = field(repr=False)
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class Expire:
    """The run took too long."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The run was cancelled, and what it wrote is kept."""


Record: TypeAlias = (
    BeginAnswer
    | BeginCalls
    | WriteAnswer
    | WriteResult
    | EndStep
    | FailStep
    | RequireAction
    | Complete
    | Fail
    | Expire
    | Cancel
)
