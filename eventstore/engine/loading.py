"""The state of a run, read back from what the store holds of it: its steps and its messages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from eventstore import Assistant, InvalidInput, Message, Run, RunStep, ToolCallPart, ToolResultPart
from eventstore.engine.journal import CALLS
from eventstore.engine.reading import NO_HISTORY, History
from eventstore.engine.settings import RunSettings
from eventstore.engine.state import CallState, RunState, StepState, added_usage

__all__ = ["loaded", "settings_of"]


def loaded(
    run: Run,
    assistant: Assistant | None = None,
    steps: Sequence[RunStep] = (),
    own: Sequence[Message] = (),
    history: History = NO_HISTORY,
) -> RunState:
    """Return the state of a run from what the store holds of it: all its steps and messages.

    Raises:
        InvalidInput: the settings are malformed.
    """
    usage = None
    for step in steps:
        usage = added_usage(usage, step.usage)
    return RunState(
        model=run.model,
        instructions=run.instructions or (assistant.instructions if assistant else None),
        tools=_tools(run, assistant, steps),
        settings=settings_of(run, assistant),
        status=run.status,
        steps=tuple(map(_step_state, steps)),
        calls=_calls(own, steps, history),
        answered=bool(own) and _is_answer(own[-1]),
        usage=added_usage(None, usage),
    )


def _tools(
    run: Run, assistant: Assistant | None, steps: Sequence[RunStep]
) -> tuple[Mapping[str, Any], ...]:
    """Return the definitions that the model is offered: those that the run listed, if it did."""
    listed = next((step.details["tools"] for step in steps if "tools" in step.details), None)
    if listed is not None:
        return tuple(listed)
    return tuple(run.tools or (assistant.tools if assistant else ()))


def _is_answer(message: Message) -> bool:
    called = any(isinstance(part, ToolCallPart) for part in message.content)
    return message.role == "assistant" and message.status == "completed" and not called


def _step_state(step: RunStep) -> StepState:
    ended = {"completed": "completed", "in_progress": "lost", "abandoned": "lost"}
    answered = step.type != CALLS
    return StepState(
        kind="message_creation" if answered else "tool_calls",
        status=ended.get(step.status, "failed"),  # type: ignore[arg-type]
        calls=() if answered else tuple(step.details.get("calls", ())),
        estimated=step.details.get("estimated_tokens"),
        counted=None if step.usage is None else step.usage.input_tokens,
    )


def _calls(
    own: Sequence[Message], steps: Iterable[RunStep], history: History
) -> tuple[CallState, ...]:
    """Return the calls of the newest answer, each with what is known of its outcome."""
    begun = {call: step.version for step in steps for call in step.details.get("calls", ())}
    approved = dict(history.approvals)
    answered: set[str] = set()

    def state(part: ToolCallPart) -> CallState:
        made = begun.get(part.id)
        return CallState(
            part.id,
            part.name,
            part.arguments,
            status="answered" if part.id in answered else "open" if made is None else "unknown",
            approved=part.id not in answered and approved.get(part.id, 0) > (made or 0),
        )

    for message in reversed(own):
        answered |= {part.call_id for part in message.content if isinstance(part, ToolResultPart)}
        if message.role == "assistant":
            return tuple(state(one) for one in message.content if isinstance(one, ToolCallPart))
    return ()


def settings_of(run: Run, assistant: Assistant | None) -> RunSettings:
    """Return the settings of a run, merged over those of its assistant.

    Raises:
        InvalidInput: they are malformed.
    """
    given = {**(assistant.settings if assistant else {}), **run.settings}
    try:
        return RunSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(["settings", *(str(step) for step in first["loc"][:1])])
    raise InvalidInput(where, first["msg"], "See eventstore.engine.RunSettings.")
