"""A process that has imported everything that its children need, and forks them for ``nursery``.

    python -m eventstore.testing.schedules.forking <module to import> …

It has no threads, since a fork beside threads may deadlock. It answers a line with a line:

    begin <work> <log> <errors>     the id of a process that does a pickled work
    look <id>                       how it ended, or ``-`` while it goes on

An ended process keeps its id until it is looked at, so that a kill cannot hit another process.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Final, NoReturn

from eventstore.testing.schedules.nursery import Chore

_GOES_ON: Final = "-"


def main(asked: IO[str], told: IO[str], modules: Sequence[str]) -> None:
    """Serve requests until the pipe closes. Ctrl-C is for the requester and for the children."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in modules:
        import_module(module)
    for line in asked:
        what, *words = line.rstrip("\n").split("\t")
        answer = str(_begun(words)) if what == "begin" else _ended(int(words[0]))
        told.write(answer + "\n")
        told.flush()


def _begun(files: Sequence[str]) -> int:
    work, log, errors = files
    chore: Chore = pickle.loads(Path(work).read_bytes())  # noqa: S301 (from the process that started this one)
    gc.freeze()
    process = os.fork()
    if process == 0:
        _perform(chore, log, errors)
    return process


def _perform(chore: Chore, log: str, errors: str) -> NoReturn:
    """Run as a process of its own, with files for its output, and end as an interpreter does."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(log, os.O_WRONLY), 1)
        os.dup2(os.open(errors, os.O_WRONLY), 2)
        chore.perform(chore.work)
        code = 0
    except BaseException:  # noqa: BLE001 (it is written down, and the status says so)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _ended(process: int) -> str:
    found, status = os.waitpid(process, os.WNOHANG)
    return str(os.waitstatus_to_exitcode(status)) if found else _GOES_ON


if __name__ == "__main__":
    main(sys.stdin, sys.stdout, sys.argv[1:])
