"""The workers, seen from outside: so many at once, each of which is killed and followed by another.

Most kill themselves at a place, each at the next one of the list; some are killed at any time.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Final, Self

from eventstore.testing.killed_workers import worker
from eventstore.testing.killed_workers.deaths import CLAIMED, OUTSIDE, PLACES
from eventstore.testing.killed_workers.worker import Work
from eventstore.testing.schedules.nursery import Chore, Nursery

__all__ = ["Workers"]

_COUNT_MAX: Final = 4
_LIFE_SECONDS: Final = (0.0, 5.0)
"""The time from its first claim to the kill from outside."""
_OUTSIDE_PERCENT: Final = 20


class Workers:
    """A number of workers, kept at that number; a context manager."""

    def __init__(self, work: Work, seed: int, number: int) -> None:
        self._work = work
        self._seed = seed
        self._nursery = Nursery(*worker.NEEDED)
        self._slots: list[_Life | None] = [None] * number
        self._born = 0
        self.killed: Counter[str] = Counter()
        """Kills by place."""
        self.complaints: list[str] = []
        """Lines that workers wrote, and ends other than by a kill."""

    def __enter__(self) -> Self:
        self._nursery.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for life in filter(None, self._slots):
            life.kill()
            while life.code(self._nursery) is None:
                time.sleep(0.01)
            self._note(life)
        self._nursery.__exit__()

    def is_alive(self, holder: str | None) -> bool:
        """Return whether the worker of that name may still act."""
        return any(holder and holder.startswith(f"{one.name}/") for one in self._slots if one)

    def look_after(self) -> None:
        """Kill those whose time has come, and begin others in place of the dead."""
        for place, life in enumerate(self._slots):
            if life is None:
                self._slots[place] = self._begin()
                continue
            if life.is_over():
                life.kill()
            if life.code(self._nursery) is not None:
                self._note(life)
                self._slots[place] = None

    def _begin(self) -> _Life:
        self._born += 1
        name = f"w{self._born}"
        chance = Random(f"{self._seed}/{name}")  # noqa: S311 (a seed is the point)
        at = None if chance.random() * 100 < _OUTSIDE_PERCENT else PLACES[self._born % len(PLACES)]
        work = self._work._replace(name=name, dies_at=at, occurrence=chance.randint(1, _COUNT_MAX))
        if self._born % 2:
            work = work._replace(face="async")
        return _Life(name, chance.uniform(*_LIFE_SECONDS), self._nursery, work)

    def _note(self, life: _Life) -> None:
        if life.result == -signal.SIGKILL:
            self.killed[life.place] += 1
        else:
            self.complaints.append(f"{life.name} ended with {life.result}")
        self.complaints += [f"{life.name}: {line}" for line in life.words()]


class _Life:
    """One worker, from its beginning to its kill."""

    def __init__(self, name: str, seconds: float, nursery: Nursery, work: Work) -> None:
        self.name = name
        self._seconds = seconds
        self._ends_at: float | None = None
        self.result: int | None = None
        self._log = work.folder / f"{name}.out"
        self._errors = work.folder / f"{name}.errors"
        for file in (self._log, self._errors):
            file.touch()
        self._id = nursery.begin(Chore(worker.main, work), self._log, self._errors)

    def is_over(self) -> bool:
        """Return whether it is time for the kill from outside."""
        if self._ends_at is None and self._log.stat().st_size:
            self._ends_at = time.monotonic() + self._seconds
        return self._ends_at is not None and time.monotonic() >= self._ends_at

    @property
    def place(self) -> str:
        """The place at which it killed itself, if it did."""
        return self._log.read_text().strip(CLAIMED) or OUTSIDE

    def words(self) -> list[str]:
        """Return its complaints, line by line."""
        return Path(self._errors).read_text(encoding="utf-8", errors="replace").splitlines()

    def kill(self) -> None:
        if self.result is None:
            os.kill(self._id, signal.SIGKILL)

    def code(self, nursery: Nursery) -> int | None:
        if self.result is None:
            self.result = nursery.look(self._id)
        return self.result
