"""W4: the cost of the n-th message of a thread, in time and in bytes.

Threads of all lengths are built in one store beforehand, in batches, and then every round appends
a few messages to each of them: lengths are compared within a round, like contenders elsewhere. A
short thread would not stay short, so it is made anew for each round.

Bytes are counted twice after a checkpoint of the write-ahead log (and on PostgreSQL a vacuum): the
whole file, or all tables and indexes, over all messages in it, and what one message more adds
behind the longest thread. For a store that writes the whole conversation with each message, only
the second tells.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from dataclasses import field as attribute

from benchmarks import goals
from benchmarks.contenders import Contender, Face, Kind
from benchmarks.field import Entrant, Field, Plan, say
from benchmarks.goals import Comparison, Goal, ratios
from benchmarks.results import Column, Result, Row, Table

TITLE = "appending the n-th message, and bytes per message"
LENGTHS = (10, 100, 1_000, 10_000, 100_000)
LENGTHS_QUICK = (10, 100, 400)
WINDOW = 40
_REMADE_BELOW = 1_000
_BYTES_WINDOW = 200
_WINDOW_SECONDS_MAX = 3.0


@dataclass(slots=True)
class _Threads:
    """The threads of one contender by length, and how many messages its store holds."""

    built: dict[int, str] = attribute(default_factory=dict)
    stored: int = 0


def run(plan: Plan, result: Result) -> None:
    """Measure both faces."""
    for face in plan.faces:
        result.tables.append(_table(plan, result, face))


def _table(plan: Plan, result: Result, face: Face) -> Table:
    lengths = LENGTHS_QUICK if plan.quick else LENGTHS
    with plan.field(f"W4 {face}", plan.side_by_side(face)) as field:
        threads = field.each(lambda one: _build(one, lengths))
        costs = field.rounds(plan.rounds, lambda one: _round(one, threads[one.name]))
        sizes = field.each(lambda one: _sizes(one, threads[one.name]))
        rows = [_row(one, costs, sizes) for one in field.entrants]
        comparisons = _comparisons(field, costs, sizes, goals.BYTES[plan.database])
    result.missing += field.failed
    columns = [Column(str(length), f"ms at {length:,}", 3) for length in lengths]
    columns += [Column("bytes", "bytes/message"), Column("added", "added by one more")]
    return Table(face.value, columns, rows, comparisons)


def _build(entrant: Entrant, lengths: tuple[int, ...]) -> _Threads:
    threads = _Threads()
    for length in _worth_building(entrant.contender, lengths):
        say(f"W4: {entrant.name} builds a thread of {length:,} messages")
        threads.built[length] = entrant.driver.new_thread(length)
        threads.stored += length
    entrant.place.settle()
    return threads


def _worth_building(contender: Contender, lengths: tuple[int, ...]) -> list[int]:
    return [length for length in lengths if length <= contender.length_max]


def _round(entrant: Entrant, threads: _Threads) -> dict[int, float]:
    costs: dict[int, float] = {}
    for length in threads.built:
        if length < _REMADE_BELOW:
            threads.built[length] = entrant.driver.new_thread(length)
            threads.stored += length
        burst = entrant.driver.append(
            threads.built[length], seconds=_WINDOW_SECONDS_MAX, count=WINDOW
        )
        threads.stored += len(burst.latencies)
        costs[length] = burst.median * 1000
    return costs


def _sizes(entrant: Entrant, threads: _Threads) -> dict[str, float]:
    if not entrant.contender.pragmas:
        return {}  # a server lays out its file in advance
    before = entrant.place.size()
    longest = threads.built[max(threads.built)]
    burst = entrant.driver.append(longest, seconds=_WINDOW_SECONDS_MAX, count=_BYTES_WINDOW)
    added = (entrant.place.size() - before) / len(burst.latencies)
    return {"bytes": before / threads.stored, "added": added}


def _row(
    entrant: Entrant,
    costs: dict[str, list[dict[int, float]]],
    sizes: dict[str, dict[str, float]],
) -> Row:
    rounds = costs[entrant.name]
    figures = {
        str(length): statistics.median(one[length] for one in rounds) for length in rounds[0]
    }
    return Row(
        entrant.name,
        entrant.contender.kind,
        figures | sizes.get(entrant.name, {}),
        entrant.durability,
    )


def _comparisons(
    field: Field,
    costs: dict[str, list[dict[int, float]]],
    sizes: dict[str, dict[str, float]],
    size_goal: Goal,
) -> list[Comparison]:
    ours = field.of_kind(Kind.OURS)
    if not ours:
        return [Comparison(goals.GROWTH, "", ()), Comparison(size_goal, "", ())]
    rounds = costs[ours[0].name]
    shortest, longest = min(rounds[0]), max(rounds[0])
    growth = ratios([one[longest] for one in rounds], [one[shortest] for one in rounds])
    size = sizes[ours[0].name]["bytes"]
    return [
        Comparison(goals.GROWTH, f"{longest:,} / {shortest:,} messages", growth),
        Comparison(size_goal, "", (size,)),
    ]
