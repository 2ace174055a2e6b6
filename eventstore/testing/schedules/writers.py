"""The processes of the writers, seen from outside: started, followed by another, counted."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from eventstore.testing.schedules.ledgers import Ledger, Ledgers
from eventstore.testing.schedules.plan import Life, Work, lives

__all__ = ["Writers"]

_LOOK_SECONDS: Final = 0.02
_COMMAND: Final = (sys.executable, "-m", "eventstore.testing.schedules.writing")


class Writers:
    """All writers of a schedule, and what they wrote down."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._schedule = work.schedule
        self._work = work
        self._folder = folder
        self._processes: list[_Process] = []
        self.ledgers = Ledgers()

    def run(self, meanwhile: Callable[[float], object]) -> float:
        """Run all of them to their ends, and call again and again with the seconds they took.

        Raises:
            RuntimeError: one failed, or all of them took longer than they may.
        """
        began = time.monotonic()
        slots = [self._one_after_another(todo) for todo in lives(self._schedule)]
        try:
            while slots:
                slots = [slot for slot in slots if next(slot, None) is not None]
                seconds = time.monotonic() - began
                meanwhile(seconds)
                if seconds > self._schedule.seconds:
                    raise RuntimeError(f"writers took longer than {self._schedule.seconds} s")
        finally:
            for process in self._processes:
                process.end()
        return time.monotonic() - began

    @property
    def killed(self) -> int:
        return sum(process.was_killed for process in self._processes)

    def _one_after_another(self, todo: list[Life]) -> Iterator[bool]:
        """Yield while there is something to wait for."""
        for life in todo:
            log = self._folder / life.name
            process = _Process(self._work._replace(life=life), log)
            self._processes.append(process)
            ledger = Ledger(log, self.ledgers)
            while process.goes_on():
                ledger.read_on()
                yield True
            ledger.read_on()


class _Process:
    """One life."""

    def __init__(self, work: Work, log: Path) -> None:
        self.was_killed = False
        self._life = work.life
        self._words = log.with_suffix(".errors")
        work_file = log.with_suffix(".work")
        work_file.write_bytes(pickle.dumps(work))
        with work_file.open("rb") as told, log.open("wb") as out, self._words.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 (a module of ours)
                _COMMAND,
                stdin=told,
                stdout=out,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )

    def goes_on(self) -> bool:
        """Look after it for a moment.

        Raises:
            RuntimeError: it ended as it should not.
        """
        try:
            code = self._process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            return True
        self.was_killed = self._life.dies_at is not None and code == -signal.SIGKILL
        if code and not self.was_killed:
            words = self._words.read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"writers {self._life.name} ended with {code}: {words}")
        return False

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
