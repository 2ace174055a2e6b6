"""One run from the moment an engine wants it: claim it, then execute it.

The claim is an append, ``runs.start``. Whatever engines believe, the log accepts one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from eventstore import (
    InvalidInput,
    LeaseLost,
    NotFound,
    OutcomeUnknown,
    Refused,
    Run,
    StoreBusy,
    StoreUnavailable,
)
from eventstore.engine import loading, reading, recording
from eventstore.engine.asking import PASSING
from eventstore.engine.conducting import conduct
from eventstore.engine.courses import Claim, Course
from eventstore.engine.desk import Desk
from eventstore.engine.recording import Asked, Holding
from eventstore.engine.settings import RunSettings
from eventstore.engine.state import TERMINAL

__all__ = ["Claimed", "Held", "NotYet", "Outcome", "Rested", "claimed", "created", "work"]

_TROUBLE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Rested:
    """The run ended, waits for people, or is no affair of this engine."""

    run: Run | None = None
    """The run as it was left, if it is known."""


@dataclass(frozen=True, slots=True)
class NotYet:
    """Another run of the thread comes first; at that time it is too late for this one."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """Another engine executes it; its lease ends at that time, unless it is renewed."""

    until: datetime | None


Outcome: TypeAlias = Rested | NotYet | Held


@dataclass(frozen=True, slots=True)
class Claimed:
    """The run is ours."""

    claim: Claim


def created(asked: Asked, desk: Desk, *, claim: bool) -> Course[tuple[Run, Claimed | None]]:
    """Create a run, and claim it at once if that is wanted and its turn has come."""
    asked = yield from _with_external_tools(asked, desk)
    if claim:
        try:
            made, begun = yield recording.create(asked, Holding(desk.holder, desk.lease_seconds))
        except Refused as error:
            if error.reason != "not_its_turn":
                raise
        else:
            run: Run = made.object
            return run, _claim(begun.object, desk, fresh=True, since=run.created_at)
    made, _ = yield recording.create(asked)
    return made.object, None


def _with_external_tools(asked: Asked, desk: Desk) -> Course[Asked]:
    """Return the same run with the names of its tools that this engine has not.

    An engine that goes on with it may have died before the first step, which names them, too. Those
    of a queue are its workers' affair.
    """
    if asked.run.get("queue") is not None:
        return asked
    tools, assistant_id = asked.run.get("tools"), asked.run.get("assistant_id")
    assistant = None
    if isinstance(assistant_id, str):
        with suppress(NotFound, InvalidInput):  # creating the run says so
            assistant = yield from reading.newest_assistant(assistant_id, desk.assistants)
    if tools is None:
        tools = () if assistant is None else assistant.tools
    external = {name for name in reading.names_of(tools) if not desk.tools.knows(name)}
    settings = asked.run.get("settings") or {}
    if not external or not isinstance(settings, Mapping):
        return asked
    before = (assistant.settings if assistant else {}) | dict(settings)
    known = before.get("external_tools", ())
    if isinstance(known, list | tuple):
        names = sorted(external.union(one for one in known if isinstance(one, str)))
        settings = {**settings, "external_tools": names}
    return asked._replace(run={**asked.run, "settings": settings})


def claimed(
    thread_id: str, run_id: str, desk: Desk, queue: str | None = None
) -> Course[Claimed | Outcome]:
    """Claim a run if it can be claimed now; one of a queue, if a queue is named."""
    while True:
        try:
            run: Run = yield reading.read_run(thread_id, run_id)
            if queue is not None and run.queue != queue:
                return Rested()
            outcome = yield from _try(run, desk)
        except (NotFound, InvalidInput):  # whoever asked for it hears why
            return Rested()
        except (StoreBusy, OutcomeUnknown):
            return _soon(desk)
        except StoreUnavailable as error:
            if error.reason not in PASSING:
                raise
            return _soon(desk)
        if outcome is not None:
            return outcome


def _soon(desk: Desk) -> Held:
    """Look again soon: the database is in trouble that may pass."""
    return Held(desk.clock.now() + timedelta(seconds=_TROUBLE_SECONDS))


def _try(run: Run, desk: Desk) -> Course[Claimed | Outcome | None]:
    """Claim a run as it was read; None if it changed meanwhile."""
    try:
        return (yield from _claimed(run, desk))
    except LeaseLost:
        return None
    except Refused as error:
        if error.reason == "not_its_turn":
            return NotYet((yield from _expires_at(run, desk)))
        return None if error.reason in {"illegal_transition", "run_ended"} else Rested()


def _claimed(run: Run, desk: Desk) -> Course[Claimed | Outcome]:
    if run.status in TERMINAL or run.status == "requires_action":
        return Rested()
    if run.status == "queued":
        return (yield from _begin(run, desk))
    if run.holder == desk.holder and run.status == "in_progress":
        return _claim(run, desk, since=run.created_at)  # the answer to the claim was lost
    if run.lease_ends_at is not None and desk.clock.now() < run.lease_ends_at:
        return Held(run.lease_ends_at)
    if run.status == "cancelling":
        yield recording.cancel(run)
        return Rested()
    taken: Run = yield recording.take_over(run, desk.holder, desk.lease_seconds)
    return _claim(taken, desk, since=run.created_at)


def _begin(run: Run, desk: Desk) -> Course[Claimed | Outcome]:
    """Begin a queued run, or go on with one whose outputs came in."""
    if desk.clock.now() >= (yield from _expires_at(run, desk)):
        yield recording.expire(run)
        return Rested()
    begun: Run = yield recording.start(run, desk.holder, desk.lease_seconds)
    # Another engine may have begun it since it was read, and people answered: then it has messages.
    fresh = run.started_at is None and begun.last_message_id == begun.started_head_id
    return _claim(begun, desk, fresh=fresh, since=_queued_at(run))


def _claim(run: Run, desk: Desk, *, since: datetime, fresh: bool = False) -> Claimed:
    return Claimed(Claim(run, fresh=fresh, lease_seconds=desk.lease_seconds, since=since))


def _queued_at(run: Run) -> datetime:
    return run.created_at if run.started_at is None else run.updated_at


def _expires_at(run: Run, desk: Desk) -> Course[datetime]:
    """Return the time at which a queued run expires."""
    assistant = yield from reading.assistant_of(run, desk.assistants)
    try:
        patience = loading.settings_of(run, assistant).expires_seconds
    except InvalidInput:  # it fails as soon as it begins
        patience = RunSettings().expires_seconds
    return _queued_at(run) + timedelta(seconds=patience)


def work(claim: Claim, desk: Desk) -> Course[Rested]:
    """Execute a claimed run."""
    left = yield from conduct(claim, desk.rules, desk.clock, desk.assistants)
    return Rested(left)
