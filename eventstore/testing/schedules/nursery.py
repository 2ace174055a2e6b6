"""The process that imports everything once, and forks processes that live for a moment.

Importing the library takes an interpreter longer than many writers of a schedule live.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

__all__ = ["Chore", "Nursery"]

_COMMAND: Final = (sys.executable, "-m", "eventstore.testing.schedules.forking")


class Chore(NamedTuple):
    """A function of a module, and what it is given; both are pickled."""

    perform: Callable[[Any], object]
    work: Any


class Nursery:
    """The process that runs ``forking``, seen from outside; it ends with the block.

    Args:
        modules: what it imports beforehand, for its children.
    """

    def __init__(self, *modules: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (a module of ours)
            [*_COMMAND, *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, chore: Chore, log: Path, errors: Path) -> int:
        """Start a process that does a chore, with files for its output; return its id."""
        work = log.with_suffix(".work")
        work.write_bytes(pickle.dumps(chore))
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
