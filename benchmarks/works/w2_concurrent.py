"""W2: 64 writers at once, a thread each: OS threads for a sync store, tasks for an async one.

The limit is the plain driver with one commit for each message, as in W1. On SQLite it has one
writer, who waits for nobody: 64 sharing its connection could only be slower. On PostgreSQL it has
64 writers and a pool. What can be gained over it is gained by committing the messages of several
writers together.
"""

from __future__ import annotations

from benchmarks import goals
from benchmarks.contenders import Face, Kind
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Plan
from benchmarks.places import Database
from benchmarks.results import Result, Table
from benchmarks.works import throughput

TITLE = "64 concurrent writers, a thread each"
WRITERS = 64


def run(plan: Plan, result: Result) -> None:
    """Measure both faces."""
    if plan.database is Database.SQLITE:
        result.notes.append("The limit is one writer: 64 on its one connection would only wait.")
    for face in plan.faces:
        result.tables.append(_table(plan, result, face))


def _table(plan: Plan, result: Result, face: Face) -> Table:
    def measure(entrant: Entrant) -> Burst:
        if entrant.contender.kind is Kind.LIMIT and plan.database is Database.SQLITE:
            return entrant.driver.append(entrant.driver.new_thread(), seconds=plan.seconds)
        threads = [entrant.driver.new_thread() for _ in range(WRITERS)]
        return entrant.driver.append_at_once(threads, seconds=plan.seconds)

    with plan.field(f"W2 {face}", plan.side_by_side(face, "many")) as field:
        bursts = field.rounds(plan.rounds, measure)
        table = Table(
            face.value,
            throughput.COLUMNS,
            throughput.rows(field, bursts),
            [
                throughput.against_limit(field, bursts, goals.CONCURRENT[plan.database]),
                throughput.against_best_peer(field, bursts, goals.CONCURRENT_PEER[plan.database]),
                throughput.own_p99(field, bursts, goals.CONCURRENT_P99),
            ],
        )
    result.missing += field.failed
    return table
