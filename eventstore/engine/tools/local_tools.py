"""The tools that an engine can call, one or several listed together, and what they are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol

from typing_extensions import TypeVar  # with a default; in typing from 3.13 on

from eventstore.conversation.parts import ContentPart

__all__ = ["InvalidArguments", "LocalTool", "ToolAnswer", "ToolContext", "ToolSet"]

S = TypeVar("S", default=Any)


@dataclass(frozen=True, slots=True)
class ToolContext(Generic[S]):
    """The call that a tool answers. A tool that has a parameter of this type is given it.

    ``ToolContext[ConversationStore]`` tells a type checker which store the engine has.
    """

    store: S
    """The store of the engine: sync or async, as the engine is."""
    thread_id: str
    """Thread of the run."""
    run_id: str
    """The run."""
    call_id: str
    """The provider's id of the call."""
    tenant: str
    """Tenant of the store."""


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """An answer of a tool with more than a JSON value. A tool may return one, or any JSON."""

    output: Any = field(repr=False)
    """Any JSON value."""
    status: Literal["completed", "failed"] = "completed"
    """Outcome of the call."""
    parts: tuple[ContentPart, ...] = field(default=(), repr=False)
    """Images and files beside the output, in the same message."""


class LocalTool(Protocol):
    """Anything that an engine can call. ``tool`` makes one of a function.

    It may also have a ``model_definition``, which models are shown in place of ``definition``, and
    an ``aclose``, which the engine calls when it is closed.
    """

    @property
    def name(self) -> str:
        """Name that the model calls it by."""

    @property
    def definition(self) -> Mapping[str, Any]:
        """Definition that is recorded."""

    @property
    def repeatable(self) -> bool:
        """Calling it twice does no harm, so it is called again if a crash hid its outcome."""

    @property
    def approval(self) -> bool:
        """A person approves each call."""

    @property
    def timeout_seconds(self) -> float:
        """Longest time that a call may take."""

    @property
    def output_bytes_max(self) -> int:
        """Most bytes of its output as JSON."""

    async def call(self, arguments: object, context: ToolContext) -> object:
        """Answer a call with a ``ToolAnswer`` or a JSON value; any error is a failed result."""


class ToolSet(Protocol):
    """Several tools that an assistant lists together, by their type: ``{"type": "petstore"}``.

    A run lists them once, before it asks its model, and the definitions are recorded.
    """

    @property
    def type(self) -> str:
        """Type under which an assistant lists them."""

    @property
    def definition(self) -> Mapping[str, Any]:
        """Definition by which an assistant lists them: ``{"type": …}``."""

    async def definitions(self) -> Sequence[Mapping[str, Any]]:
        """Return the functions that a model is shown.

        Raises:
            ToolError: they cannot be listed; the run fails with its code.
        """

    def tool(self, name: str) -> LocalTool | None:
        """Return the tool of a name, if it is one of these."""


class InvalidArguments(Exception):
    """The model's arguments do not fit; the text is for the model."""
