"""The writes of the engine: it creates runs, claims them, shows their text and ends them.

With ``engine/reading.py`` and ``engine/journal.py`` this is all that calls the methods of a store.
Nothing here waits: a function returns a request, and the driver of either store performs it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from eventstore import Batch, Handle, InvalidInput, Run
from eventstore.engine.requests import Ask, Together

__all__ = [
    "WRITE_OPTIONS",
    "Asked",
    "Holding",
    "asked_for",
    "cancel",
    "create",
    "expire",
    "heartbeat",
    "start",
    "take_over",
    "write_text",
]

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
