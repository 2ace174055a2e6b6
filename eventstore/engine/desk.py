"""The equipment of an engine, of either face: its tools, models, clock and name."""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass, field
from typing import Any

from eventstore import Assistant
from eventstore.engine.courses import Clock
from eventstore.engine.models.estimate import Estimate, estimate_tokens
from eventstore.engine.models.registry import Models
from eventstore.engine.state import RunState
from eventstore.engine.step import Rules, ToolRule
from eventstore.engine.toolbox import Toolbox

__all__ = ["Desk", "own_name"]


@dataclass(frozen=True, slots=True)
class Desk:
    """The equipment of an engine."""

    holder: str
    tools: Toolbox
    models: Models
    external: frozenset[str] = frozenset()
    """Names of tools whose outputs the application hands in."""
    lease_seconds: float = 30.0
    clock: Clock = field(default_factory=Clock)
    estimate: Estimate = estimate_tokens
    assistants: dict[Any, Assistant] = field(default_factory=dict)
    """Versions of assistants that were read; a version never changes."""

    def rules(self, state: RunState) -> Rules:
        """Return the rules that the tools of this engine make for a run."""
        shown = {
            name: one.model_definition
            for name, one in self.tools.tools.items()
            if hasattr(one, "model_definition")
        }
        named = {name: self.tools.find(name) for name in state.offered}
        rules = {
            name: ToolRule(one.repeatable, one.approval)
            for name, one in named.items()
            if one is not None
        }
        return Rules(rules, shown, self.estimate, frozenset(self.tools.sets))


def own_name() -> str:
    """Return a name that no other engine has."""
    return f"{socket.gethostname()[:100]}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
