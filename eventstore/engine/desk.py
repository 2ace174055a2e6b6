"""The equipment of an engine, of either face: its tools, models, clock and name."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from eventstore import Assistant, InvalidInput
from eventstore.engine.conducting import Clock
from eventstore.engine.models.estimate import Estimate, estimate_tokens
from eventstore.engine.models.registry import Models
from eventstore.engine.state import RunState
from eventstore.engine.step import Rules, ToolRule
from eventstore.engine.tools import LocalTool, Tool

__all__ = ["AnyTool", "Desk", "named_tools", "own_name"]

AnyTool: TypeAlias = LocalTool | Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Desk:
    """The equipment of an engine."""

    holder: str
    tools: Mapping[str, LocalTool]
    models: Models
    external: frozenset[str] = frozenset()
    """Names of tools whose outputs the application hands in."""
    lease_seconds: float = 30.0
    clock: Clock = field(default_factory=Clock)
    estimate: Estimate = estimate_tokens
    assistants: dict[Any, Assistant] = field(default_factory=dict)
    """Versions of assistants that were read; a version never changes."""

    def rules(self, _: RunState) -> Rules:
        """Return the rules that the tools of this engine make."""
        shown = {
            name: one.model_definition
            for name, one in self.tools.items()
            if hasattr(one, "model_definition")
        }
        rules = {name: ToolRule(one.repeatable, one.approval) for name, one in self.tools.items()}
        return Rules(rules, shown, self.estimate)


def named_tools(tools: Sequence[AnyTool]) -> dict[str, LocalTool]:
    """Return tools by name; a plain function becomes a tool.

    Raises:
        InvalidInput: two have the same name, or one cannot be a tool.
    """
    made: dict[str, LocalTool] = {}
    for one in _listed(tools):
        given: Any = one if hasattr(one, "definition") else _made(one)
        if given.name in made:
            raise InvalidInput("tools", f"two are called {given.name}", "Give each its own name.")
        made[given.name] = given
    return made


def _listed(tools: object) -> Iterable[Any]:
    if isinstance(tools, str | Mapping) or not isinstance(tools, Iterable):
        raise InvalidInput("tools", "is not a list of tools", "Give functions made with @tool.")
    return tools


def _made(function: object) -> Tool[..., Any]:
    if not callable(function):
        raise InvalidInput(
            "tools", f"{type(function).__name__} is not a tool", "Give functions made with @tool."
        )
    return Tool(function)


def own_name() -> str:
    """Return a name that no other engine has."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
