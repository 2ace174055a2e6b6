"""W9: the time that a run takes beside the model, in one process.

Each contender adds a question to a conversation of up to ten exchanges, asks a server that answers
at once, calls tools if the model wants them, and has the answer in hand. So the time is that of the
client: the SDK, the loop of the agent, and what it keeps. The limit is the same requests by hand.

The time of the processor, over all threads of the process, is taken as well: it holds still on a
machine that others use, where waiting for a core doubles the other figures from round to round.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import answering, goals
from benchmarks.answering import scripted_server
from benchmarks.answering.scripted_server import ANSWER
from benchmarks.answering.task import Task
from benchmarks.contenders import Face, Kind
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Field, Plan
from benchmarks.goals import Comparison, Goal, ratios
from benchmarks.machine import versions
from benchmarks.places import Database
from benchmarks.results import Column, Result, Row, Table

TITLE = "the time of a run beside the model"
TOGETHER = 200
COLUMNS = (
    Column("p50", "ms a run", 2),
    Column("p99", "p99 ms", 2),
    Column("over", "ms over by hand", 2),
    Column("cpu", "ms of processor", 2),
)
COLUMNS_TOGETHER = (Column("rate", "runs/s"), Column("whole", f"ms for {TOGETHER}"))
_WRONG = "another answer than the scripted one"


class _Taken(NamedTuple):
    """A round of one contender."""

    burst: Burst
    cpu_seconds: float
    """Time of the processor for each run."""


def run(plan: Plan, result: Result) -> None:
    """Measure on the database of the plan."""
    contenders, missing = answering.contenders(plan.database)
    result.missing += missing
    result.versions |= versions(contenders, plan.database)
    with scripted_server.running():
        for face in plan.faces:
            with plan.field(f"W9 {face}", answering.of_face(contenders, face)) as field:
                for task in Task:
                    result.tables.append(_one_by_one(plan, field, face, task))
                if face is Face.ASYNC:
                    result.tables.append(_together(plan, field))
            result.missing += field.failed


# -- one after the other ---------------------------------------------------------------------------


def _one_by_one(plan: Plan, field: Field, face: Face, task: Task) -> Table:
    def measure(entrant: Entrant) -> _Taken:
        made = entrant.driver.ask(lambda one: one.answer(task))
        assert made.strip() == ANSWER, _WRONG
        begun: list[float] = []

        def act(one: Any) -> Any:
            begun.append(time.process_time())  # the first counts: garbage is collected before it
            return one.answer(task)

        burst = entrant.driver.repeat(act, seconds=plan.seconds)
        return _Taken(burst, (time.process_time() - begun[0]) / len(begun))

    able = [one for one in field.entrants if _can(one, task)]
    left_out, field.entrants = [one for one in field.entrants if one not in able], able
    taken = field.rounds(plan.rounds, measure)
    rows = _rows(field, taken)
    times = {name: _medians(rounds) for name, rounds in taken.items()}
    cpu = {name: [one.cpu_seconds for one in rounds] for name, rounds in taken.items()}
    comparisons = [*_comparisons(field, times), *_comparisons(field, cpu, " (processor)")]
    field.entrants += left_out
    return Table(f"{face}: {task}", COLUMNS, rows, comparisons)


def _can(entrant: Entrant, task: Task) -> bool:
    """Everything but the one that streams to async callers alone."""
    streams_not = entrant.contender.distribution == "openai-agents"
    return not (streams_not and entrant.contender.face is Face.SYNC and task is Task.STREAMED)


def _medians(rounds: Sequence[_Taken]) -> list[float]:
    return [one.burst.median for one in rounds]


def _rows(field: Field, taken: Mapping[str, Sequence[_Taken]]) -> list[Row]:
    limits = field.of_kind(Kind.LIMIT)
    plain = statistics.median(_medians(taken[limits[0].name])) if limits else 0.0
    rows = []
    for one in field.entrants:
        rounds = taken[one.name]
        middle = statistics.median(_medians(rounds))
        p99 = statistics.median(each.burst.p99 for each in rounds)
        cpu = statistics.median(each.cpu_seconds for each in rounds)
        seconds = {"p50": middle, "p99": p99, "over": middle - plain, "cpu": cpu}
        figures = {name: value * 1000 for name, value in seconds.items()}
        rows.append(Row(one.name, one.contender.kind, figures, one.durability))
    return rows


def _comparisons(
    field: Field, times: Mapping[str, Sequence[float]], of: str = ""
) -> list[Comparison]:
    """Each of the others, divided by ours: above one, ours takes less time."""
    ours = [times[one.name] for one in field.of_kind(Kind.OURS)]
    return [
        Comparison(_goal(one), f"{one.name}{of}", ratios(times[one.name], ours[0]) if ours else ())
        for one in field.entrants
        if one.contender.kind is not Kind.OURS
    ]


def _goal(entrant: Entrant) -> Goal:
    """The goal names sessions of openai-agents in SQLite; on a server it is for information."""
    agents = entrant.contender.distribution == "openai-agents"
    beside = agents and entrant.contender.database is Database.SQLITE
    return goals.RUN_PEER if beside else goals.RUN_OTHER


# -- many at once ----------------------------------------------------------------------------------


def _together(plan: Plan, field: Field) -> Table:
    def measure(entrant: Entrant) -> Burst:
        return entrant.driver.repeat(_all_at_once, seconds=0.0, count=1)

    seconds = {
        name: [burst.seconds for burst in bursts]
        for name, bursts in field.rounds(plan.rounds, measure).items()
    }
    rows = [_row_together(one, statistics.median(seconds[one.name])) for one in field.entrants]
    title = f"{TOGETHER} runs at once in one process"
    return Table(title, COLUMNS_TOGETHER, rows, _comparisons(field, seconds))


def _row_together(entrant: Entrant, seconds: float) -> Row:
    figures = {"rate": TOGETHER / seconds, "whole": seconds * 1000}
    return Row(entrant.name, entrant.contender.kind, figures, entrant.durability)


async def _all_at_once(answerer: Any) -> None:
    answers = await asyncio.gather(*(answerer.answer_apart() for _ in range(TOGETHER)))
    assert all(one.strip() == ANSWER for one in answers), _WRONG
