"""W3: loading a whole conversation of 10 to 10,000 messages, typed.

The limit reads as many rows with the plain driver and validates them into our own message model. It
has one thread, of which it reads the last so many.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks import goals, limiting
from benchmarks.contenders import Face, Kind
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Field, Plan, say
from benchmarks.goals import Comparison, ratios
from benchmarks.results import Column, Result, Row, Table

TITLE = "loading a whole conversation"
LENGTHS = (10, 100, 1_000, 10_000)
LENGTHS_QUICK = (10, 100, 1_000)
_HELD_FROM = 1_000
_LOADS_MIN = 3

Threads = dict[int, str]
Loads = dict[str, list[dict[int, Burst]]]


def run(plan: Plan, result: Result) -> None:
    """Measure both faces."""
    lengths = LENGTHS_QUICK if plan.quick else LENGTHS
    limits = limiting.rows(plan.database, limiting.own_messages(plan, result), max(lengths))
    for face in plan.faces:
        rest = [one for one in plan.side_by_side(face) if one.kind is not Kind.LIMIT]
        field = plan.field(f"W3 {face}", [*plan.limits(limits, face), *rest])
        result.tables.append(_measured(plan, field, lengths, face))
        result.missing += field.failed


def _measured(plan: Plan, opening: Field, lengths: Sequence[int], face: Face) -> Table:
    with opening as field:
        threads = field.each(lambda one: _build(one, lengths))
        loads = field.rounds(plan.rounds, lambda one: _round(one, threads[one.name], plan))
        return _table(field, loads, lengths, face)


def _build(entrant: Entrant, lengths: Sequence[int]) -> Threads:
    say(f"W3: {entrant.name} builds its threads")
    fitting = [length for length in lengths if length <= entrant.contender.length_max]
    threads = {length: entrant.driver.new_thread(length) for length in fitting}
    entrant.place.settle()
    return threads


def _round(entrant: Entrant, threads: Threads, plan: Plan) -> dict[int, Burst]:
    return {
        length: _loads(entrant, thread, length, plan.seconds / len(threads))
        for length, thread in threads.items()
    }


def _loads(entrant: Entrant, thread: str, length: int, seconds: float) -> Burst:
    found = entrant.driver.sample(thread, length)
    if len(found) != length:
        raise ValueError(f"read {len(found)} messages where {length} were asked for")
    burst = entrant.driver.last(thread, length, seconds=seconds)
    taken = list(burst.latencies)
    while len(taken) < _LOADS_MIN and burst.median < 1:
        taken += entrant.driver.last(thread, length, seconds=0).latencies
    return Burst(sum(taken), tuple(taken))


def _table(field: Field, loads: Loads, lengths: Sequence[int], face: Face) -> Table:
    columns = [Column(str(length), f"ms for {length:,}", 3) for length in lengths]
    rows = [
        Row(one.name, one.contender.kind, _figures(loads[one.name]), one.durability)
        for one in field.entrants
    ]
    compared = [_comparison(field, loads, length) for length in lengths]
    return Table(face.value, columns, rows, compared)


def _figures(rounds: Sequence[dict[int, Burst]]) -> dict[str, float]:
    return {
        str(length): statistics.median(one[length].median for one in rounds) * 1000
        for length in rounds[0]
    }


def _comparison(field: Field, loads: Loads, length: int) -> Comparison:
    mine, limit = (
        [one[length].median for entrant in field.of_kind(kind) for one in loads[entrant.name]]
        for kind in (Kind.OURS, Kind.LIMIT)
    )
    goal = goals.LOAD if length >= _HELD_FROM else goals.LOAD_SHORT
    return Comparison(goal, f"{length:,} messages", ratios(mine, limit))
