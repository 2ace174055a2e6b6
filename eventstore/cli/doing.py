"""The commands that fill a store: ``demo`` and ``import``. They make a missing database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from eventstore.cli.demo import show_demo
from eventstore.cli.framework import app, examples
from eventstore.cli.importing import STDIN, import_file
from eventstore.cli.opening import DEFAULT, Database, made
from eventstore.cli.output import screen

__all__ = ["demo", "import_"]


@app.command(epilog=examples("demo", "demo --db sqlite:///demo.db"))
def demo(
    *,
    database: Annotated[
        str | None,
        typer.Option(
            "--db", metavar="URL", help="The database to use; a temporary file if omitted."
        ),
    ] = None,
) -> None:
    """Play a sample conversation with branches, a fork and a run, and look at its history."""
    show_demo(screen(), database)


@app.command(
    "import",
    each=False,
    epilog=examples("import trees.jsonl", "import trees.jsonl.gz --db sqlite:///oasst.db"),
)
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Open Assistant trees, one JSON object per line, optionally gzipped (.gz)."
            " Use - for standard input.",
        ),
    ],
    *,
    database: Database = DEFAULT,
) -> None:
    """Import conversation trees from the Open Assistant project.

    Importing a file twice adds nothing.

    The import stops at a malformed line; the trees before it stay imported.
    """
    if file != STDIN and not file.is_file():
        raise typer.BadParameter(f"there is no file {str(file)!r}", param_hint="FILE")
    with made(database) as store:
        done = import_file(store, file)
    known = f"; {done.known} threads were there already" if done.known else ""
    screen().print(Text(f"imported {done.threads} threads, {done.messages} messages{known}"))
