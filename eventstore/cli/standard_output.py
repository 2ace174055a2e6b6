"""Standard output as it may be: its reader gone, its disk full, or closed from the start.

Output is small and buffered, so that it cannot be written shows late, at a flush or at the very
end, when the command has done its work. An ``OSError`` does not say which file it is about: so
output that is no terminal goes through a file that tells its own failures from all others.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["ended_as_it_should"]

_PIPE_CLOSED: Final = 141
"""What a shell reports for a program that SIGPIPE ended."""
_NOT_WRITTEN: Final = 74
"""EX_IOERR of sysexits.h: neither refused (1) nor called wrongly (2)."""


class _NotWritten(Exception):
    """Standard output took no more: why. No ``OSError``, so that no library sees to it first."""

    def __init__(self, why: OSError) -> None:
        super().__init__(why.strerror)
        self.why = why


class _Output(io.FileIO):
    def write(self, data: ReadableBuffer, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise _NotWritten(error) from error


@contextmanager
def ended_as_it_should() -> Generator[None]:
    """End the program with a status, and at most a line, if its output is not taken."""
    _prepare()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # here, and not when the interpreter ends, where nobody catches it
    except _NotWritten as failed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is buffered
        if isinstance(failed.why, BrokenPipeError):  # the reader, say `head`, has seen enough
            sys.exit(_PIPE_CLOSED)
        sys.stderr.write(
            f"The output could not be written: {failed}. Its end is missing;"
            " what the command did in the store stays.\n"
        )
        sys.exit(_NOT_WRITTEN)


def _prepare() -> None:
    if sys.stdout is not None and not sys.stdout.isatty():
        raw = _Output(sys.stdout.fileno(), "w", closefd=False)
        sys.stdout = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding=sys.stdout.encoding, errors=sys.stdout.errors
        )
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed; its number must not become that of a database
            nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (kept open)
            setattr(sys, name, nowhere)
