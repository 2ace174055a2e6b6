"""The commands that tend a store: tenants, and projections with their progress and workers."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from eventstore import Tenant
from eventstore.api.operations.projection_status import ProjectionStatus
from eventstore.cli.framework import AsJson, app, examples
from eventstore.cli.opening import DEFAULT, Database, existing
from eventstore.cli.output import clipped, errors, one_line, print_json, screen, when

__all__ = ["projections", "tenants"]

_STYLES = {"running": "green", "idle": "default", "failed": "red"}


@app.command(epilog=examples("tenants", "tenants --measure --json"), each=False)
def tenants(
    *,
    database: Database = DEFAULT,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also add up the bytes of all events.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the tenants, with the number of their threads and events."""
    with existing(database) as store:
        found = store.tenants.list(measure=measure)
    if as_json:
        print_json(one.model_dump_json() for one in found)
        return
    width = max(len("tenant"), *(len(_tenant(one)) for one in found)) if found else 6
    heading = f"{'tenant':<{width}}   threads    events  last event"
    screen().print(clipped(Text(heading, style="dim"), screen().width))
    for one in found:
        line = Text().append(f"{_tenant(one):<{width}}", style="bold")
        line.append(f"  {one.threads:>8}  {one.events:>8}  ")
        line.append("never" if one.last_event_at is None else when(one.last_event_at))
        if one.content_bytes is not None:
            line.append(f"  {one.content_bytes} bytes")
        screen().print(clipped(line, screen().width))


def _tenant(one: Tenant) -> str:
    return one_line(one.name, 60) or "(default)"


@app.command(epilog=examples("projections", "projections --json", "projections --free search"))
def projections(
    *,
    database: Database = DEFAULT,
    free: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Before listing, free this projection from a worker that died, or let it resume"
            " after an error.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the projections, with their lag and the worker that holds each.

    --free is safe if the old worker is still running: it stops writing and stands by.
    """
    with existing(database) as store:
        freed = None if free is None else store.projections.retry(free)
        found = store.projections.status()
    if freed is not None:
        sets = "1 set" if freed == 1 else f"{freed} sets"
        said = f"freed {sets} of tables" if freed else "no worker holds it, and it has not stopped"
        errors().print(Text(f"{one_line(str(free))}: {said}"), soft_wrap=True)
    if as_json:
        print_json(one.model_dump_json() for one in found)
    else:
        _print(screen(), found)
    if freed == 0:
        raise typer.Exit(1)


def _print(console: Console, found: list[ProjectionStatus]) -> None:
    if not found:
        console.print(Text("no projection was run on this store", style="dim"))
        return
    width = max(len("projection"), *(len(_name(one)) for one in found))
    heading = f"{'projection':<{width}}  state    events behind  held by"
    console.print(clipped(Text(heading, style="dim"), console.width))
    for one in found:
        line = Text().append(f"{_name(one):<{width}}", style="bold").append("  ")
        line.append(f"{one.state:<7}", style=_STYLES[one.state])
        line.append(f"  {one.lag_events:>13}  {_holder(one)}")
        console.print(clipped(line, console.width))
        if one.error is not None:
            console.print(Text(f"  {_stopped(one)}", style="red"), soft_wrap=True)


def _name(one: ProjectionStatus) -> str:
    return one.name if one.active else f"{one.name} (new tables)"


def _holder(one: ProjectionStatus) -> str:
    if one.holder is None or one.renewed_at is None:
        return "nobody"
    return f"{one_line(one.holder)}, heard of {when(one.renewed_at)}"


def _stopped(one: ProjectionStatus) -> str:
    place = "" if one.failed is None else f"at event {one.failed.version} of {one.failed.stream_id}"
    return f"stopped {place}: {one_line(one.error or '')}".replace(" :", ":")
