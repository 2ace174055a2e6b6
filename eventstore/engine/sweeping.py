"""Look through the runs of the store for those that nobody goes on with.

An engine looks when it begins, and once a lease. A worker finds the runs of its queue. Every engine
finds runs whose holder is silent, runs that nobody began, and runs that waited for people too long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from eventstore import InvalidInput, NotFound, Refused, Run
from eventstore.engine import reading, recording
from eventstore.engine.backlog import Key
from eventstore.engine.courses import Course
from eventstore.engine.desk import Desk
from eventstore.engine.loading import settings_of
from eventstore.engine.state import tool_name

__all__ = ["Swept", "sweep"]

_PAGES_MAX: Final = 20
"""The rest has its turn with the next look."""
_TURNS: Final = 3
"""Leases for which a run whose model is unknown here is left to engines that may know it."""


class Swept(NamedTuple):
    """The result of a look."""

    found: list[Key]
    """Runs that this engine should go on with."""
    expires_at: datetime | None
    """Time at which the next run has waited for people too long."""


def sweep(desk: Desk, queue: str | None, own: Collection[Key], *, recover: bool) -> Course[Swept]:
    """Return the runs that this engine should go on with; expire those that waited too long."""
    found: list[Run] = []
    if queue is not None:
        found += yield from _pages(status="queued", queue=queue)
    if recover:
        found += yield from _left_behind(desk, queue)
    waiting = yield from _pages(status="requires_action", queue=queue)
    ends: list[datetime] = []
    for run in waiting:
        mine = Key(run.thread_id, run.id) in own
        if mine or (recover and (yield from _is_for(run, desk))):
            ends += yield from _expire_if_late(run, desk)
    return Swept([Key(run.thread_id, run.id) for run in found], min(ends, default=None))


def _left_behind(desk: Desk, queue: str | None) -> Course[list[Run]]:
    """Return runs whose engine died, and runs that nobody began."""
    found, now = [], desk.clock.now()
    silent = yield from _pages(lease_ended=True, queue=queue)
    if queue is None:
        before = now - timedelta(seconds=desk.lease_seconds)
        silent += yield from _pages(status="queued", queue=None, updated_before=before)
    for run in silent:
        if (yield from _is_for(run, desk)) or (yield from _is_over(run, desk)):
            found += [run]
    return found


def _pages(**filters: object) -> Course[list[Run]]:
    found: list[Run] = []
    after = None
    for _ in range(_PAGES_MAX):
        page = yield reading.list_runs(after=after, **filters)
        found += page.data
        after = page.next_cursor
        if after is None:
            break
    return found


def _is_for(run: Run, desk: Desk) -> Course[bool]:
    """Return whether the engine has the model and the tools that a run names."""
    return _has_model(run, desk) and (yield from _has_tools(run, desk))


def _has_model(run: Run, desk: Desk) -> bool:
    """Return whether the engine has a run's model, or nobody does: then it fails, with a code."""
    if run.model is None or desk.models.knows(run.model):
        return True
    silent = desk.clock.now() - (run.lease_ends_at or run.updated_at)
    return silent >= timedelta(seconds=_TURNS * desk.lease_seconds)


def _has_tools(run: Run, desk: Desk) -> Course[bool]:
    """Return whether the engine has a run's tools, but for those that its engine had not, either.

    The settings and the steps of a run name those: their outputs come from outside.
    """
    assistant = yield from reading.assistant_of(run, desk.assistants)
    tools: Iterable[object] = run.tools or (assistant.tools if assistant else ())
    names = {tool_name(one) for one in tools}  # type: ignore[arg-type]
    lacking = {one for one in names if one not in desk.external and not desk.tools.knows(one)}
    with suppress(InvalidInput):  # it fails as soon as it goes on
        lacking.difference_update(settings_of(run, assistant).external_tools)
    if lacking and run.started_at is not None:
        steps = yield reading.read_steps(run)
        lacking -= reading.elsewhere(steps)
    return not lacking


def _expire_if_late(run: Run, desk: Desk) -> Course[list[datetime]]:
    """Expire a run that waited too long; return when it will have, if it has not."""
    assistant = yield from reading.assistant_of(run, desk.assistants)
    # Settings that nobody can follow are not the engine's; a run may be no longer as it was seen.
    with suppress(InvalidInput, Refused, NotFound):
        patience = settings_of(run, assistant).action_expires_seconds
        ends_at = run.updated_at + timedelta(seconds=patience)
        if desk.clock.now() < ends_at:
            return [ends_at]
        yield recording.expire(run)
    return []


def _is_over(run: Run, desk: Desk) -> Course[bool]:
    """Return whether the time of a run is over, so that any engine may end it."""
    assistant = yield from reading.assistant_of(run, desk.assistants)
    try:
        patience = settings_of(run, assistant).expires_seconds
    except InvalidInput:
        return False
    return desk.clock.now() >= run.updated_at + timedelta(seconds=patience)
