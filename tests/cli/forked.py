"""The program in a fork of this process: a process of its own that has nothing to import.

Its streams, folder, environment and status are those of a process, at a twentieth of the price.
What a fork cannot show, how an interpreter starts and what it reads of its environment, is looked
at in ``test_program`` and where the README's commands are run.
"""

import os
import subprocess
import sys
from contextlib import nullcontext
from tempfile import TemporaryFile
from typing import Any

from eventstore.cli import main
from tests.concurrency.schedules import Child


class Forked(Child):
    """``eventstore …`` on these streams; ``before`` is called in the fork first."""

    def __init__(self, arguments, streams, *, folder, environment, encoding="utf-8", before=None):
        def act():
            for end, stream in enumerate(streams):
                os.dup2(stream, end)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.argv = ["eventstore", *arguments]
            sys.stdin, sys.stdout, sys.stderr = (
                open(end, "r" if end == 0 else "w", encoding=encoding, closefd=False)  # noqa: SIM115
                for end in range(3)
            )
            if before is not None:
                before()
            os._exit(ended(main))

        super().__init__(act)


def ended(act):
    """What an interpreter does around its program: the status of its exit, and the last flush."""
    code: Any = 0
    try:
        act()
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)  # noqa: T201
            code = 1
    try:
        sys.stdout.flush()
    except OSError as error:
        print("Exception ignored:", repr(error), file=sys.stderr)  # noqa: T201
        code = 120
    sys.stderr.flush()
    return code


def completed(arguments, *, stdin=None, **how):
    """Run the program and wait for it, as ``subprocess.run`` does; its output is a pipe."""
    out, into = os.pipe()
    with (
        open(os.devnull, "rb") if stdin is None else nullcontext(stdin) as read,  # noqa: PTH123
        TemporaryFile() as remarks,
    ):
        child = Forked(arguments, (read.fileno(), into, remarks.fileno()), **how)
        os.close(into)
        with open(out, encoding="utf-8") as printed:  # noqa: PTH123
            shown = printed.read()
        code = child.wait()
        remarks.seek(0)
        return subprocess.CompletedProcess(arguments, code, shown, remarks.read().decode())
