"""The program ``eventstore``, with all its commands."""

from __future__ import annotations

import os
import sys

from eventstore.cli import doing, erasing, looking
from eventstore.cli.framework import app

__all__ = ["COMMANDS", "app", "run"]

COMMANDS = (doing, looking, erasing)
"""Importing a module adds its commands to the program."""

_PIPE_CLOSED = 141
"""What a shell reports for a program that SIGPIPE ended."""


def run() -> None:
    """Run the program."""
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # here, and not when the interpreter ends, where nobody catches it
    except BrokenPipeError:  # the reader, say `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_PIPE_CLOSED)
