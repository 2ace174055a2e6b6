"""W7: forking a thread at its 10,000th message, 1,000 times, and selecting a branch.

Both are compared with our own append to a short thread, in the same round. Bytes are what
all the forks of a round added to the file or the tables, shared out among them. The branched thread
has two branches that part from each other far above their ends, and each is selected in turn.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks import goals
from benchmarks.contenders import Face, Kind
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Field, Plan
from benchmarks.goals import Comparison, Goal
from benchmarks.results import Column, Result, Row, Table

TITLE = "forking a long thread, and selecting a branch"
ROUNDS_MAX = 3
COLUMNS = (
    Column("append", "append p50 ms", 3),
    Column("fork", "fork p50 ms", 3),
    Column("fork p99", "fork p99 ms", 3),
    Column("bytes", "bytes a fork"),
    Column("select", "select p50 ms", 3),
)
_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class _Size:
    """The length of the thread, and the number of its forks in a round."""

    length: int
    forks: int


FULL = _Size(length=10_000, forks=1_000)
QUICK = _Size(length=500, forks=40)

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class _Threads:
    """A long thread with its last message, one with branches, and a short one."""

    long: str
    last: str
    branched: str
    tips: Sequence[str]
    short: str


def run(plan: Plan, result: Result) -> None:
    """Measure both faces."""
    size = QUICK if plan.quick else FULL
    result.notes.append("The limit is our own append. No peer shares what two threads have.")
    for face in plan.faces:
        field = plan.field(f"W7 {face}", plan.ours(face))
        result.tables.append(_measured(plan, field, size, face))
        result.missing += field.failed


def _measured(plan: Plan, opening: Field, size: _Size, face: Face) -> Table:
    with opening as field:
        threads = field.each(lambda one: _build(one, size))
        rounds = min(plan.rounds, ROUNDS_MAX)
        taken = field.rounds(rounds, lambda one: _round(one, threads[one.name], size))
        return _table(field, taken, size, face)


def _build(entrant: Entrant, size: _Size) -> _Threads:
    driver = entrant.driver
    long = driver.new_thread(size.length)
    branched = driver.new_branched_thread(size.length, 2)
    if branched is None:
        raise ValueError("it has no branches")
    entrant.place.settle()
    return _Threads(
        long=long,
        last=driver.ask(lambda store: store.tips(long))[0],
        branched=branched,
        tips=driver.ask(lambda store: store.tips(branched)),
        short=driver.new_thread(10),
    )


def _round(entrant: Entrant, threads: _Threads, size: _Size) -> Figures:
    driver = entrant.driver
    append = driver.append(threads.short, seconds=_SECONDS_MAX, count=size.forks)
    before = entrant.place.size()
    fork = driver.repeat(
        lambda store: store.fork(threads.long, threads.last), seconds=_SECONDS_MAX, count=size.forks
    )
    added = entrant.place.size() - before
    tips = itertools.cycle(threads.tips)
    select = driver.repeat(
        lambda store: store.select(threads.branched, next(tips)),
        seconds=_SECONDS_MAX,
        count=size.forks,
    )
    return _figures(append, fork, select) | {"bytes": added / len(fork.latencies)}


def _figures(append: Burst, fork: Burst, select: Burst) -> Figures:
    return {
        "append": append.median * 1000,
        "fork": fork.median * 1000,
        "fork p99": fork.p99 * 1000,
        "select": select.median * 1000,
        "fork rate": append.rate / fork.rate,
        "select rate": append.rate / select.rate,
    }


def _table(field: Field, taken: dict[str, list[Figures]], size: _Size, face: Face) -> Table:
    rows = [
        Row(one.name, one.contender.kind, _medians(taken[one.name]), one.durability)
        for one in field.entrants
    ]
    mine = [figures for one in field.of_kind(Kind.OURS) for figures in taken[one.name]]
    comparisons = [
        _plain(goals.FORK, "our append", mine, "fork rate"),
        _plain(goals.FORK_BYTES, "", mine, "bytes"),
        _plain(goals.SELECT, "our append", mine, "select rate"),
    ]
    return Table(f"{face}, {size.length:,} messages", COLUMNS, rows, comparisons)


def _plain(goal: Goal, against: str, rounds: Sequence[Figures], key: str) -> Comparison:
    return Comparison(goal, against, tuple(one[key] for one in rounds))


def _medians(rounds: Sequence[Figures]) -> Figures:
    return {column.key: statistics.median(one[column.key] for one in rounds) for column in COLUMNS}
