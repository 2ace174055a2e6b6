"""W5: reading the whole store in order, typed, and rebuilding all its tables from the events.

The store has 200,000 events over 2,000 threads. The limit reads as many rows with the plain driver
and validates them into our own event model; nobody keeps what was read. Memory is what the process
held at the peak above what it held before the pass, the garbage collected: neither pass may hold
what it has read.

A rebuild writes only the rows that are not what the events say. So it is measured twice: where all
are there and right, and where all were lost. The goal is held to the second.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from benchmarks import goals, limiting, memory
from benchmarks.contenders import Face, Kind
from benchmarks.field import Entrant, Field, Plan
from benchmarks.goals import Comparison, Goal, ratios
from benchmarks.results import Column, Result, Row, Table

TITLE = "reading the whole store in order; rebuilding all of it"
ROUNDS_MAX = 3
COLUMNS = (
    Column("read", "events read/s"),
    Column("read MB", "MB gained", 1),
    Column("right", "events/s where rows are right"),
    Column("rebuilt", "events rebuilt/s, rows lost"),
    Column("rebuilt MB", "MB gained", 1),
)


@dataclass(frozen=True, slots=True)
class _Size:
    """The number of threads, and of each one's events: its beginning and its messages."""

    threads: int
    events: int

    @property
    def total(self) -> int:
        return self.threads * self.events


LOST = ("threads", "messages", "segments", "branch_points", "thread_metadata")
"""The tables in which the store of this work has rows, but for heads and events."""
FULL = _Size(threads=2_000, events=100)
QUICK = _Size(threads=50, events=40)

Figures = dict[str, float]


def run(plan: Plan, result: Result) -> None:
    """Measure both faces."""
    size = QUICK if plan.quick else FULL
    originals = limiting.own_events(plan, result)
    limits = limiting.rows(plan.database, originals, size.total) if originals else []
    result.notes.append(f"{size.total:,} events over {size.threads:,} threads.")
    for face in plan.faces:
        entering = [*plan.limits(limits, face), *plan.ours(face)]
        with plan.field(f"W5 {face}", entering) as field:
            field.each(lambda one: _build(one, size))
            passes = field.rounds(min(plan.rounds, ROUNDS_MAX), lambda one: _passes(one, size))
            result.tables.append(_table(field, passes, face))
        result.missing += field.failed


def _build(entrant: Entrant, size: _Size) -> None:
    if entrant.contender.kind is Kind.OURS:
        for _ in range(size.threads):
            entrant.driver.new_thread(size.events - 1)
    entrant.place.settle()


def _passes(entrant: Entrant, size: _Size) -> Figures:
    figures = _pass("read", entrant, size)
    if entrant.contender.kind is Kind.OURS:
        figures |= _pass("right", entrant, size)
        entrant.place.lose(LOST)
        figures |= _pass("rebuilt", entrant, size)
    return figures


def _pass(which: str, entrant: Entrant, size: _Size) -> Figures:
    with memory.growth() as grown:
        started = perf_counter()
        if which == "read":
            found = entrant.driver.ask(lambda store: store.read_all())
            expected = size.total
        else:
            found = entrant.driver.ask(lambda store: store.rebuild())
            expected = size.threads
        seconds = perf_counter() - started
    if found != expected:
        raise ValueError(f"{which} {found} where there are {expected}")
    gained = {} if grown.megabytes is None else {f"{which} MB": grown.megabytes}
    return {which: size.total / seconds, **gained}


def _table(field: Field, passes: dict[str, list[Figures]], face: Face) -> Table:
    rows = [
        Row(one.name, one.contender.kind, _medians(passes[one.name]), one.durability)
        for one in field.entrants
    ]
    mine, limit = (
        [figures for one in field.of_kind(kind) for figures in passes[one.name]]
        for kind in (Kind.OURS, Kind.LIMIT)
    )
    against = [one.name for one in field.of_kind(Kind.LIMIT)]
    comparisons = [
        _plain(goals.READ_ALL, mine, "read"),
        Comparison(
            goals.READ_ALL_LIMIT,
            against[0] if against else "none was measured",
            ratios([one["read"] for one in mine], [one["read"] for one in limit]),
        ),
        _plain(goals.READ_MEMORY, mine, "read MB"),
        _plain(goals.REBUILD, mine, "rebuilt"),
        _plain(goals.REBUILD_MEMORY, mine, "rebuilt MB"),
    ]
    return Table(face.value, COLUMNS, rows, comparisons)


def _plain(goal: Goal, rounds: Sequence[Figures], key: str) -> Comparison:
    return Comparison(goal, "", tuple(one[key] for one in rounds if key in one))


def _medians(rounds: Sequence[Figures]) -> Figures:
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
