"""The commands that read a store, present or past. None of them makes a database."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import typer
from rich.text import Text

from eventstore import ConversationStore, Position
from eventstore.cli import checking
from eventstore.cli.drawing import tree_lines
from eventstore.cli.framework import AsJson, app, examples
from eventstore.cli.listing import print_events, print_threads, stream_names
from eventstore.cli.messages import print_message, print_waiting
from eventstore.cli.opening import (
    DEFAULT,
    Database,
    ThreadPrefix,
    existing,
    find_branch,
    find_thread,
)
from eventstore.cli.output import errors, one_line, print_facts, print_json, screen, when
from eventstore.cli.replaying import step_lines, steps_as_json
from eventstore.cli.times import typed_time

__all__ = ["check", "log", "replay", "show", "threads", "tree"]


_Sort: TypeAlias = Literal["created", "activity"]


@app.command(epilog=examples("threads", "threads --sort activity --limit 5 --json"))
def threads(
    *,
    database: Database = DEFAULT,
    sort: Annotated[
        _Sort, typer.Option(help="Newest first, or most recently active first.")
    ] = "created",
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="Show at most N threads.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List the threads, newest or most recently active first."""
    with existing(database) as store:
        page = store.threads.list(limit=limit, sort=sort, order="desc")
        if as_json:
            print_json(thread.model_dump_json() for thread in page)
            return
        print_threads(screen(), store, list(page))
        if page.next_cursor is not None:
            errors().print(Text(f"these are the first {limit}; --limit shows more", style="dim"))


@app.command(epilog=examples("show 019ab3", "show 019ab3 --branch draft --last 4"))
def show(
    thread: ThreadPrefix,
    *,
    database: Database = DEFAULT,
    branch: Annotated[
        str | None,
        typer.Option(
            help="Another path, named by a label or by a message's id (a unique prefix or suffix"
            " will do)."
        ),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            max=10_000,
            help="Only the last N messages of the path.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the messages of the active path, or of another.

    Messages that wait for a run to end are listed after the active path.
    """
    with existing(database) as store:
        thread_id = find_thread(store, thread)
        if branch is not None:
            branch = find_branch(store, thread_id, branch)
        # Read first: a message that joins the path meanwhile then shows twice, instead of never.
        queued = [] if branch is not None else store.messages.queued(thread_id)
        page = store.messages.list(thread_id, branch=branch, limit=last, order="desc")
        messages = list(reversed(page.data))
        known = {message.id for message in messages}
        waiting = [message for message in queued if message.id not in known]
        if as_json:
            print_json(message.model_dump_json() for message in (*messages, *waiting))
            return
        console = screen()
        _print_title(store, thread_id)
        for message in messages:
            print_message(console, message)
        print_waiting(console, waiting)


@app.command(epilog=examples("tree 019ab3", "tree 019ab3 --ids"))
def tree(
    thread: ThreadPrefix,
    *,
    database: Database = DEFAULT,
    ids: Annotated[bool, typer.Option("--ids", help="Show the messages' ids.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw the branches of a thread."""
    with existing(database) as store:
        thread_id = find_thread(store, thread)
        found = store.branches.tree(thread_id)
        if as_json:
            print_json([found.model_dump_json()])
            return
        _print_title(store, thread_id)
        console = screen()
        ascii_only = console.options.ascii_only
        for line in tree_lines(found, console.width, ascii_only=ascii_only, with_ids=ids):
            console.print(line)


def _print_title(store: ConversationStore, thread_id: str) -> None:
    thread = store.threads.get(thread_id)
    console = screen()
    if thread.title:
        console.print(Text(one_line(thread.title), style="bold"))
    print_facts(console, thread_id, f"version {thread.version}", when(thread.updated_at))
    if thread.forked_from is not None:
        print_facts(console, f"fork of {thread.forked_from.thread_id}")
    console.print()


@app.command(epilog=examples("log", "log 019ab3", "log 019ab3 --after 12 --json"))
def log(
    thread: Annotated[
        str | None,
        typer.Argument(
            metavar="THREAD", help="Only the events of this thread; all events if omitted."
        ),
    ] = None,
    *,
    database: Database = DEFAULT,
    after: Annotated[
        str | None,
        typer.Option(help="Begin after this version (with THREAD) or position (without)."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Show at most N events.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the events, in order."""
    with existing(database) as store:
        if thread is None:
            start = None if after is None else Position.parse(after)
            events = store.events.read_all(after=start, limit=limit)
        else:
            thread_id = find_thread(store, thread)
            events = store.events.read(thread_id, after=_version(after), limit=limit)
        if as_json:
            print_json(event.model_dump_json() for event in events)
        else:
            print_events(screen(), events, stream_names(store) if thread is None else None)


def _version(text: str | None) -> int:
    if text is not None and not text.isdecimal():
        raise typer.BadParameter(
            "With THREAD, --after takes a version: a whole number.", param_hint="--after"
        )
    return int(text or 0)


@app.command(
    epilog=examples(
        "replay 019ab3 --steps",
        "replay 019ab3 --at-version 4",
        'replay 019ab3 --at-time "2026-05-01"',
    )
)
def replay(
    thread: ThreadPrefix,
    *,
    database: Database = DEFAULT,
    at_version: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="As of this version.")
    ] = None,
    at_time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="As of this time; UTC unless it names a zone."),
    ] = None,
    steps: Annotated[
        bool, typer.Option("--steps", help="Show each event and the path after it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show a thread at a version or a time, or step through its history.

    Everything shown is rebuilt from the events alone. Without options: the thread as it is now.
    """
    if steps + (at_version is not None) + (at_time is not None) > 1:
        raise typer.BadParameter("give one of --at-version, --at-time and --steps")
    then = None if at_time is None else typed_time(at_time, "--at-time")
    with existing(database) as store:
        thread_id = find_thread(store, thread)
        if steps:
            _replay_steps(store, thread_id, as_json=as_json)
        else:
            _replay_moment(store, thread_id, at_version, then, as_json=as_json)


def _replay_steps(store: ConversationStore, thread_id: str, *, as_json: bool) -> None:
    walk = store.replay.steps(thread_id)
    if as_json:
        print_json(steps_as_json(walk))
    else:
        console = screen()
        for line in step_lines(walk, console.width):
            console.print(line)


def _replay_moment(
    store: ConversationStore,
    thread_id: str,
    at_version: int | None,
    at_time: datetime | None,
    *,
    as_json: bool,
) -> None:
    state = store.replay.state(thread_id, at_version=at_version, at_time=at_time).value()
    if as_json:
        print_json([state.model_dump_json()])
        return
    console = screen()
    if state.thread.title:
        console.print(Text(one_line(state.thread.title), style="bold"))
    moment = when(state.thread.updated_at)
    print_facts(console, thread_id, f"as of version {state.version}", moment)
    console.print()
    labels = {message_id: label for label, message_id in state.labels.items()}
    for message in state.messages:
        print_message(console, message, labels.get(message.id))
    print_waiting(console, state.queued)
    for run in state.runs:
        console.print(Text(f"{run.id} is {run.status}", style="yellow"))


@app.command(epilog=examples("check", "check --rebuild", "check 019ab3 --json"))
def check(
    thread: Annotated[
        str | None,
        typer.Argument(metavar="THREAD", help="Only this thread; all threads if omitted."),
    ] = None,
    *,
    database: Database = DEFAULT,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="First rebuild the tables from the events.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the tables with the events; exit with status 1 if they differ.

    The status is 1, too, if there was nothing to compare.
    """
    with existing(database) as store:
        thread_id = None if thread is None else find_thread(store, thread)
        rebuilt = checking.rebuild(store, thread_id) if rebuild else None
        report = checking.compare(store, thread_id)
    if as_json:
        print_json([report.model_dump_json()])
    else:
        if rebuilt is not None:
            screen().print(Text(f"rebuilt {rebuilt.rows} rows of {rebuilt.threads} threads"))
        checking.print_report(screen(), report)
    if report.empty and as_json:
        errors().print(checking.NOTHING)
    if report.empty or not report.ok:
        raise typer.Exit(1)
