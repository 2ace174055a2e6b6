"""The limits by database, and the values of our own that reading limits validate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from benchmarks import limits
from benchmarks.contenders import Contender, Face, Kind, Missing
from benchmarks.field import Entrant, Plan
from benchmarks.places import Database
from benchmarks.results import Result

SAMPLE = 200


def contenders(database: Database) -> tuple[list[Contender], list[Missing]]:
    """The limits of writing."""
    if database is Database.SQLITE:
        return list(limits.CONTENDERS), []
    try:
        from benchmarks import limits_postgres  # noqa: PLC0415 (needs the drivers)
    except ImportError as error:
        return [], [Missing("plain drivers", f"the extra `postgres` has them: {error}", Kind.LIMIT)]
    return list(limits_postgres.CONTENDERS), []


def rows(database: Database, originals: Sequence[BaseModel], length: int) -> list[Contender]:
    """The limits of reading: `length` rows which hold these values over and over."""
    if database is Database.SQLITE:
        return limits.rows(originals, length)
    from benchmarks import limits_postgres  # noqa: PLC0415 (needs the drivers)

    return limits_postgres.rows(originals, length)


def own_messages(plan: Plan, result: Result) -> Sequence[BaseModel]:
    """Messages of our own model for a limit to validate."""
    found = _own(plan, result, lambda one, thread: one.driver.sample(thread, SAMPLE))
    if not found:
        result.notes.append("The limit validates a stand-in, since our own model could not be had.")
    return found or limits.stand_ins(SAMPLE)


def own_events(plan: Plan, result: Result) -> Sequence[BaseModel]:
    """Events of our own model for a limit to validate; none if they could not be had."""
    return _own(plan, result, lambda one, _: one.driver.ask(lambda store: store.events(SAMPLE)))


def _own(
    plan: Plan, result: Result, read: Callable[[Entrant, str], Sequence[Any]]
) -> Sequence[BaseModel]:
    ours = [one for face in Face for one in plan.ours(face)][:1]
    with plan.field(f"{result.work} sample", ours) as field:
        samples = field.each(lambda one: read(one, one.driver.new_thread(SAMPLE)))
    return [one for sample in samples.values() for one in sample if isinstance(one, BaseModel)]
