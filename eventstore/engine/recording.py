"""The only module that calls the methods of a store: what the engine reads, and what it writes.

Nothing here waits. A function returns a request, and the driver of a sync or an async store
performs it; both stores have the same methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from pydantic import ValidationError

from eventstore import (
    Assistant,
    Batch,
    InvalidInput,
    Message,
    Run,
    RunStep,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.engine import records as r
from eventstore.engine.settings import RunSettings
from eventstore.engine.state import CallState, RunState, StepState, added_usage

__all__ = [
    "Ask",
    "Journal",
    "Request",
    "Together",
    "loaded",
    "read_assistant",
    "read_context",
    "read_run",
    "read_steps",
]


@dataclass(frozen=True, slots=True)
class Ask:
    """One call of a method of the store."""

    call: Callable[[Any], Any]
    """Takes the store; returns the answer, or an awaitable of it."""


@dataclass(frozen=True, slots=True)
class Together:
    """Calls that are performed together, or not at all."""

    thread_id: str
    collect: Callable[[Batch], Any]


Request: TypeAlias = Ask | Together


# -- reading ---------------------------------------------------------------------------------------


def start(run: Run, holder: str, _: float, *, take_over: bool = False) -> Ask:
    """Claim a run: of several engines that try, the log accepts one."""
    return Ask(
        lambda store: store.runs.start(run.thread_id, run.id, holder=holder, take_over=take_over)
    )


def expire(run: Run) -> Ask:
    """End a run that waited too long."""
    return Ask(lambda store: store.runs.expire(run.thread_id, run.id))


def cancel(run: Run) -> Ask:
    """End a run that was being cancelled when its engine died."""
    return Ask(lambda store: store.runs.cancel(run.thread_id, run.id))


def read_run(thread_id: str, run_id: str) -> Ask:
    """Read a run."""
    return Ask(lambda store: store.runs.get(thread_id, run_id))


def read_assistant(assistant_id: str, version: int | None) -> Ask:
    """Read an assistant as a run knows it."""
    return Ask(lambda store: store.assistants.get(assistant_id, version=version))


def read_steps(run: Run) -> Ask:
    """Read the steps of a run."""
    return Ask(lambda store: store.runs.steps.list(run.thread_id, run.id))


def read_context(run: Run, last_messages: int | None = None) -> Ask:
    """Read the messages that a model is to see."""
    return Ask(lambda store: store.runs.context(run.thread_id, run.id, last_messages=last_messages))


def loaded(
    run: Run,
    assistant: Assistant | None = None,
    steps: Sequence[RunStep] = (),
    messages: Sequence[Message] = (),
) -> RunState:
    """Return the state of a run from what the store holds of it: all its steps and messages.

    Raises:
        InvalidInput: the settings are malformed.
    """
    own = _own(run, messages)
    step_states = tuple(map(_step_state, steps))
    usage = None
    for step in steps:
        usage = added_usage(usage, step.usage)
    return RunState(
        model=run.model,
        instructions=run.instructions or (assistant.instructions if assistant else None),
        tools=run.tools or (assistant.tools if assistant else ()),
        settings=_settings(run, assistant),
        status=run.status,
        steps=step_states,
        calls=_calls(own, step_states),
        answered=bool(own) and _is_answer(own[-1]),
        usage=added_usage(None, usage),
    )


def _own(run: Run, messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages behind the head on which the run started."""
    for index, message in enumerate(messages):
        if message.id == run.started_head_id:
            return messages[index + 1 :]
    return messages if run.started_head_id is None else ()


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


def _calls(own: Sequence[Message], steps: Iterable[StepState]) -> tuple[CallState, ...]:
    """Return the calls of the newest answer, each with what is known of its outcome."""
    begun = {call for step in steps for call in step.calls}
    answered: set[str] = set()
    for message in reversed(own):
        answered |= {part.call_id for part in message.content if isinstance(part, ToolResultPart)}
        if message.role == "assistant":
            return tuple(
                CallState(
                    part.id,
                    part.name,
                    part.arguments,
                    "answered"
                    if part.id in answered
                    else "unknown"
                    if part.id in begun
                    else "open",
                )
                for part in message.content
                if isinstance(part, ToolCallPart)
            )
    return ()


def _settings(run: Run, assistant: Assistant | None) -> RunSettings:
    given = {**(assistant.settings if assistant else {}), **run.settings}
    try:
        return RunSettings.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(["settings", *(str(step) for step in first["loc"][:1])])
    raise InvalidInput(where, first["msg"], "See eventstore.engine.RunSettings.")


# -- writing ---------------------------------------------------------------------------------------

ANSWER: Final = "message_creation"
CALLS: Final = "tool_calls"


class Journal:
    """Writes what is decided about one run, under the fence of its claim."""

    def __init__(self, run: Run, step_ids: Iterable[str] = ()) -> None:
        self.run = run
        self._step_ids = list(step_ids)

    def write(self, records: Sequence[r.Record]) -> Together:
        """Write records together."""
        return Together(self.run.thread_id, lambda batch: self._collect(batch, records))

    def written(self, begun: Iterable[str]) -> None:
        """Note the ids of the steps that the records began."""
        self._step_ids += begun

    def message_id(self, step: int) -> str:
        """Return the id of the message that a step writes: the step's own, as a message's."""
        return f"msg_{self._step_ids[step].partition('_')[2]}"

    def _collect(self, batch: Batch, records: Sequence[r.Record]) -> list[str]:
        """Collect the calls for some records; return the ids of the steps that they begin."""
        begun = []
        for record in records:
            step_id = self._one(batch, record)
            if step_id is not None:
                begun.append(step_id)
        return begun

    def _one(self, batch: Any, record: r.Record) -> Any:  # noqa: ANN401, C901 (one case a record)
        run, fence = self.run, self._fence
        match record:
            case r.BeginAnswer(context, estimated):
                details = None if estimated is None else {"estimated_tokens": estimated}
                return batch.runs.steps.start(
                    run.id, type=ANSWER, context=context, details=details, **fence
                ).id
            case r.BeginCalls(calls):
                listed = {"calls": list(calls)}
                return batch.runs.steps.start(run.id, type=CALLS, details=listed, **fence).id
            case r.WriteAnswer(step, parts, status, provider):
                batch.messages.create(
                    role="assistant",
                    content=parts,
                    status=status,
                    run_id=run.id,
                    message_id=self.message_id(step),
                    **({} if provider is None else {"provider": provider}),
                    **fence,
                )
            case r.WriteResult(call_id, output, status, parts):
                result = ToolResultPart(call_id=call_id, output=output, status=status)
                batch.messages.create(role="tool", content=[result, *parts], run_id=run.id, **fence)
            case r.EndStep(step, usage, details):
                batch.runs.steps.complete(
                    self._step_ids[step], usage=usage, details=details or None, **fence
                )
            case r.FailStep(step, code, message):
                batch.runs.steps.fail(self._step_ids[step], code=code, message=message, **fence)
            case r.RequireAction(calls):
                batch.runs.require_action(run.id, calls=list(calls), **fence)
            case r.Complete(usage, reason):
                batch.runs.complete(run.id, usage=usage, incomplete_reason=reason, **fence)
            case r.Fail(code, message, usage):
                batch.runs.fail(run.id, code=code, message=message, usage=usage, **fence)
            case r.Expire():
                batch.runs.expire(run.id, **fence)
            case r.Cancel():
                batch.runs.cancel(run.id, **fence)
        return None

    @property
    def _fence(self) -> dict[str, Any]:
        fence = getattr(self.run, "fence", None)
        return {} if fence is None else {"fence": fence}
