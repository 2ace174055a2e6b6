"""Run the schedules by hand, with any number of appends; ``make torture`` does.

    python -m eventstore.testing.schedules 1000000                    # SQLite, then PostgreSQL
    python -m eventstore.testing.schedules 20000 --only postgres --seed 7

One line shows the progress. The counts come at the end; the status is 1 if one is not zero.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from eventstore.testing.postgres_server import PostgresServer
from eventstore.testing.schedules import Report, long_schedule, run
from eventstore.testing.schedules.ours import OurStore
from eventstore.testing.schedules.telling import ProgressLine

_SERVER_KILLS: Final = 3


class _Database(NamedTuple):
    store: OurStore
    server: PostgresServer | None = None


@contextmanager
def _sqlite() -> Iterator[_Database]:
    with tempfile.TemporaryDirectory() as folder:
        yield _Database(OurStore(f"sqlite:///{Path(folder, 'chat.db')}"))


@contextmanager
def _postgres() -> Iterator[_Database]:
    with PostgresServer() as server:
        yield _Database(OurStore(server.url(database=server.create_database())), server)


_DATABASES: Final = {"sqlite": _sqlite, "postgres": _postgres}


def _tortured(name: str, appends: int, seed: int) -> Report:
    line = ProgressLine(name, sys.stderr)
    with _DATABASES[name]() as (store, server):
        schedule = long_schedule(appends, seed=seed, server_kills=_SERVER_KILLS if server else 0)
        try:
            return run(schedule, store, line, server=server)
        finally:
            line.done()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m eventstore.testing.schedules")
    parser.add_argument("appends", type=int, help="on each database")
    parser.add_argument("--only", choices=sorted(_DATABASES), help="one database")
    parser.add_argument("--seed", type=int, default=0, help="what each writer does")
    given = parser.parse_args()
    reports = []
    for name in [given.only] if given.only else _DATABASES:
        reports.append(_tortured(name, given.appends, given.seed))
        sys.stdout.write(f"{name}: {reports[-1]}\n")
        sys.stdout.flush()
    return 0 if all(report.ok for report in reports) else 1


if __name__ == "__main__":
    sys.exit(main())
