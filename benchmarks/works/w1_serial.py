"""W1: one writer, one thread, each append awaited before the next.

Every round begins a thread anew, so that a store whose appends grow dearer with the thread is
measured on threads of the length that it reaches within a round.
"""

from __future__ import annotations

from benchmarks import goals
from benchmarks.contenders import Face
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Plan
from benchmarks.results import Result, Table
from benchmarks.works import throughput

TITLE = "one writer, one thread, each append awaited"


def run(plan: Plan, result: Result) -> None:
    """Measure both faces."""
    for face in plan.faces:
        result.tables.append(_table(plan, result, face))


def _table(plan: Plan, result: Result, face: Face) -> Table:
    def measure(entrant: Entrant) -> Burst:
        thread = entrant.driver.new_thread()
        return entrant.driver.append(thread, seconds=plan.seconds)

    with plan.field(f"W1 {face}", plan.side_by_side(face)) as field:
        bursts = field.rounds(plan.rounds, measure)
        table = Table(
            face.value,
            throughput.COLUMNS,
            throughput.rows(field, bursts),
            [
                throughput.against_limit(field, bursts, goals.SERIAL[plan.database, face]),
                throughput.against_best_peer(field, bursts, goals.SERIAL_PEER),
            ],
        )
    result.missing += field.failed
    return table
