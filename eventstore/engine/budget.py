"""The rest of a run's limits, and the messages that fit into it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from eventstore.engine.models.estimate import Estimate
from eventstore.engine.models.protocol import ModelRequest
from eventstore.engine.settings import Auto, LastMessages, RunSettings
from eventstore.engine.state import RunState

__all__ = ["Budget", "fitting"]

_UNFORCED = frozenset({"auto", "none"})


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of the next model call of a run."""

    spent: str | None
    """Limit that is used up, if one is."""
    prompt_tokens: int | None
    """Most tokens of the next prompt."""
    last_messages: int | None
    """Most messages of the next prompt."""
    cuts: bool
    """Old messages may be left out to make the prompt fit."""
    correction: float
    """Tokens that the provider counted for each one that was estimated, in the last answer."""
    completion_tokens: int | None
    """Most tokens of the next answer."""
    state: RunState
    """The run."""

    @property
    def settings(self) -> RunSettings:
        """Settings of the next model call."""
        changed = {
            "max_completion_tokens": self.completion_tokens,
            "tool_choice": _choice(self.state),
        }
        return self.state.settings.model_copy(update=changed)

    @classmethod
    def of(cls, state: RunState) -> Budget:
        """Return the budget that a run has left."""
        settings, used = state.settings, state.usage
        prompt = _left(settings.max_prompt_tokens, used.input_tokens)
        completion = _left(settings.max_completion_tokens, used.output_tokens)
        limits = {
            "steps_max": settings.steps_max - state.answers,
            "max_prompt_tokens": prompt,
            "max_completion_tokens": completion,
        }
        truncation = settings.truncation
        return cls(
            spent=next(
                (name for name, left in limits.items() if left is not None and left <= 0), None
            ),
            prompt_tokens=prompt,
            last_messages=truncation.last_messages
            if isinstance(truncation, LastMessages)
            else None,
            cuts=isinstance(truncation, Auto),
            correction=_correction(state),
            completion_tokens=completion,
            state=state,
        )


def _left(most: int | None, used: int) -> int | None:
    return None if most is None else most - used


def _choice(state: RunState) -> str | Mapping[str, Any] | None:
    """A forced choice holds for the first answer: forced again, the model would never end."""
    choice = state.settings.tool_choice
    if choice is None or choice in _UNFORCED:
        return choice
    called = any(step.kind == "tool_calls" for step in state.steps) or bool(state.calls)
    return "auto" if called else choice


def _correction(state: RunState) -> float:
    for step in reversed(state.steps):
        if step.estimated and step.counted:
            return step.counted / step.estimated
    return 1.0


def fitting(request: ModelRequest, budget: Budget, estimate: Estimate) -> int | None:
    """Return how many of the newest messages fit; None if not even the last question does.

    A context begins with a user's message, so that no result stands without its call.
    """
    messages, most = request.messages, budget.prompt_tokens
    if most is None:
        return len(messages)

    def fits(start: int) -> bool:
        shown = replace(request, messages=messages[start:])
        return estimate(shown) * budget.correction <= most

    if fits(0):
        return len(messages)
    if not budget.cuts:
        return None
    starts = [at for at, message in enumerate(messages) if message.role == "user"]
    first = bisect_left(starts, x=True, key=fits)
    return None if first == len(starts) else len(messages) - starts[first]
