"""The common part of the two works that append as fast as they can: rows and comparisons."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.contenders import Kind
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Field
from benchmarks.goals import Comparison, Goal, ratios
from benchmarks.results import Column, Row

COLUMNS = (
    Column("rate", "messages/s"),
    Column("p50", "p50 ms", 2),
    Column("p99", "p99 ms", 2),
)

Bursts = dict[str, list[Burst]]


def rows(field: Field, bursts: Bursts) -> list[Row]:
    """One row for each contender that stayed."""
    return [
        Row(one.name, one.contender.kind, _figures(bursts[one.name]), one.durability)
        for one in field.entrants
    ]


def against_limit(field: Field, bursts: Bursts, goal: Goal) -> Comparison:
    """Ours against the plain driver."""
    return _against(field, bursts, goal, field.of_kind(Kind.LIMIT))


def against_best_peer(field: Field, bursts: Bursts, goal: Goal) -> Comparison:
    """Ours against the fastest peer that lives in the same process."""
    embedded = [peer for peer in field.of_kind(Kind.PEER) if peer.contender.pragmas]
    ranked = sorted(embedded, key=lambda peer: -_rate(bursts[peer.name]))
    return _against(field, bursts, goal, ranked[:1])


def own_p99(field: Field, bursts: Bursts, goal: Goal) -> Comparison:
    """Our slowest appends, in milliseconds."""
    taken = [burst.p99 * 1000 for one in field.of_kind(Kind.OURS) for burst in bursts[one.name]]
    return Comparison(goal, "", tuple(taken))


def _against(field: Field, bursts: Bursts, goal: Goal, others: Sequence[Entrant]) -> Comparison:
    ours = field.of_kind(Kind.OURS)
    name = others[0].name if others else "none was measured"
    if not ours or not others:
        return Comparison(goal, name, ())
    mine = [burst.rate for burst in bursts[ours[0].name]]
    theirs = [burst.rate for burst in bursts[name]]
    return Comparison(goal, name, ratios(mine, theirs))


def _rate(bursts: Sequence[Burst]) -> float:
    return statistics.median(burst.rate for burst in bursts)


def _figures(bursts: Sequence[Burst]) -> dict[str, float]:
    return {
        "rate": _rate(bursts),
        "p50": statistics.median(burst.median for burst in bursts) * 1000,
        "p99": statistics.median(burst.p99 for burst in bursts) * 1000,
    }
