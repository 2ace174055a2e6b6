"""One run from the moment an engine wants it: claim it, then execute it.

The claim is an append, ``runs.start``. Whatever engines believe, the log accepts one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from eventstore import LeaseLost, NotFound, Refused, Run
from eventstore.engine import recording
from eventstore.engine.conducting import Claim, Course, conduct
from eventstore.engine.desk import Desk
from eventstore.engine.state import TERMINAL

__all__ = ["Claimed", "Held", "NotYet", "Outcome", "Rested", "claimed", "work"]


@dataclass(frozen=True, slots=True)
class Rested:
    """The run ended, waits for people, or is no affair of this engine."""


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


def claimed(thread_id: str, run_id: str, desk: Desk) -> Course[Claimed | Outcome]:
    """Claim a run if it can be claimed now."""
    while True:
        try:
            run: Run = yield recording.read_run(thread_id, run_id)
        except NotFound:
            return Rested()
        if run.status in TERMINAL or run.status == "requires_action":
            return Rested()
        try:
            return (yield from _try(run, desk))
        except LeaseLost:
            continue  # somebody was faster; look again
        except Refused as error:
            if error.reason == "not_its_turn":
                since = run.created_at if run.started_at is None else run.updated_at
                return NotYet(since + timedelta(seconds=_patience(run)))
            if error.reason not in {"illegal_transition", "run_ended"}:
                return Rested()


def _try(run: Run, desk: Desk) -> Course[Claimed | Outcome]:
    if run.status == "queued":
        return (yield from _begin(run, desk))
    if run.lease_ends_at is not None and desk.clock.now() < run.lease_ends_at:
        return Held(run.lease_ends_at)
    if run.status == "cancelling":
        yield recording.cancel(run)
        return Rested()
    taken: Run = yield recording.take_over(run, desk.holder, desk.lease_seconds)
    return Claimed(
        Claim(taken, fresh=False, lease_seconds=desk.lease_seconds, since=run.created_at)
    )


def _begin(run: Run, desk: Desk) -> Course[Claimed | Outcome]:
    """Begin a queued run, or go on with one whose outputs came in."""
    fresh = run.started_at is None
    since = run.created_at if fresh else run.updated_at
    if desk.clock.now() >= since + timedelta(seconds=_patience(run)):
        yield recording.expire(run)
        return Rested()
    begun: Run = yield recording.start(run, desk.holder, desk.lease_seconds)
    return Claimed(Claim(begun, fresh=fresh, lease_seconds=desk.lease_seconds, since=since))


def _patience(run: Run) -> float:
    given = run.settings.get("expires_seconds", 600.0)
    return float(given) if isinstance(given, int | float) else 600.0


def work(claim: Claim, desk: Desk) -> Course[None]:
    """Execute a claimed run."""
    yield from conduct(claim, desk.rules, desk.clock, desk.assistants)
