"""The process that imports everything once, and forks the writers of a schedule.

Importing the library takes an interpreter longer than many writers live.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, Self

__all__ = ["Nursery"]

_COMMAND: Final = (sys.executable, "-m", "eventstore.testing.schedules.forking")


class Nursery:
    """The process that runs ``forking``, seen from outside; it ends with the block."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (a module of ours)
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, work: Path, log: Path, errors: Path) -> int:
        """Start a process that does a pickled work; return its id."""
        return int(self._ask("begin", work, log, errors))

    def look(self, process: int) -> int | None:
        """Return the status of a process, as ``subprocess`` gives it; None while it goes on.

        Once this returned a status, the id may belong to another process.
        """
        told = self._ask("look", process)
        return None if told == "-" else int(told)

    def _ask(self, *words: object) -> str:
        asking, answering = self._process.stdin, self._process.stdout
        assert asking is not None
        assert answering is not None
        asking.write("\t".join(map(str, words)) + "\n")
        asking.flush()
        told = answering.readline()
        if not told:
            raise RuntimeError(f"the process that forks writers ended with {self._process.wait()}")
        return told.rstrip("\n")
