"""The state of a run as the engine sees it: a fold of what was recorded.

The state knows which steps and tool calls there are and how they stand, and no words: the text of
messages goes from the store to the model without passing through here. ``evolve`` adds one record.
``loading.py`` reads the same state back from a store; a law holds both to each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Final, Literal, TypeAlias

from eventstore import TokenUsage, ToolCallPart
from eventstore.engine import records as r
from eventstore.engine.settings import RunSettings

__all__ = [
    "CallState",
    "RunState",
    "StepState",
    "added_usage",
    "evolve",
    "evolved",
    "left_by_the_dead",
    "tool_name",
]

StepKind: TypeAlias = Literal["message_creation", "tool_calls"]
CallStatus: TypeAlias = Literal["open", "running", "unknown", "answered"]

NOTHING_USED: Final = TokenUsage(input_tokens=0, output_tokens=0, total_tokens=0)
TERMINAL: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})


@dataclass(frozen=True, slots=True)
class StepState:
    """A step: one model call, or one round of tools."""

    kind: StepKind
    status: Literal["running", "completed", "failed", "lost"] = "running"
    """``"lost"``: whoever ran it died, so its outcome is unknown."""
    calls: tuple[str, ...] = ()
    """Tool calls that the round makes."""
    estimated: int | None = None
    """Tokens of the prompt, as estimated beforehand."""
    counted: int | None = None
    """Tokens of the prompt, as the provider counted them."""


@dataclass(frozen=True, slots=True)
class CallState:
    """A tool call of the newest answer."""

    id: str
    name: str
    arguments: Any = field(repr=False)
    status: CallStatus = "open"
    approved: bool = False
    """A person let the engine make the call, or make it again."""


@dataclass(frozen=True, slots=True)
class RunState:
    """Where a run stands."""

    model: str | None = None
    instructions: str | None = field(default=None, repr=False)
    tools: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """Definitions of the tools that the model is offered."""
    settings: RunSettings = field(default_factory=RunSettings, repr=False)
    status: str = "in_progress"
    steps: tuple[StepState, ...] = ()
    calls: tuple[CallState, ...] = ()
    """Tool calls of the newest answer."""
    answered: bool = False
    """The newest message of the run is an answer that calls no tool."""
    usage: TokenUsage = NOTHING_USED
    """Tokens of all steps so far."""

    @property
    def running(self) -> int | None:
        """Number of the step that is running, if one is."""
        number = len(self.steps) - 1
        return number if self.steps and self.steps[number].status == "running" else None

    @property
    def answers(self) -> int:
        """Number of model calls that were begun, without those that the death of an engine cost."""
        return sum(step.kind == "message_creation" and step.status != "lost" for step in self.steps)

    @property
    def offered(self) -> frozenset[str]:
        """Names of the tools that the model is offered."""
        return frozenset(map(tool_name, self.tools))

    @property
    def ended(self) -> bool:
        """The run has ended."""
        return self.status in TERMINAL


def tool_name(definition: Mapping[str, Any]) -> str:
    """Return the name in a tool's definition, in any of the usual forms; else its type."""
    function = definition.get("function")
    named = function if isinstance(function, Mapping) else definition
    return str(named.get("name") or definition.get("type", ""))


def evolve(state: RunState, record: r.Record) -> RunState:  # noqa: C901, PLR0911 (one case a record)
    """Return the state after a record."""
    match record:
        case r.BeginAnswer(estimated=estimated, tools=tools):
            begun = StepState("message_creation", estimated=estimated)
            offered = state.tools if tools is None else tools
            return replace(state, steps=(*state.steps, begun), tools=offered)
        case r.BeginCalls(calls):
            running = _with_calls(
                state, calls, lambda call: replace(call, status="running", approved=False)
            )
            return replace(running, steps=(*state.steps, StepState("tool_calls", calls=calls)))
        case r.WriteAnswer(parts=parts, status=status):
            made = tuple(
                CallState(part.id, part.name, part.arguments)
                for part in parts
                if isinstance(part, ToolCallPart)
            )
            return replace(state, calls=made, answered=status == "completed" and not made)
        case r.WriteResult(call_id):
            return _with_calls(state, (call_id,), lambda call: replace(call, status="answered"))
        case r.EndStep(usage=usage):
            ended = _ended(state, "completed", None if usage is None else usage.input_tokens)
            return replace(ended, usage=added_usage(state.usage, usage))
        case r.FailStep():
            return _ended(state, "failed")
        case r.RequireAction():
            return replace(state, status="requires_action")
        case r.Complete(incomplete_reason=reason):
            return replace(state, status="completed" if reason is None else "incomplete")
        case r.Fail():
            return replace(state, status="failed")
        case r.Expire():
            return replace(state, status="expired")
        case r.Cancel():
            return replace(state, status="cancelled")


def evolved(state: RunState, records: Iterable[r.Record]) -> RunState:
    """Return the state after several records."""
    return reduce(evolve, records, state)


def left_by_the_dead(state: RunState) -> RunState:
    """Return the state as another process finds it: what ran there has an unknown outcome."""
    steps = tuple(
        replace(step, status="lost") if step.status == "running" else step for step in state.steps
    )
    calls = tuple(
        replace(call, status="unknown") if call.status == "running" else call
        for call in state.calls
    )
    return replace(state, steps=steps, calls=calls)


def _with_calls(
    state: RunState, ids: Iterable[str], changed: Callable[[CallState], CallState]
) -> RunState:
    named = frozenset(ids)
    calls = tuple(changed(one) if one.id in named else one for one in state.calls)
    return replace(state, calls=calls)


def _ended(
    state: RunState, status: Literal["completed", "failed"], counted: int | None = None
) -> RunState:
    *before, last = state.steps
    return replace(state, steps=(*before, replace(last, status=status, counted=counted)))


def added_usage(so_far: TokenUsage | None, more: TokenUsage | None) -> TokenUsage:
    """Return the sum of two counts of tokens."""
    if more is None and so_far is not None:
        return so_far
    both = [usage for usage in (so_far, more) if usage is not None]
    return TokenUsage(
        input_tokens=sum(usage.input_tokens for usage in both),
        output_tokens=sum(usage.output_tokens for usage in both),
        total_tokens=sum(usage.total_tokens for usage in both),
    )
