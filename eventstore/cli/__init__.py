"""The command line, ``eventstore``: an optional extra, so this file imports nothing of it."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = {"typer", "rich"}


def main() -> None:
    """Run the command line; say how to install it where its libraries are missing."""
    try:
        from eventstore.cli.app import run  # noqa: PLC0415 (the extra may be missing)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit("The command line is an extra: pip install 'conversation-eventstore[cli]'")
    run()
