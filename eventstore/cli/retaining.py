"""The command ``retain``: erases or purges threads in which nothing happened for long."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from eventstore import ConversationStore, RetainedThread, RetentionReport
from eventstore.api.operations import retention
from eventstore.api.operations.operation import RetentionOptions
from eventstore.cli.asking import Actor, Reason, Yes, ask
from eventstore.cli.certificates import print_bytes
from eventstore.cli.framework import AsJson, app, examples
from eventstore.cli.opening import DEFAULT, Database, existing
from eventstore.cli.output import errors, print_json, progress, screen, when
from eventstore.privacy.retention import Outcome

__all__ = ["retain"]

_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE: Final = re.compile(r"(\d{1,6})([mhdw])\Z")


@app.command(
    epilog=examples(
        "retain --older-than 90d --dry-run",
        "retain --older-than 12w --metadata channel=support --purge --yes",
    )
)
def retain(
    *,
    database: Database = DEFAULT,
    older_than: Annotated[
        str,
        typer.Option(metavar="AGE", help="Time since the last event: 90d, 12w, 36h or 15m."),
    ],
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE",
            help="Only threads with this in their metadata; JSON, or else text. Repeat for more.",
        ),
    ] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Only archived threads.")] = False,
    purge: Annotated[
        bool,
        typer.Option("--purge/--erase", help="Purge the threads, or erase their content."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what is due; change nothing.")
    ] = False,
    reason: Reason = None,
    actor: Actor = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Erase or purge every thread in which nothing happened for some time.

    It goes thread by thread, and can be interrupted and started again. A thread stays as long as a
    fork of it is in use. It lists what it does; with --dry-run, what it would do.
    """
    given: dict[str, Any] = {
        "older_than": _age(older_than),
        "metadata": dict(map(_pair, metadata or ())) or None,
        "archived": True if archived else None,
        "action": "purge" if purge else "erase",
    }
    with existing(database) as store:
        if not dry_run and not yes:
            ahead = store.privacy.retain(**given, dry_run=True)
            _print(errors(), ahead)
            if ahead.count("due"):
                ask("Purge them for good?" if purge else "Erase them for good?")
        report = _watched(store, given, RetentionOptions(actor=actor, reason=reason), dry=dry_run)
    if as_json:
        print_json([report.model_dump_json()])
        return
    _print(screen(), report)
    if report.count("erased") or report.count("purged"):
        print_bytes(screen(), report)


def _watched(
    store: ConversationStore, given: dict[str, Any], options: RetentionOptions, *, dry: bool
) -> RetentionReport:
    """Run the method of the store, with a progress bar that counts threads."""
    total = None
    work = retention.retain(store.scope, **given, dry_run=dry, options=options)
    done = []
    with progress() as bar:
        if not dry and not bar.disable:
            total = store.privacy.retain(**given, dry_run=True).count("due")
        task = bar.add_task("retaining", total=total)
        for one in store._runner.each(work.walk):  # noqa: SLF001 (it counts as it goes)
            done.append(one)
            bar.advance(task, int(isinstance(one, RetainedThread)))
    return work.report(done)


def _age(text: str) -> timedelta:
    found = _AGE.match(text)
    if found is None:
        raise typer.BadParameter("Give a number and a unit: 90d.", param_hint="--older-than")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter("Give KEY=VALUE.", param_hint="--metadata")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _print(console: Console, report: RetentionReport) -> None:
    styles: dict[Outcome, str] = {
        "due": "yellow",
        "erased": "green",
        "purged": "green",
        "kept": "dim",
    }
    for one in report.threads:
        line = Text(f"{one.outcome:<8} ", style=styles[one.outcome])
        line.append(one.thread_id, style="not dim bold")
        line.append(f"  {when(one.last_activity_at)}", style="not bold dim")
        console.print(line.append("" if one.why is None else f"  {one.why}"), soft_wrap=True)
    counted = [f"{report.count(name)} {name}" for name in styles if report.count(name)]
    said = ", ".join(counted) or "no thread is due"
    console.print(Text(f"{said}; nothing happened in them since {when(report.cutoff)}"))
