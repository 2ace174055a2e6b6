"""The program ``eventstore``, with all its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from eventstore.cli import (
    auditing,
    auditing_thread,
    doing,
    erasing,
    keys,
    looking,
    retaining,
    talking,
    tending,
    verifying,
    working,
)
from eventstore.cli.framework import Commands, app
from eventstore.cli.standard_output import ended_as_it_should

__all__ = ["COMMANDS", "app", "run"]

COMMANDS = (
    talking,
    doing,
    looking,
    verifying,
    auditing_thread,
    auditing,
    tending,
    working,
    erasing,
    keys,
    retaining,
)
"""Importing a module adds its commands to the program."""

PANELS: Final[Mapping[str, tuple[str, ...]]] = {
    "Begin": ("demo", "chat", "import"),
    "Look": ("threads", "show", "tree", "log", "runs", "replay", "diff", "export"),
    "Prove": ("trail", "check", "verify", "audit"),
    "Erase": ("erase", "retain", "purge"),
    "Operate": ("worker", "projections", "tenants", "keys"),
}
"""The commands in the order of the help, by the heading that they stand under."""
Commands.panels = PANELS


def run() -> None:
    """Run the program."""
    with ended_as_it_should():
        app()
