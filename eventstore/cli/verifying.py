"""The command ``verify``: recomputes the chain, and compares the tables with the events."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.text import Text

from eventstore import AuditFinding, ConversationStore, InvalidInput, TreeHead, VerifyReport
from eventstore.api.operations import Read, verification
from eventstore.audit.verifying import Verified
from eventstore.cli.auditing import read_head, read_public_key
from eventstore.cli.framework import AsJson, app, examples
from eventstore.cli.opening import DEFAULT, Database, existing, find_stream
from eventstore.cli.output import errors, print_json, progress, screen
from eventstore.read_models import MessageSearch, Usage
from eventstore.storage.chain_pages import events_counted
from eventstore.storage.interning import find_tenant

__all__ = ["verify"]

HeadFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A tree head that was kept elsewhere: the store has to go on from it.",
    ),
]
PublicKey: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        envvar="EVENTSTORE_PUBLIC_KEY",
        help="The key that signed it: 64 hex digits, or a file that holds them.",
    ),
]
Changed: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--changed",
        help="Recompute only streams that went on since the tree head, or since the last mark.",
    ),
]
Mark: TypeAlias = Annotated[
    bool,
    typer.Option("--mark", help="Without findings, leave a mark from which --changed goes on."),
]
ReadModels: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--read-models",
        help="Also build the tables of message search and usage by day anew, in memory, and"
        " compare.",
    ),
]


@app.command(
    epilog=examples(
        *("verify", "verify 019ab3", "verify --mark", "verify --changed --mark"),
        "verify --tree-head head.json --public-key KEY",
    )
)
def verify(
    thread: Annotated[
        str | None,
        typer.Argument(
            metavar="THREAD",
            help="Only this thread and those it was forked from; everything if omitted.",
        ),
    ] = None,
    *,
    database: Database = DEFAULT,
    tree_head: HeadFile = None,
    public_key: PublicKey = None,
    changed: Changed = False,
    mark: Mark = False,
    read_models: ReadModels = False,
    as_json: AsJson = False,
) -> None:
    """Recompute every hash, and compare the tables with the events.

    Each finding names the stream, the version and what happened. It ends with status 1 if there is
    a finding, or if there was nothing to verify.
    """
    with existing(database) as store:
        report = _watched(
            store,
            None if thread is None else find_stream(store, thread),
            None if tree_head is None else read_head(tree_head),
            None if public_key is None else read_public_key(public_key),
            changed_only=changed,
            mark=mark,
            read_models=read_models,
        )
    if as_json:
        print_json([report.model_dump_json()])
    else:
        print_verification(screen(), report)
    if report.empty and as_json:
        errors().print(_NOTHING)
    if read_models and not report.read_models:
        errors().print(_NO_MODEL)
    if not report.ok:
        raise typer.Exit(1)


_NOTHING = Text("there was nothing to verify: no stream was found", style="yellow")


_NO_MODEL = Text(
    "no read model was compared: none has tables that are up to date with every erasure; and they"
    " belong to the store as a whole, not to one named tenant",
    style="yellow",
)


def _watched(
    store: ConversationStore,
    thread_id: str | None,
    tree_head: TreeHead | None,
    public_key: bytes | None,
    *,
    changed_only: bool,
    mark: bool,
    read_models: bool,
) -> VerifyReport:
    """Run the method of the store, with a progress bar that counts events."""
    read_models = read_models and not store.scope.is_tenants
    for one in (Usage(), MessageSearch()) if read_models else ():
        with suppress(InvalidInput):  # with encryption there is no search
            store.projections.register(one)
    work = verification.verify(
        store.scope,
        thread_id,
        tree_head=tree_head,
        public_key=public_key,
        changed_only=changed_only,
        mark=mark,
        read_models=read_models,
    )
    done = list[Verified]()
    with progress() as bar:
        total = None
        if thread_id is None and not changed_only and not bar.disable:
            tenant = store.scope.tenant
            total = store.perform(Read(lambda tx: events_counted(tx, find_tenant(tx, tenant) or 0)))
        task = bar.add_task("verifying", total=total)
        for one in store._runner.each(work.walk):  # noqa: SLF001 (it counts as it goes)
            done.append(one)
            bar.advance(task, one.events)
    return work.report(done)


def print_verification(console: Console, report: VerifyReport) -> None:
    """Print the findings, and what was verified."""
    for one in report.findings:
        console.print(_line(one), soft_wrap=True)
    if report.empty:
        console.print(_NOTHING)
        return
    counted = f"{report.events} events of {report.streams} streams"
    if report.unchanged:
        known = "signed" if report.since is None else "marked"
        counted += f" (the ends of {report.unchanged} others are as they were {known})"
    if report.read_models:
        counted += f", the read models {' and '.join(report.read_models)}"
    if report.ok:
        said = f"{counted}: every hash holds, and the tables of {report.threads_compared} threads"
        console.print(Text(f"{said} match", style="green"))
        return
    number = len(report.findings)
    said = f"{counted}: {number} finding{'' if number == 1 else 's'}"
    if report.threads_not_compared:
        said += f"; the tables of {report.threads_not_compared} threads were not compared"
    console.print(Text(said, style="red"))


def _line(one: AuditFinding) -> Text:
    line = Text(f"{one.kind:<18} ", style="red").append(one.stream_id, style="bold")
    line.append(f" at version {one.version}\n  {one.message}\n", style="not bold default")
    return line.append(f"  {one.remedy}", style="dim")
