"""The schedules by hand, for as many appends as one has time for; ``make torture``.

    python -m eventstore.testing.schedules 1000000                    # SQLite, then PostgreSQL
    python -m eventstore.testing.schedules 20000 --only postgres --seed 7

One line shows how far it is; the counts stand at the end, and the status is 1 if one is not zero.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from eventstore.testing.postgres_server import PostgresServer
from eventstore.testing.schedules import Progress, Report, Schedule, run
from eventstore.testing.schedules.ours import OurStore

_WIDTH: Final = 30
_SECONDS_AN_APPEND: Final = 0.1
"""More than it takes anywhere: a run that takes longer has stopped."""


@contextmanager
def _sqlite() -> Iterator[OurStore]:
    with tempfile.TemporaryDirectory() as folder:
        yield OurStore(f"sqlite:///{Path(folder, 'chat.db')}")


@contextmanager
def _postgres() -> Iterator[OurStore]:
    with PostgresServer() as server:
        yield OurStore(server.url(database=server.create_database()))


_DATABASES: Final = {"sqlite": _sqlite, "postgres": _postgres}


def _tortured(name: str, appends: int, seed: int) -> Report:
    schedule = Schedule(
        appends=appends,
        seed=seed,
        streams=max(8, appends // 5_000),
        processes=4,
        threads=8,
        kills=3,
        page=500,
        poll_seconds=0.01,
        settle_seconds=30 + appends * _SECONDS_AN_APPEND / 10,
        seconds=60 + appends * _SECONDS_AN_APPEND,
    )
    with _DATABASES[name]() as store:
        return run(schedule, store, _line(name))


def _line(name: str) -> Callable[[Progress], None]:
    """Show how far it is, on one line that is written over."""

    def show(progress: Progress) -> None:
        done = min(1.0, progress.acknowledged / progress.of)
        bar = "#" * round(done * _WIDTH)
        rate = progress.acknowledged / progress.seconds
        sys.stderr.write(
            f"\r{name} [{bar:{_WIDTH}}] {progress.acknowledged:,} of {progress.of:,} acknowledged, "
            f"{progress.delivered:,} events delivered, {rate:,.0f}/s "
        )
        sys.stderr.flush()

    return show


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eventstore.testing.schedules")
    parser.add_argument("appends", type=int, help="on each database")
    parser.add_argument("--only", choices=sorted(_DATABASES), help="one database")
    parser.add_argument("--seed", type=int, default=0, help="what each writer does")
    given = parser.parse_args()
    reports = []
    for name in [given.only] if given.only else _DATABASES:
        reports.append(_tortured(name, given.appends, given.seed))
        sys.stdout.write(f"\n{name}: {reports[-1]}\n")
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
