"""The protocol of a model: the request it is asked with, and the events of its answer.

A model is anything with a ``stream`` that takes a :class:`ModelRequest` and yields events. The
engine knows nothing else of a provider.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from eventstore import Message, ProviderForm
from eventstore.engine.settings import RunSettings

__all__ = [
    "Finished",
    "Model",
    "ModelEvent",
    "ModelRequest",
    "ReasoningDelta",
    "RefusalDelta",
    "TextDelta",
    "ToolCall",
    "Usage",
]


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model: the messages of a path, oldest first, and what it may do."""

    model: str
    """Name of the model, as the application gave it."""
    messages: tuple[Message, ...] = field(repr=False)
    """The store's messages, oldest first."""
    instructions: str | None = field(default=None, repr=False)
    """System prompt, which stands before the messages."""
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Function definitions: ``{"type": "function", "function": {...}}``."""
    settings: RunSettings = field(default_factory=RunSettings, repr=False)
    """Settings of the run. ``max_completion_tokens`` limits this one answer."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer; not empty."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the thoughts before the answer."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of the words with which the model declines to answer."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole tool call."""

    id: str
    """Id of the call; not empty, and the answer's own."""
    name: str
    """Name of the tool, which may be one that does not exist."""
    arguments: str = field(default="{}", repr=False)
    """Arguments as the model wrote them: JSON text, if the model made no mistake."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them, for the whole answer."""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer is complete. It is the last event; a stream that ends without it broke off."""

    reason: Literal["stop", "length", "tool_calls", "content_filter"] = "stop"
    """The reason for which the model stopped."""
    provider: ProviderForm | None = field(default=None, repr=False)
    """The answer in the provider's own form, to be sent back as it is."""


ModelEvent: TypeAlias = TextDelta | ReasoningDelta | RefusalDelta | ToolCall | Usage | Finished


@runtime_checkable
class Model(Protocol):
    """A model that streams answers.

    ``stream`` raises nothing but ``ModelError``, and retries by itself what is worth it: an error
    that leaves it is final. Closing the generator, or cancelling the task that reads it, ends the
    call.
    """

    @property
    def name(self) -> str:
        """The name of the model for its provider, as spans and errors show it."""
        ...

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Ask, and yield the events of the answer as they arrive."""
        ...

    async def aclose(self) -> None:
        """Close connections. A closed model is not asked again."""
        ...
