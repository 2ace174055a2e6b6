"""W6: the last 50 messages of a long thread, and of a thread with many branches.

The limit reads 50 rows with the plain driver and validates them into our own message model. It has
no branches, so both tables compare with the same limit. Ours reads a short thread as well: a page
must take the same time for any length and any number of branches.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import goals, limiting
from benchmarks.contenders import Contender, Face, Kind
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Field, Plan
from benchmarks.goals import Comparison, ratios
from benchmarks.results import Column, Result, Row, Table

TITLE = "the last 50 messages of a thread"
PAGE = 50
LONG, BRANCHED, SHORT = "long", "branched", "short"
COLUMNS = (
    Column("median", "median ms", 3),
    Column("p99", "p99 ms", 3),
)


@dataclass(frozen=True, slots=True)
class _Size:
    """The length of the long thread, and the shape of the branched one."""

    length: int
    branched_length: int
    branches: int


FULL = _Size(length=10_000, branched_length=2_000, branches=1_000)
QUICK = _Size(length=500, branched_length=200, branches=40)

Threads = dict[str, str]
Pages = dict[str, list[dict[str, Burst]]]


def run(plan: Plan, result: Result) -> None:
    """Measure both faces, each on a long and on a branched thread."""
    size = QUICK if plan.quick else FULL
    limits = limiting.rows(plan.database, limiting.own_messages(plan, result), size.length)
    for face in plan.faces:
        result.tables += _tables(plan, result, face, plan.limits(limits, face), size)


def _tables(
    plan: Plan, result: Result, face: Face, limits: list[Contender], size: _Size
) -> list[Table]:
    entering = [*limits, *(one for one in plan.side_by_side(face) if one.kind is not Kind.LIMIT)]
    with plan.field(f"W6 {face}", entering) as field:
        threads = field.each(lambda one: _build(one, size))
        pages = field.rounds(plan.rounds, lambda one: _round(one, threads[one.name], plan))
        tables = [
            _table(plan, field, pages, LONG, f"{face}, {size.length:,} messages"),
            _table(plan, field, pages, BRANCHED, f"{face}, {size.branches:,} branches"),
        ]
    result.missing += field.failed
    return tables


def _build(entrant: Entrant, size: _Size) -> Threads:
    threads = {LONG: entrant.driver.new_thread(size.length)}
    if entrant.contender.kind is Kind.OURS:
        threads[SHORT] = entrant.driver.new_thread(2 * PAGE)
        branched = entrant.driver.new_branched_thread(size.branched_length, size.branches)
        if branched is not None:
            threads[BRANCHED] = branched
    elif entrant.contender.kind is Kind.LIMIT:
        threads[BRANCHED] = threads[LONG]
    entrant.place.settle()
    return threads


def _round(entrant: Entrant, threads: Threads, plan: Plan) -> dict[str, Burst]:
    slice_seconds = plan.seconds / 2
    found = entrant.driver.sample(threads[LONG], PAGE)
    if len(found) != PAGE:
        raise ValueError(f"read {len(found)} messages where {PAGE} were asked for")
    return {
        which: entrant.driver.last(thread, PAGE, seconds=slice_seconds)
        for which, thread in threads.items()
    }


def _table(plan: Plan, field: Field, pages: Pages, which: str, title: str) -> Table:
    there = [one for one in field.entrants if which in pages[one.name][0]]
    rows = [
        Row(one.name, one.contender.kind, _figures(pages[one.name], which), one.durability)
        for one in there
    ]
    return Table(title, COLUMNS, rows, _comparisons(plan, field, pages, which))


def _figures(rounds: Sequence[dict[str, Burst]], which: str) -> dict[str, float]:
    return {
        "median": statistics.median(one[which].median for one in rounds) * 1000,
        "p99": statistics.median(one[which].p99 for one in rounds) * 1000,
    }


def _comparisons(plan: Plan, field: Field, pages: Pages, which: str) -> list[Comparison]:
    ours = [one.name for one in field.of_kind(Kind.OURS)]
    limits = [one.name for one in field.of_kind(Kind.LIMIT)]
    mine = [one[which].median for name in ours for one in pages[name] if which in one]
    short = [one[SHORT].median for name in ours for one in pages[name]]
    limit = [one[which].median for name in limits for one in pages[name]]
    return [
        Comparison(goals.LAST, limits[0] if limits else "", ratios(mine, limit)),
        Comparison(goals.LAST_TIME[plan.database], "", tuple(seconds * 1000 for seconds in mine)),
        Comparison(goals.LAST_SAME, f"{2 * PAGE} messages", ratios(mine, short)),
    ]
