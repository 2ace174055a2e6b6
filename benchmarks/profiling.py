"""Profile our own store: W1 and W2 under cProfile, instead of being timed.

Each thread has a profiler, since the caller's thread and the one that owns the connection share the
work, and their figures are added up. A profiler slows small calls down most, so
shares are more reliable than seconds; waits for the disk, a lock or the server show as such.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Face
from benchmarks.drivers import Burst
from benchmarks.field import Entrant, Plan
from benchmarks.works.w2_concurrent import WRITERS

PACKAGE = "eventstore"
LINES = 20
WORKS = ("W1", "W2")


def profiles(plan: Plan, works: list[str]) -> Iterator[str]:
    """The profile of each of these works and each face, as text."""
    for work in works:
        for face in plan.faces:
            yield from _profile(plan, work, face)


def _profile(plan: Plan, work: str, face: Face) -> Iterator[str]:
    with _each_thread() as report, plan.field(f"profile {work} {face}", plan.ours(face)) as field:
        bursts = field.each(lambda one: report(lambda: _append(one, work, plan.seconds)))
    for name, (burst, table) in bursts.items():
        title = f"{work} {plan.database}, {name}: {len(burst.latencies):,} appends"
        yield f"## {title} in {burst.seconds:.2f} s under a profiler\n\n{table}\n"


def _append(entrant: Entrant, work: str, seconds: float) -> Burst:
    if work == "W1":
        return entrant.driver.append(entrant.driver.new_thread(), seconds=seconds)
    threads = [entrant.driver.new_thread() for _ in range(WRITERS)]
    return entrant.driver.append_at_once(threads, seconds=seconds)


@contextmanager
def _each_thread() -> Iterator[Callable[[Callable[[], Burst]], tuple[Burst, str]]]:
    """Profile every thread that begins from here on, and this one while it is asked to."""
    kept: list[cProfile.Profile] = []

    def begin(*_: object) -> None:
        profile = cProfile.Profile()
        kept.append(profile)
        profile.enable()

    def report(act: Callable[[], Burst]) -> tuple[Burst, str]:
        for profile in kept:
            profile.clear()  # what opening took
        own = cProfile.Profile()
        done = own.runcall(act)
        return done, _table([own, *kept], len(done.latencies))

    if sys.version_info < (3, 12):  # from then on there is one profiler, which sees all threads
        threading.setprofile(begin)
    try:
        yield report
    finally:
        threading.setprofile(None)


def _table(taken: list[cProfile.Profile], appends: int) -> str:
    stats = pstats.Stats(*(profile for profile in taken if profile.getstats()))
    found = [_line(place, *figures[1:4]) for place, figures in stats.stats.items()]  # type: ignore[attr-defined]
    told = [one for one in found if "gc.collect" not in one.where]  # the harness's own
    own = sorted(told, key=lambda one: -one.own)[:LINES]
    inside = [one for one in told if one.where.startswith(PACKAGE)]
    whole = sorted(inside, key=lambda one: -one.whole)[:LINES]
    lines = ["By the time of each function itself:", "", *_header()]
    lines += [one.row(appends) for one in own]
    lines += ["", "Of ours, by the time of each with what it calls:", "", *_header()]
    lines += [one.row(appends) for one in whole]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True, slots=True)
class _Line:
    """A function: how often it was called, and the seconds of it alone and with what it calls."""

    where: str
    calls: int
    own: float
    whole: float

    def row(self, appends: int) -> str:
        each = (self.calls / appends, self.own * 1e6 / appends, self.whole * 1e6 / appends)
        cells = " | ".join(f"{one:,.1f}" for one in each)
        return f"| {cells} | `{self.where}` |"


def _line(place: tuple[str, int, str], calls: int, own: float, whole: float) -> _Line:
    file, number, name = place
    if file == "~":
        return _Line(name, calls, own, whole)
    parts = Path(file).parts
    first = parts.index(PACKAGE) if PACKAGE in parts else len(parts) - 1
    return _Line(f"{'/'.join(parts[first:])}:{number} {name}", calls, own, whole)


def _header() -> list[str]:
    return ["| calls an append | own µs | whole µs | |", "|---|---|---|---|"]
