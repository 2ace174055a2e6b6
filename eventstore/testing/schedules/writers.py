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

from eventstore.testing.schedules.plan import Life, Work, lives

__all__ = ["Writers"]

_LOOK_SECONDS: Final = 0.02
_TELL_SECONDS: Final = 0.5
_COMMAND: Final = (sys.executable, "-m", "eventstore.testing.schedules.writing")


class Writers:
    """All writers of a schedule, and what they wrote down."""

    def __init__(self, work: Work, folder: Path) -> None:
        self._schedule = work.schedule
        self._work = work
        self._folder = folder
        self._processes: list[_Process] = []

    def run(self, tell: Callable[[int, float], None]) -> float:
        """Run all of them to their ends, and say now and then how many acknowledgements there are.

        Raises:
            RuntimeError: one failed, or all of them took longer than they may.
        """
        began = told = time.monotonic()
        slots = [self._one_after_another(todo) for todo in lives(self._schedule)]
        try:
            while slots:
                slots = [slot for slot in slots if next(slot, None) is not None]
                now = time.monotonic()
                if now - told > _TELL_SECONDS:
                    told = now
                    tell(sum(process.count() for process in self._processes), now - began)
                if now - began > self._schedule.seconds:
                    raise RuntimeError(f"writers took longer than {self._schedule.seconds} s")
        finally:
            for process in self._processes:
                process.end()
        return time.monotonic() - began

    @property
    def killed(self) -> int:
        return sum(process.was_killed for process in self._processes)

    def acknowledged(self) -> set[str]:
        return {name for process in self._processes for name in process.acknowledged()}

    def _one_after_another(self, todo: list[Life]) -> Iterator[bool]:
        """Yield while there is something to wait for."""
        for life in todo:
            process = _Process(self._work._replace(life=life), self._folder / life.name)
            self._processes.append(process)
            while process.goes_on():
                yield True


class _Process:
    """One life."""

    def __init__(self, work: Work, log: Path) -> None:
        self.was_killed = False
        self._life = work.life
        self._log = log
        self._words = log.with_suffix(".errors")
        self._read = 0
        self._lines = 0
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

    def count(self) -> int:
        """How many lines it has written down."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            more = log.read()
        self._read += len(more)
        self._lines += more.count(b"\n")
        return self._lines

    def acknowledged(self) -> Iterator[str]:
        with self._log.open(encoding="utf-8") as log:
            for line in log:
                yield from line.split()
