"""Options that commands which remove data for good share, and the question that they ask."""

from __future__ import annotations

import sys
from typing import Annotated, TypeAlias, TypedDict

import typer
from rich.text import Text

from eventstore.cli.output import errors

__all__ = ["Actor", "Everything", "Given", "Reason", "Yes", "ask"]

Reason: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TEXT", help="Why. Kept in the log, so do not name anyone.")
]
Actor: TypeAlias = Annotated[
    str | None, typer.Option(metavar="ID", help="Who asked for it: an opaque id.")
]
Everything: TypeAlias = Annotated[
    bool, typer.Option("--everything", help="All of the tenant: see --tenant.")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


class Given(TypedDict):
    """The options of every write that removes data for good."""

    reason: str | None
    actor: str | None


def ask(question: str) -> None:
    """Continue if the answer is yes; end with status 1 if it is no.

    Raises:
        BadParameter: there is no terminal to ask.
    """
    errors().print(Text(f"{question} [y/N] "), end="")  # a prompt of readline's goes to stdout
    answer = sys.stdin.readline()
    if not answer or not sys.stdin.isatty():  # the user did not type the end of the question's line
        errors().print()
    if not answer:
        raise typer.BadParameter(
            "Cannot ask for confirmation without a terminal. Give --yes to go ahead.",
            param_hint="--yes",
        )
    if answer.strip().lower() not in {"y", "yes"}:
        errors().print("nothing was changed")
        raise typer.Exit(1)
