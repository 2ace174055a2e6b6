"""A call that pauses for a moment at a line drawn at random, so that others come between.

Threads seldom switch right between two lines that need to be atomic. So a writer pauses there,
once in a call. Lines of Python's own library and of installed packages do not count. Where a
debugger or a measure of coverage traces the thread already, nothing pauses.
"""

from __future__ import annotations

import sys
import sysconfig
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import TraceFunction

__all__ = ["Pausing"]

_CALLS_PERCENT: Final = 50
_SECONDS_MAX: Final = 0.003
_FIRST_GUESS: Final = 10

_PATHS: Final = ("stdlib", "platstdlib", "purelib", "platlib")
_LIBRARIES: Final = (
    *(sysconfig.get_path(name) for name in _PATHS),
    str(Path(__file__).parents[2]),
)


class Pausing:
    """Performs calls of one thread, some of them with a pause inside."""

    def __init__(self, seed: object) -> None:
        self._chance = Random(f"{seed}")  # noqa: S311 (a seed is the point)
        self._lines = _FIRST_GUESS
        """The number of lines that a call ran lately."""
        self._left = 0

    def call(self, act: Callable[[], object]) -> None:
        """Perform a call, and pause at one of its lines in half of all cases."""
        if self._chance.random() * 100 >= _CALLS_PERCENT or sys.gettrace() is not None:
            act()
            return
        drawn = self._left = self._chance.randint(1, self._lines)
        sys.settrace(self._trace)
        try:
            act()
        finally:
            sys.settrace(None)
        if self._left > 0:  # it ended before that line
            self._lines = max(1, drawn - self._left)
        else:
            self._lines += 1

    def _trace(self, frame: FrameType, event: str, argument: object) -> TraceFunction | None:  # noqa: ARG002
        if self._left <= 0 or not _is_looked_at(frame.f_code.co_filename):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                time.sleep(self._chance.uniform(0, _SECONDS_MAX))
        return self._trace


@cache
def _is_looked_at(file: str) -> bool:
    return not file.startswith(_LIBRARIES)
