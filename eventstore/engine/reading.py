"""The reads of the engine: a run, its assistant, steps, messages, events and context."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from eventstore import Assistant, RecordedEvent, Run, RunStep
from eventstore.engine.requests import AnyStore, Ask, Request
from eventstore.engine.state import tool_name

__all__ = [
    "NO_HISTORY",
    "SUBMITTED",
    "History",
    "assistant_of",
    "elsewhere",
    "list_runs",
    "names_of",
    "newest_assistant",
    "read_assistant",
    "read_context",
    "read_events",
    "read_history",
    "read_newest",
    "read_run",
    "read_seen",
    "read_steps",
]

SUBMITTED: Final = "ToolOutputsSubmitted"
_PAGE: Final = 100


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
        _know((yield read_assistant(*key)), known)
    return known[key]


def newest_assistant(
    assistant_id: str, known: dict[Any, Assistant]
) -> Generator[Request, Any, Assistant]:
    """Return an assistant as it was when it was read last, or as it is now."""
    if (assistant_id, None) not in known:
        _know((yield read_assistant(assistant_id, None)), known)
    return known[assistant_id, None]


def _know(found: Assistant, known: dict[Any, Assistant]) -> None:
    """Remember a version of an assistant, and which is the newest."""
    known[found.id, found.version] = found
    newest = known.setdefault((found.id, None), found)
    if newest.version < found.version:
        known[found.id, None] = found


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
