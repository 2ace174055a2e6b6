"""The goals of each work, and the comparison of a measurement with them.

A goal has a must, below which a change is not released, and an aim. Most goals are ratios of two
things measured in the same rounds; a few are plain figures, such as bytes, which do not depend on
how busy the machine is.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from benchmarks.contenders import Face
from benchmarks.places import Database

SQLITE, POSTGRES = Database


class Better(StrEnum):
    """The better direction."""

    MORE = "more"
    LESS = "less"


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the list of what has to be reached."""

    label: str
    must: float | None
    aim: float | None
    better: Better
    unit: str = "x"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A goal with what was measured. `value` is the median of the rounds, None if not taken."""

    goal: Goal
    against: str
    rounds: tuple[float, ...]

    @property
    def value(self) -> float | None:
        """The median of the rounds."""
        return statistics.median(self.rounds) if self.rounds else None

    @property
    def verdict(self) -> str:
        """The comparison of the measurement with the goal, in a word or two."""
        if self.value is None:
            return "not measured"
        if self.goal.must is None and self.goal.aim is None:
            return "for information"
        if self._reaches(self.goal.must) is False:
            return "MUST MISSED"
        if self._reaches(self.goal.aim) is False:
            return "must met" if self.goal.must is not None else "aim missed"
        return "aim met" if self.goal.aim is not None else "must met"

    def _reaches(self, mark: float | None) -> bool | None:
        if mark is None or self.value is None:
            return None
        return self.value >= mark if self.goal.better is Better.MORE else self.value <= mark


def ratios(ours: Sequence[float], others: Sequence[float]) -> tuple[float, ...]:
    """Ours divided by the other, round by round."""
    return tuple(mine / other for mine, other in zip(ours, others, strict=False))


_SERIAL = "throughput, ours / plain"
SERIAL = {
    (SQLITE, Face.SYNC): Goal(_SERIAL, 0.5, 0.7, Better.MORE),
    (SQLITE, Face.ASYNC): Goal(_SERIAL, 0.35, 0.55, Better.MORE),
    (POSTGRES, Face.SYNC): Goal(_SERIAL, 0.5, 0.75, Better.MORE),
    (POSTGRES, Face.ASYNC): Goal(_SERIAL, 0.5, 0.75, Better.MORE),
}
SERIAL_PEER = Goal("throughput, ours / best Python peer", None, 1.0, Better.MORE)

CONCURRENT = {
    SQLITE: Goal("throughput, ours / plain", 2.5, 5.0, Better.MORE),
    POSTGRES: Goal("throughput, ours / plain, pooled", 2.0, 5.0, Better.MORE),
}
CONCURRENT_PEER = {
    SQLITE: Goal("throughput, ours / best Python peer", 5.0, 15.0, Better.MORE),
    POSTGRES: Goal("throughput, ours / best Python peer", None, 15.0, Better.MORE),
}
CONCURRENT_P99 = Goal("p99 of an append", None, 10.0, Better.LESS, "ms")

GROWTH = Goal("cost of an append, longest / shortest thread", 1.2, 1.1, Better.LESS)
BYTES = {
    SQLITE: Goal("bytes per message", 1_100, 950, Better.LESS, "bytes"),
    POSTGRES: Goal("bytes per message", 1_600, None, Better.LESS, "bytes"),
}

COST_RATIO = Goal("time on a long thread / on a short one, the worst", 1.3, 1.1, Better.LESS)
COST_DEEP = Goal("time at fork depth 100 / at depth 1, the worst", 3.0, None, Better.LESS)
COST_HELD = Goal("own time under the write lock, the longest", 20.0, 10.0, Better.LESS, "ms")

LOAD = Goal("time to load, ours / plain", 1.5, 1.2, Better.LESS)
LOAD_SHORT = Goal("time to load, ours / plain", None, None, Better.LESS)

READ_ALL = Goal("reading all events", 100_000, None, Better.MORE, "/s")
READ_ALL_LIMIT = Goal("reading all events, ours / plain", None, 0.8, Better.MORE)
REBUILD = Goal("rebuilding all tables", 20_000, None, Better.MORE, "events/s")
READ_MEMORY = Goal("memory gained while reading", 64, 16, Better.LESS, "MB")
REBUILD_MEMORY = Goal("memory gained while rebuilding", 64, 16, Better.LESS, "MB")

VERIFY = Goal("events verified a second", 20_000, None, Better.MORE, "events/s")
VERIFY_MEMORY = Goal("memory gained while verifying", 64, None, Better.LESS, "MB")
TREE_HEAD = Goal("tree head after 10 of many threads changed", 100, None, Better.LESS, "ms")

LAST = Goal("time of a page, ours / plain", 5.0, None, Better.LESS)
LAST_TIME = {
    SQLITE: Goal("time of a page", None, 0.6, Better.LESS, "ms"),
    POSTGRES: Goal("time of a page", None, 1.0, Better.LESS, "ms"),
}
LAST_SAME = Goal("time of a page, this / short thread without branches", None, None, Better.LESS)

FORK = Goal("time of a fork / of an append", 2.0, None, Better.LESS)
FORK_BYTES = Goal("bytes of a fork", 1_000, None, Better.LESS, "bytes")
SELECT = Goal("time to select a branch / of an append", 2.0, None, Better.LESS)

DELIVERY = Goal("p99 from append to delivery in process", 10.0, 5.0, Better.LESS, "ms")
DELIVERY_ACROSS = {
    SQLITE: Goal("p99 across processes", 50.0, 25.0, Better.LESS, "ms"),
    POSTGRES: Goal("p99 across processes", 20.0, 10.0, Better.LESS, "ms"),
}

RUN_PEER = Goal("time of a run, theirs / ours", 1.0, None, Better.MORE)
RUN_OTHER = Goal("time of a run, theirs / ours", None, None, Better.MORE)
READING = Goal("p99 from a token to a reader elsewhere", None, None, Better.LESS, "ms")

KERNEL_START = Goal("processor time of a kernel's start / of a bare one's", None, 1.5, Better.LESS)
KERNEL_CALL = Goal("time of a call / of a bare kernel's", None, None, Better.LESS)
