"""The commands that tell what happened to a conversation: ``trail``, ``diff`` and ``export``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from eventstore import ConversationStore, ThreadDiff, TrailEntry
from eventstore.audit.trail_page import trail_page
from eventstore.audit.trail_text import Shown, deed, shown
from eventstore.cli.framework import AsJson, app, examples
from eventstore.cli.messages import short_id
from eventstore.cli.opening import DEFAULT, Database, ThreadPrefix, existing, find_thread
from eventstore.cli.output import (
    errors,
    goes_through_tenants,
    harmless_json,
    one_line,
    print_facts,
    print_indented,
    print_json,
    safe,
    screen,
)
from eventstore.cli.times import typed_time
from eventstore.conversation.change_text import change_lines
from eventstore.exporters import ExportFormat

__all__ = ["diff", "export", "trail"]

_TYPE_HELP: Final = "Only events of this type, such as ThreadUpdated; may be repeated."


def _moment(text: str | None, option: str) -> datetime | None:
    return None if text is None else typed_time(text, option)


def _write_out(out: Path | None, pieces: Iterable[str], option: str = "--out") -> None:
    """Write text to a file, piece by piece, or to standard output."""
    if out is None:
        for piece in pieces:
            sys.stdout.write(piece)
        return
    try:
        with out.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(pieces)
    except OSError as error:
        problem = f"cannot write {str(out)!r}: {error.strerror}"
        raise typer.BadParameter(problem, param_hint=option) from None


@app.command(
    epilog=examples(
        "trail 019ab3",
        "trail 019ab3 --type MessageEdited --type ThreadUpdated",
        'trail --actor agent_9 --since "2026-05-01" --json',
        "trail 019ab3 --html trail.html",
    )
)
def trail(
    thread: Annotated[
        str | None,
        typer.Argument(metavar="THREAD", help="Only this thread; the whole tenant if omitted."),
    ] = None,
    *,
    database: Database = DEFAULT,
    actor: Annotated[str | None, typer.Option(help="Only what this actor did.")] = None,
    type: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help=_TYPE_HELP)
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only from this time on; UTC unless it names a zone."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only before this time.")
    ] = None,
    correlation: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what was done under this id.")
    ] = None,
    causation: Annotated[
        str | None, typer.Option(metavar="ID", help="Only what this event or request led to.")
    ] = None,
    event: Annotated[str | None, typer.Option(metavar="ID", help="Only this event.")] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write one HTML page that can be printed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what, when and why, with every field before and after."""
    if html is not None and as_json:
        raise typer.BadParameter("give one of --html and --json")
    if html is not None and thread is None and goes_through_tenants():
        problem = "one page shows one tenant: name it with --tenant, or leave out --html"
        raise typer.BadParameter(problem, param_hint="--html")
    with existing(database) as store:
        thread_id = None if thread is None else find_thread(store, thread)
        entries = store.audit.trail(
            thread_id,
            actor=actor,
            type=type or None,
            since=_moment(since, "--since"),
            until=_moment(until, "--until"),
            correlation_id=correlation,
            causation_id=causation,
            event_id=event,
        )
        if as_json:
            print_json(entry.model_dump_json() for entry in entries)
        elif html is not None:
            title, about = _named(store, thread_id)
            _write_out(html, trail_page(entries, title=title, about=about), "--html")
        else:
            _print_trail(screen(), entries, with_streams=thread_id is None)


def _named(store: ConversationStore, thread_id: str | None) -> tuple[str, str]:
    if thread_id is None:
        return "Trail of all conversations", ""
    title = store.replay.state(thread_id).thread.title
    return f"Trail: {title or thread_id}", thread_id


def _print_trail(console: Console, entries: Iterable[TrailEntry], *, with_streams: bool) -> None:
    day, count = "", 0
    for count, entry in enumerate(entries, 1):  # noqa: B007 (the last one is looked at)
        today = f"{entry.recorded_at:%Y-%m-%d} (UTC)"
        if today != day:
            console.print(Text(today, style="bold"))
            day = today
        _print_entry(console, entry, with_streams=with_streams)
    if not count:
        errors().print(Text("no entry matches", style="dim"))


def _print_entry(console: Console, entry: TrailEntry, *, with_streams: bool) -> None:
    head = Text(f"{entry.recorded_at:%H:%M:%S}  ", style="dim")
    head.append(one_line(entry.actor or "somebody", 40), style="bold not dim")
    head.append(f" {deed(entry)}", style="not dim default")
    place = f"v{entry.version}"
    if with_streams:
        place += f" of {short_id(entry.stream_id)}"
    head.append(f"  {place}  {short_id(entry.about)}")
    console.print(head)
    for one in shown(entry):
        _print_field(console, one)
    ids = (("correlation", entry.correlation_id), ("caused by", entry.causation_id))
    said = [f"{name} {one_line(value)}" for name, value in ids if value is not None]
    if said:
        print_indented(console, Text(" · ".join(said), style="dim"), _INDENT)


_INDENT: Final = 10
_SHORT: Final = 28
"""Characters of each side up to which old and new stand side by side."""


def _print_field(console: Console, one: Shown) -> None:
    """Print a field: its new value, or old and new, side by side or below each other."""
    before, after = (None if side is None else safe(side) for side in one[1:])
    name = Text(f"{safe(one.name)}: ", style="dim")
    sides = [(before, "red"), (after, "green")]
    if before is None and after is not None:
        name.append(after, style="not dim default")
    elif all(side is not None and "\n" not in side and len(side) <= _SHORT for side, _ in sides):
        name.append(f"{before}", style="not dim red").append(" → ")
        name.append(f"{after}", style="not dim green")
    else:
        for mark, (side, style) in zip("-+", sides, strict=True):
            lines = [] if side is None else side.split("\n")
            for line in lines:
                name.append(f"\n{mark} {line}", style=f"not dim {style}")
    print_indented(console, name, _INDENT)


@app.command(epilog=examples("diff 019ab3 4 9", "diff 019ab3 4 2026-05-01T12:00:00Z --json"))
def diff(
    thread: ThreadPrefix,
    before: Annotated[str, typer.Argument(metavar="BEFORE", help="A version, or a time.")],
    after: Annotated[
        str | None,
        typer.Argument(metavar="AFTER", help="A version, or a time; now if omitted."),
    ] = None,
    *,
    database: Database = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Compare a thread at two versions or times: every field that differs, old and new."""
    with existing(database) as store:
        thread_id = find_thread(store, thread)
        one = _version(store, thread_id, before, "BEFORE")
        two = None if after is None else _version(store, thread_id, after, "AFTER")
        found = store.replay.diff(thread_id, from_version=one, to_version=two)
    if as_json:
        print_json([found.model_dump_json()])
    else:
        _print_diff(screen(), found)


def _version(store: ConversationStore, thread_id: str, text: str, argument: str) -> int:
    if text.isdecimal():
        return int(text)
    return store.replay.state(thread_id, at_time=typed_time(text, argument)).version


def _print_diff(console: Console, found: ThreadDiff) -> None:
    print_facts(console, found.thread_id, f"version {found.from_version} → {found.to_version}")
    if found.only_a or found.only_b:
        counts = f"{len(found.only_a)} before, {len(found.only_b)} after"
        print_facts(console, f"active path: {found.common} messages in common, then {counts}")
    if not found.changes:
        console.print(Text("no difference", style="dim"))
    styles = {"-": "red", "+": "green"}
    for line in change_lines(found.changes):
        columns = len(line) - len(line.lstrip())
        text = line[columns:]
        style = styles.get(text[:1], "default") if columns != _FIELD_COLUMNS else "dim"
        print_indented(console, Text(safe(text), style=style), columns)
    for key in found.erased:
        console.print(Text(f"! message {short_id(key)} was erased in between", style="yellow"))


_FIELD_COLUMNS: Final = 4


@app.command(
    epilog=examples(
        "export 019ab3 > talk.md",
        "export 019ab3 --format html --out talk.html",
        "export 019ab3 --at-version 4 --format json",
    )
)
def export(
    thread: ThreadPrefix,
    *,
    database: Database = DEFAULT,
    format: Annotated[
        ExportFormat, typer.Option(help="For people: markdown or html. For programs: json.")
    ] = "markdown",
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write here instead of to standard output."),
    ] = None,
    at_version: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="As of this version.")
    ] = None,
    at_time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As of this time; UTC unless it names a zone."),
    ] = None,
) -> None:
    """Write a conversation for reading: the active path first, then each branch by name.

    For evidence that can be verified: 'eventstore audit export'.
    """
    if at_version is not None and at_time is not None:
        raise typer.BadParameter("give one of --at-version and --at-time")
    with existing(database) as store:
        made = store.threads.export(
            find_thread(store, thread),
            format=format,
            at_version=at_version,
            at_time=_moment(at_time, "--at-time"),
        )
    _write_out(out, [harmless_json(made) if format == "json" else made])
