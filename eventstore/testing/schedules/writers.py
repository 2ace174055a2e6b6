"""The writers, seen from outside: processes that follow one another, or threads of this one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Final

from eventstore.testing.schedules import writing
from eventstore.testing.schedules.here import WritersHere
from eventstore.testing.schedules.ledgers import Ledgers
from eventstore.testing.schedules.nursery import Chore, Nursery
from eventstore.testing.schedules.plan import Life, Work, life_here, lives

__all__ = ["Writers"]

_LOOK_SECONDS: Final = 0.02


class Writers:
    """All writers of a schedule, and their ledgers."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._schedule = work.schedule
        self._work = work
        self._folder = folder
        self._processes: list[_Process] = []
        self.ledgers: Ledgers = Ledgers(work.streams)

    def run(self, meanwhile: Callable[[float], object]) -> float:
        """Run all of them to their ends, and report the seconds they took at intervals.

        Raises:
            RuntimeError: one failed, or all of them took longer than they may.
        """
        if not self._schedule.processes:
            return self._watched([self._here()], meanwhile)
        with Nursery(writing.__name__) as nursery:
            slots = [self._one_after_another(todo, nursery) for todo in lives(self._schedule)]
            try:
                return self._watched(slots, meanwhile)
            finally:
                for process in self._processes:
                    process.end()

    def _watched(
        self, slots: list[Generator[bool, None, None]], meanwhile: Callable[[float], object]
    ) -> float:
        """Go around the slots until all have ended; return the seconds that took."""
        began = time.monotonic()
        seconds = 0.0
        try:
            going_on = slots
            while going_on:
                going_on = [slot for slot in going_on if next(slot, None) is not None]
                seconds = time.monotonic() - began
                meanwhile(seconds)
                if seconds > self._schedule.seconds:
                    raise RuntimeError(f"writers took longer than {self._schedule.seconds} s")
        finally:
            for slot in slots:
                slot.close()
        return seconds

    @property
    def killed(self) -> int:
        return sum(process.was_killed for process in self._processes)

    def _here(self) -> Generator[bool, None, None]:
        """Yield while threads of this process write."""
        life = life_here(self._schedule)
        log = self._folder / life.name
        ledger = self.ledgers.begin(log)
        with WritersHere(self._work._replace(life=life), log) as writers:
            while writers.go_on(_LOOK_SECONDS):
                ledger.read_on()
                yield True
        ledger.read_on()

    def _one_after_another(self, todo: list[Life], nursery: Nursery) -> Generator[bool, None, None]:
        """Yield while there is something to wait for."""
        for life in todo:
            log = self._folder / life.name
            ledger = self.ledgers.begin(log)
            process = _Process(nursery, self._work._replace(life=life), log)
            self._processes.append(process)
            while process.goes_on():
                ledger.read_on()
                yield True
            ledger.read_on()


class _Process:
    """One process of writers."""

    def __init__(self, nursery: Nursery, work: Work, log: Path) -> None:
        self.was_killed = False
        self._life = work.life
        self._words = log.with_suffix(".errors")
        self._nursery = nursery
        self._code: int | None = None
        self._words.touch()
        self._id = nursery.begin(Chore(writing.main, work), log, self._words)

    def goes_on(self) -> bool:
        """Look after it for a moment.

        Raises:
            RuntimeError: it ended as it should not.
        """
        self._code = self._nursery.look(self._id)
        if self._code is None:
            time.sleep(_LOOK_SECONDS)
            return True
        self.was_killed = self._life.dies_at is not None and self._code == -signal.SIGKILL
        if self._code and not self.was_killed:
            words = self._words.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"writers {self._life.name} ended with {self._code}: {words}")
        return False

    def end(self) -> None:
        if self._code is None:
            os.kill(self._id, signal.SIGKILL)
        while self._code is None:
            self._code = self._nursery.look(self._id)
            time.sleep(_LOOK_SECONDS)
