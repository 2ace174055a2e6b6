"""The command line: `python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks import durability

durability.install()  # before anything that binds `sqlite3.connect` is imported

from benchmarks import (  # noqa: E402
    limiting,
    machine,
    ours,
    peers,
    postgres,
    profiling,
    report,
    results,
    syncs,
)
from benchmarks.contenders import Contender, Face, Kind, Missing  # noqa: E402
from benchmarks.field import Plan, say  # noqa: E402
from benchmarks.places import Database  # noqa: E402
from benchmarks.works import WORKS  # noqa: E402

RESULTS = Path(__file__).parent / "results"
COMMANDS = ("durability", "list")
_CHILD = "append"  # what `durability` runs under strace; not for people
_IN_MEMORY = {"tmpfs", "ramfs"}
_BOTH = "both"
_EPILOG = """\
examples:
  python -m benchmarks                       all works on SQLite, both faces; many minutes
  python -m benchmarks --database both       the same on PostgreSQL, too
  python -m benchmarks W1 W2 --face async    two of them, async only
  python -m benchmarks W6 --no-peers         ours and the limit
  python -m benchmarks W1 --only recorder    the limit, ours and peers whose name has "recorder"
  python -m benchmarks --quick               a few seconds each: does everything run?
  python -m benchmarks W1 W2 --profile       where our own time goes
  python -m benchmarks durability            count the syncs of every append with strace
  python -m benchmarks list                  what would be measured, and what is missing

PostgreSQL is a server that is started for the run, with its data in a folder of its own, and
stopped at the end. It counts the syncs of each contender; the command `durability` is for SQLite.

A full run of a work writes benchmarks/results/<work>-<database>.json and .md; a quick run, or one
with --only, --no-peers or --face, writes only where --out says. A full run of all works writes
summary-<database>.md as well.
"""

Entries = tuple[list[Contender], list[Missing]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit status is 0 unless ours or a limit could not be measured."""
    options = _parser().parse_args(arguments)
    warnings.simplefilter("ignore")  # what peers deprecate is not ours to report
    _check_names(options)
    chosen = list(Database) if options.database == _BOTH else [Database(options.database)]
    tempfile.tempdir = options.dir  # the server's folder goes there, too
    if options.what == ["list"]:
        return max(_list(database, *_entries(options, database)) for database in chosen)
    if options.what == [_CHILD]:
        contenders, _ = _entries(options, Database.SQLITE)
        found = _one(contenders, options.only)
        syncs.append_between_marks(found, options.messages, Path(options.dir))
        return 0
    if options.what == ["durability"]:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            contenders, missing = _entries(options, Database.SQLITE)
            _announce(missing)
            return _count_syncs(contenders, options.messages, Path(scratch))
    try:
        return max(_measure(options, database) for database in chosen)
    except postgres.NoServerError as error:
        sys.exit(str(error))


def _measure(options: argparse.Namespace, database: Database) -> int:
    contenders, missing = _entries(options, database)
    _announce(missing)
    with _plan(options, database, contenders, missing) as plan:
        _check_disk(plan.scratch, quick=options.quick)
        if options.profile:
            works = [name for name in options.what or profiling.WORKS if name in profiling.WORKS]
            for text in profiling.profiles(plan, works):
                sys.stdout.write(f"{text}\n")
            return 0
        return _run(options, plan)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure the store against a plain driver and its peers, side by side.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("what", nargs="*", metavar="WORK", help=_help_on_works())
    add("--quick", action="store_true", help="short rounds and short threads")
    add("--face", choices=[face.value for face in Face], help="only the sync or the async face")
    add("--only", metavar="TEXT", help="of the peers, only those with this in their name")
    add("--no-peers", action="store_true", help="ours and the limits only")
    databases = [*(one.value for one in Database), _BOTH]
    add("--database", choices=databases, default="sqlite", help="where the messages are kept")
    add("--profile", action="store_true", help="profile ours in W1 and W2 instead of timing it")
    add("--rounds", type=int, metavar="N", help="how often each is measured (7)")
    add("--seconds", type=float, metavar="S", help="how long one measurement takes (1.0)")
    add("--events", type=int, metavar="N", help="events to verify in W10 (1,000,000)")
    add("--messages", type=int, default=100, metavar="N", help="appends to count syncs for (100)")
    add("--dir", metavar="DIR", help="where the databases go while measuring: a real disk")
    add("--out", type=Path, metavar="DIR", help="where the results go")
    return parser


def _help_on_works() -> str:
    works = "; ".join(f"{name}: {title}" for name, (title, _) in WORKS.items())
    return f"{works}. All of them if none is named. Or a command: durability, list"


def _check_names(options: argparse.Namespace) -> None:
    unknown = [one for one in options.what if one not in (*WORKS, *COMMANDS, _CHILD)]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join([*WORKS, *COMMANDS])}")


def _entries(options: argparse.Namespace, database: Database) -> Entries:
    """All contenders that the options leave, and all that should be there and are not."""
    limits, missing = limiting.contenders(database)
    own, absent = ours.contenders(database)
    missing = missing + absent
    others: list[Contender] = []
    if not options.no_peers:
        others, absent = peers.contenders(database)
        missing = missing + absent
    if options.only:
        others = [one for one in others if options.only.lower() in one.name.lower()]
    return [*limits, *own, *others], missing


@contextmanager
def _plan(
    options: argparse.Namespace,
    database: Database,
    contenders: list[Contender],
    missing: list[Missing],
) -> Iterator[Plan]:
    """The plan of the run, with a server if one is needed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _server(database) as server:
        yield Plan(
            scratch=Path(folder),
            contenders=contenders,
            missing=missing,
            database=database,
            server=server,
            faces=[Face(options.face)] if options.face else tuple(Face),
            rounds=options.rounds or (2 if options.quick else 7),
            seconds=options.seconds or (0.1 if options.quick else 1.0),
            quick=options.quick,
            events=options.events,
        )


@contextmanager
def _server(database: Database) -> Iterator[postgres.Server | None]:
    if database is Database.SQLITE:
        yield None
        return
    with postgres.server() as server:
        yield server


def _run(options: argparse.Namespace, plan: Plan) -> int:
    found = [_work(name, plan, options) for name in options.what or WORKS]
    whole = report.summary(found)
    folder = _out(options)
    if folder is not None and not options.what:
        (folder / f"summary-{plan.database}.md").write_text(whole, encoding="utf-8")
    sys.stdout.write(f"{whole}\n")
    failed = [one for result in found for one in result.missing if one.why.startswith("failed")]
    return int(any(one.kind is not Kind.PEER for one in failed))


def _work(name: str, plan: Plan, options: argparse.Namespace) -> results.Result:
    title, run = WORKS[name]
    result = results.Result(
        work=name,
        title=title,
        database=plan.database,
        settings={"rounds": plan.rounds, "seconds": plan.seconds, "quick": plan.quick},
        machine=machine.machine(plan.scratch, plan.server.version if plan.server else None),
        versions=machine.versions(plan.contenders, plan.database),
        missing=list(plan.missing),
    )
    run(plan, result)
    rendered = report.render(result)
    say("")
    sys.stdout.write(f"{rendered}\n")
    folder = _out(options)
    if folder is not None:
        results.write(result, folder, rendered)
    return result


def _out(options: argparse.Namespace) -> Path | None:
    """Partial and quick runs must not take the place of full ones."""
    partial = options.quick or options.only or options.no_peers or options.face
    return options.out or (None if partial else RESULTS)


def _check_disk(scratch: Path, *, quick: bool) -> None:
    kind = machine.file_system(scratch)
    if kind not in _IN_MEMORY:
        return
    complaint = f"{scratch.parent} is a {kind}, where syncing costs nothing"
    if not quick:
        sys.exit(f"{complaint}: name a folder on a disk with --dir")
    say(f"note: {complaint}", keep=True)


def _announce(missing: Sequence[Missing]) -> None:
    for one in missing:
        say(f"MISSING: {one.name} ({one.kind}): {one.why}", keep=True)


def _list(database: Database, contenders: Sequence[Contender], missing: Sequence[Missing]) -> int:
    known = machine.versions(contenders, database)
    for one in contenders:
        version = known.get(one.distribution or "", "")
        sys.stdout.write(f"{database:8} {one.kind:6} {one.face:6} {one.name:36} {version}\n")
    for absent in missing:
        sys.stdout.write(f"{database:8} {absent.kind:6} MISSING {absent.name}: {absent.why}\n")
    return 0


def _one(contenders: Sequence[Contender], name: str) -> Contender:
    return next(one for one in contenders if one.name == name)


def _count_syncs(contenders: list[Contender], messages: int, scratch: Path) -> int:
    try:
        counts = syncs.count(contenders, messages, scratch)
    except syncs.NoStraceError as error:
        sys.exit(str(error))
    say("")
    sys.stdout.write(syncs.render(counts))
    own = [one for one in counts if one.kind is not Kind.PEER]
    return int(not all(one.durable for one in own))


if __name__ == "__main__":
    sys.exit(main())
