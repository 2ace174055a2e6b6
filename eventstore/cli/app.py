"""The program ``eventstore``, with all its commands."""

from __future__ import annotations

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
from eventstore.cli.framework import app
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


def run() -> None:
    """Run the program."""
    with ended_as_it_should():
        app()
