"""Kill workers by hand, with any number of runs; ``make torture`` does.

    python -m eventstore.testing.killed_workers 1000                   # SQLite, then PostgreSQL
    python -m eventstore.testing.killed_workers 200 --only postgres --seed 7 --restarts

A line shows the progress. The status is 1 if anything was found.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from eventstore.testing.killed_workers import Report, torture
from eventstore.testing.postgres_server import PostgresServer

_LINE_SECONDS: Final = 20.0


class _Place(NamedTuple):
    url: str
    restart: Callable[[], None] | None = None


@contextmanager
def _sqlite(folder: Path) -> Iterator[_Place]:
    yield _Place(f"sqlite:///{folder / 'chat.db'}")


@contextmanager
def _postgres(_: Path) -> Iterator[_Place]:
    with PostgresServer(max_connections=300) as server:

        def restart() -> None:
            server.kill()
            server.restart()

        yield _Place(server.url(database=server.create_database()), restart)


_DATABASES: Final = {"sqlite": _sqlite, "postgres": _postgres}


class _Line:
    """Says now and then how far it is."""

    def __init__(self, name: str, runs: int) -> None:
        self._name = name
        self._runs = runs
        self._said = 0.0

    def __call__(self, ended: int, seconds: float) -> None:
        if seconds - self._said >= _LINE_SECONDS:
            self._said = seconds
            left = f"{seconds / ended * (self._runs - ended):.0f} s left" if ended else ""
            sys.stderr.write(f"{self._name}: {ended:,} of {self._runs:,} runs have ended, {left}\n")
            sys.stderr.flush()


def _tortured(name: str, runs: int, seed: int, *, restarts: bool) -> Report:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with _DATABASES[name](folder) as place:
            return torture(
                place.url,
                folder,
                runs,
                seed=seed,
                progress=_Line(name, runs),
                disturb=place.restart if restarts else None,
            )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eventstore.testing.killed_workers")
    parser.add_argument("runs", type=int, help="on each database")
    parser.add_argument("--only", choices=sorted(_DATABASES), help="one database")
    parser.add_argument("--seed", type=int, default=0, help="the stories and the deaths")
    parser.add_argument("--restarts", action="store_true", help="kill the server, too: PostgreSQL")
    given = parser.parse_args()
    ok = True
    for name in [given.only] if given.only else _DATABASES:
        report = _tortured(name, given.runs, given.seed, restarts=given.restarts)
        sys.stdout.write(f"{name}: {report}\n")
        sys.stdout.flush()
        ok = ok and report.ok
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
