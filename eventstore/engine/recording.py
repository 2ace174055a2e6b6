"""The only module that calls the methods of a store: what the engine reads, and what it writes.

Nothing here waits. A function returns a request, and the driver of a sync or an async store
performs it; both stores have the same methods.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import ValidationError

from eventstore import (
    Assistant,
    AsyncConversationStore,
    Batch,
    ConversationStore,
    Handle,
    InvalidInput,
    Message,
    RecordedEvent,
    Run,
    RunStep,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.engine import records as r
from eventstore.engine.settings import RunSettings
from eventstore.engine.state import CallState, RunState, StepState, added_usage, tool_name

__all__ = [
    "AnyStore",
    "Ask",
    "Asked",
    "Holding",
    "Journal",
    "Request",
    "Together",
    "asked_for",
    "assistant_of",
    "create",
    "loaded",
    "read_assistant",
    "read_context",
    "read_run",
    "read_steps",
    "settings_of",
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
    options: Mapping[str, Any] = field(default_factory=dict)
    """Those of the write."""


Request: TypeAlias = Ask | Together

AnyStore: TypeAlias = ConversationStore | AsyncConversationStore


ANSWER: Final = "message_creation"
CALLS: Final = "tool_calls"
"""Types of steps."""
SUBMITTED: Final = "ToolOutputsSubmitted"
_PAGE: Final = 100


# -- claiming --------------------------------------------------------------------------------------

WRITE_OPTIONS: Final = frozenset(
    {
        "expected_head",
        "expected_version",
        "idempotency_key",
        "actor",
        "reason",
        "subject",
        "connection",
    }
)
"""Names of the options of every write."""


class Asked(NamedTuple):
    """A run that the application wants."""

    thread_id: str
    messages: tuple[Mapping[str, Any], ...]
    """Arguments of messages that are added first."""
    run: Mapping[str, Any]
    """Arguments of the run."""
    options: Mapping[str, Any]
    """Options of the write."""


def asked_for(
    thread_id: str,
    assistant_id: str | None,
    messages: Sequence[Mapping[str, Any]],
    given: Mapping[str, Any],
) -> Asked:
    """Sort arguments into those of messages, of the run, and of the write.

    Raises:
        InvalidInput: the messages are no list.
    """
    if isinstance(messages, str | bytes | Mapping) or not isinstance(messages, Sequence):
        remedy = "Give a list of dicts of the arguments of messages.create."
        raise InvalidInput("messages", "is not a list", remedy)
    options = {name: value for name, value in given.items() if name in WRITE_OPTIONS}
    rest = {name: value for name, value in given.items() if name not in WRITE_OPTIONS}
    run = {"assistant_id": assistant_id, **rest}
    return Asked(thread_id, tuple(messages), run, options)


class Holding(NamedTuple):
    """A holder, and its lease."""

    holder: str
    lease_seconds: float


def create(asked: Asked, holding: Holding | None = None) -> Together:
    """Create a run, and claim it in the same breath; answered with the handles of both."""

    def collect(batch: Batch) -> tuple[Handle[Run], Handle[Run] | None]:
        for number, message in enumerate(asked.messages):
            try:
                batch.messages.create(**message)
            except TypeError:  # of another name, or no mapping
                raise InvalidInput(
                    f"messages[{number}]",
                    "does not hold arguments of messages.create",
                    "Give dicts like {'role': 'user', 'content': 'Hello'}.",
                ) from None
        created = batch.runs.create(**asked.run)
        if holding is None:
            return created, None
        return created, batch.runs.start(str(created.id), **holding._asdict())

    return Together(asked.thread_id, collect, asked.options)


def start(run: Run, holder: str, lease_seconds: float) -> Ask:
    """Claim a queued run: of several engines that try, the log accepts one."""
    return Ask(
        lambda store: store.runs.start(
            run.thread_id, run.id, holder=holder, lease_seconds=lease_seconds
        )
    )


def take_over(run: Run, holder: str, lease_seconds: float) -> Ask:
    """Claim a run whose holder is silent, if it still has the fence that was seen."""
    return Ask(
        lambda store: store.runs.start(
            run.thread_id,
            run.id,
            holder=holder,
            take_over=True,
            fence=run.fence,
            lease_seconds=lease_seconds,
        )
    )


def heartbeat(run: Run, lease_seconds: float) -> Ask:
    """Renew the lease of a run; 0 seconds give it back."""
    return Ask(
        lambda store: store.runs.heartbeat(
            run.thread_id, run.id, fence=run.fence, lease_seconds=lease_seconds
        )
    )


def write_text(run: Run, text: str, message_id: str, offset: int) -> Ask:
    """Show text of the message that is being written."""
    return Ask(
        lambda store: store.runs.write_text(
            run.thread_id, run.id, text, message_id=message_id, offset=offset, fence=run.fence
        )
    )


def expire(run: Run) -> Ask:
    """End a run that took too long, on behalf of its holder if it has one."""
    return Ask(lambda store: store.runs.expire(run.thread_id, run.id, fence=run.fence))


def cancel(run: Run) -> Ask:
    """End a run that was being cancelled when its engine died."""
    return Ask(lambda store: store.runs.cancel(run.thread_id, run.id, fence=run.fence))


# -- reading ---------------------------------------------------------------------------------------


def read_run(thread_id: str, run_id: str) -> Ask:
    """Read a run."""
    return Ask(lambda store: store.runs.get(thread_id, run_id))


def read_assistant(assistant_id: str, version: int | None) -> Ask:
    """Read an assistant as a run knows it."""
    return Ask(lambda store: store.assistants.get(assistant_id, version=version))


def assistant_of(
    run: Run, known: dict[Any, Assistant]
) -> Generator[Request, Any, Assistant | None]:
    """Read the assistant of a run as the run knows it; a version never changes."""
    if run.assistant_id is None:
        return None
    key = (run.assistant_id, run.assistant_version)
    if key not in known:
        known[key] = yield read_assistant(*key)
    return known[key]


def newest_assistant(
    assistant_id: str, known: dict[Any, Assistant]
) -> Generator[Request, Any, Assistant]:
    """Return an assistant as it was when it was read last, or as it is now."""
    versions = [version for one, version in known if one == assistant_id]
    if versions:
        return known[assistant_id, max(versions)]
    found: Assistant = yield read_assistant(assistant_id, None)
    return known.setdefault((assistant_id, found.version), found)


def names_of(tools: object) -> list[str]:
    """Return the names of tools as ``runs.create`` takes them; it refuses what is none of these."""
    if isinstance(tools, str | bytes | Mapping) or not isinstance(tools, Iterable):
        return []
    given = [getattr(one, "definition", one) for one in tools]
    return [tool_name(one) for one in given if isinstance(one, Mapping)]


def list_runs(**filters: object) -> Ask:
    """Read a page of runs of all threads."""
    return Ask(lambda store: store.runs.list(**filters))


def read_steps(run: Run) -> Ask:
    """Read the steps of a run."""
    return Ask(lambda store: store.runs.steps.list(run.thread_id, run.id))


def elsewhere(steps: Iterable[RunStep]) -> frozenset[str]:
    """Return the names of tools that the engines of a run did not have."""
    return frozenset(name for step in steps for name in step.details.get("elsewhere", ()))


def read_newest(run: Run, after: str | None) -> Ask:
    """Read a page of the path to a run's last message, newest first."""
    return Ask(
        lambda store: store.messages.list(
            run.thread_id, until=run.last_message_id, after=after, limit=_PAGE, order="desc"
        )
    )


def read_seen(run: Run, step_id: str) -> Ask:
    """Read the messages that a recorded step saw."""
    return Ask(lambda store: store.runs.context(run.thread_id, run.id, step_id=step_id))


def read_events(run: Run) -> Ask:
    """Read the events of a run's thread."""

    def call(store: AnyStore) -> object:
        events = store.events.read(run.thread_id)
        return _all(events) if isinstance(events, AsyncIterator) else list(events)

    return Ask(call)


async def _all(events: AsyncIterator[RecordedEvent]) -> list[RecordedEvent]:
    return [event async for event in events]


class History(NamedTuple):
    """The events of a run that no row keeps."""

    approvals: tuple[tuple[str, int], ...]
    """Calls that people let the engine make, each with the version at which they did."""
    submitted_at: datetime | None
    """Time at which people last answered all that it waited for."""


NO_HISTORY: Final = History((), None)


def read_history(run: Run, after: int) -> Ask:
    """Read what people did to a run, behind a version."""

    def call(store: AnyStore) -> object:
        events = store.events.read(run.thread_id, after=after)
        if isinstance(events, AsyncIterator):
            return _history_async(events, run)
        return _history(events, run)

    return Ask(call)


async def _history_async(events: AsyncIterator[RecordedEvent], run: Run) -> History:
    return _history([event async for event in events if event.type == SUBMITTED], run)


def _history(events: Iterable[RecordedEvent], run: Run) -> History:
    approvals: list[tuple[str, int]] = []
    at = None
    for event in events:
        if event.type == SUBMITTED and event.data["run_id"] == run.id:
            approvals += [(call, event.version) for call in event.data.get("approved", ())]
            at = event.recorded_at if event.data["all_in"] else at
    return History(tuple(approvals), at)


def read_context(run: Run, last_messages: int | None = None) -> Ask:
    """Read the messages that a model is to see."""
    return Ask(lambda store: store.runs.context(run.thread_id, run.id, last_messages=last_messages))


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


# -- writing ---------------------------------------------------------------------------------------


class Journal:
    """Writes what is decided about one run, under the fence of its claim."""

    def __init__(self, run: Run, step_ids: Iterable[str] = ()) -> None:
        self.run = run
        self.rests: Run | None = None
        """The run as the last record left it, once it has ended or waits for people."""
        self.elsewhere: Sequence[str] = ()
        """Names of tools that the model is offered, and that this engine does not have."""
        self._step_ids = list(step_ids)

    def write(self, records: Sequence[r.Record]) -> Together:
        """Write records together."""
        return Together(self.run.thread_id, lambda batch: self._collect(batch, records))

    def written(self, made: Iterable[Handle[Any]]) -> None:
        """Note the steps that the records began, and the run as they left it."""
        for handle in made:
            if isinstance(handle.object, Run):
                self.rests = handle.object
            elif handle.id is not None:
                self._step_ids.append(handle.id)

    def message_id(self, step: int) -> str:
        """Return the id of the message that a step writes: the step's own, as a message's."""
        return f"msg_{self._step_ids[step].partition('_')[2]}"

    def _collect(self, batch: Batch, records: Sequence[r.Record]) -> list[Handle[Any]]:
        """Collect the calls for some records; return what tells of steps begun, and of the run."""
        made = [self._one(batch, record) for record in records]
        return [handle for handle in made if handle is not None]

    def _one(  # noqa: C901, PLR0911 (one case a record)
        self, batch: Batch, record: r.Record
    ) -> Handle[Run] | Handle[RunStep] | None:
        run, fence = self.run, self._fence
        match record:
            case r.BeginAnswer(context, estimated, tools):
                known: dict[str, Any] = {"estimated_tokens": estimated, "tools": tools}
                known["elsewhere"] = list(self.elsewhere) or None
                details = {key: value for key, value in known.items() if value is not None}
                return batch.runs.steps.start(
                    run.id, type=ANSWER, context=context, details=details or None, **fence
                )
            case r.BeginCalls(calls):
                listed = {"calls": list(calls)}
                return batch.runs.steps.start(run.id, type=CALLS, details=listed, **fence)
            case r.WriteAnswer(step, parts, status, provider):
                batch.messages.create(
                    role="assistant",
                    content=parts,
                    status=status,
                    run_id=run.id,
                    message_id=self.message_id(step),
                    provider=provider,
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
                return batch.runs.require_action(run.id, calls=calls, **fence)
            case r.Complete(usage, reason):
                return batch.runs.complete(run.id, usage=usage, incomplete_reason=reason, **fence)
            case r.Fail(code, message, usage):
                return batch.runs.fail(run.id, code=code, message=message, usage=usage, **fence)
            case r.Expire():
                return batch.runs.expire(run.id, **fence)
            case r.Cancel():
                return batch.runs.cancel(run.id, **fence)
        return None

    @property
    def _fence(self) -> dict[str, Any]:
        return {"fence": self.run.fence}
