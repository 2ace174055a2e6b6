"""Handles standard output that fails: its reader ended, its disk is full, or it is closed.

Output is small and buffered, so a failure to write shows late: at a flush or at the very end, after
the command has done its work. An ``OSError`` does not name its file, so output that is no terminal
goes through a file object that marks its own failures.
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
"""Status that a shell reports for a program that SIGPIPE ended."""
_NOT_WRITTEN: Final = 74
"""EX_IOERR of sysexits.h: neither refused (1) nor called wrongly (2)."""


class _NotWritten(Exception):
    """Standard output failed. Not an ``OSError``, so that no library handles it first."""

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
    """End the program with a status, and at most a line, if its output cannot be written."""
    _prepare()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # here, because nothing catches it when the interpreter ends
    except _NotWritten as failed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is buffered
        if isinstance(failed.why, BrokenPipeError):  # the reader, for example `head`, has ended
            sys.exit(_PIPE_CLOSED)
        sys.stderr.write(
            f"The output could not be written: {failed}. Its end is missing;"
            " changes to the store stay.\n"
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
