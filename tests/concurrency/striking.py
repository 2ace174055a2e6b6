"""Interrupts that strike a call at a chosen moment, and once more in the clean-up after it.

Moments are those at which Python runs signal handlers: when a function begins, when a call is
over, at the end of a loop's turn. A tracer sees each instruction, and is switched off by what it
raises; a profiler sees where functions begin and calls are over. The two do not disturb each other,
so the tracer strikes first and the profiler afterwards.

Between a lock that ``with`` has taken and the block, and between the block and its release, Python
runs no handler, so nothing strikes there.
"""

import dis
import sys
from functools import cache
from pathlib import Path
from typing import Any

import eventstore

HERE = str(Path(eventstore.__file__).parent)
NEVER = 10**9
CHECKING = ("RESUME", "CALL", "CALL_KW", "CALL_FUNCTION_EX", "JUMP_BACKWARD")
"""Instructions after which Python looks for signals, as of 3.11 to 3.13."""


class Struck(KeyboardInterrupt):
    """The first interrupt."""


class StruckAgain(SystemExit):
    """The second."""


@cache
def is_ours(code):
    return code.co_filename.startswith(HERE) and "/testing/" not in code.co_filename


@cache
def heard_at(code):
    """Offsets before which Python may have run a signal handler, with the same handlers of errors.

    It does so at the end of a call, at the beginning of a function and at the end of a loop's turn.
    """
    known: Any = dis.Bytecode(code)
    entries = known.exception_entries

    def caught(offset):
        return [e for e in entries if e.start <= offset < e.end]

    found, before = set(), None
    for one in dis.get_instructions(code):
        if (
            before is not None
            and before.opname in CHECKING
            and caught(before.offset) == caught(one.offset)
        ):
            found.add(one.offset)
        before = one
    return frozenset(found)


class Strikes:
    """Strikes a block at its n-th moment, and at the m-th moment from then on."""

    def __init__(self, first, second=NEVER):
        self.left = first
        self.second = second
        self.struck = 0
        self.where: tuple[Any, ...] = ()

    def __enter__(self):
        self.unraisable, sys.unraisablehook = (
            sys.unraisablehook,
            id,
        )  # of finalizers that are struck
        sys.settrace(self._entered)
        if self.second != NEVER:
            sys.setprofile(self._profiled)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        sys.settrace(None)
        sys.unraisablehook = self.unraisable

    def _entered(self, frame, *_):
        if not is_ours(frame.f_code):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return self._traced

    def _traced(self, frame, event, _):
        if event == "opcode" and frame.f_lasti in heard_at(frame.f_code):
            self.left -= 1
            if self.left == 0:
                self.struck, self.where = 1, (frame.f_code.co_qualname, frame.f_lineno)
                raise Struck
        return self._traced

    def _profiled(self, frame, event, _):
        if self.struck and event in ("call", "c_return") and is_ours(frame.f_code):
            self.second -= 1
            if self.second == 0:
                self.struck, self.where = 2, (*self.where, frame.f_code.co_qualname, frame.f_lineno)
                raise StruckAgain
