"""The command line, ``eventstore``. An optional extra: this file imports none of its libraries."""

from __future__ import annotations

import sys

__all__ = ["main"]

_EXTRA = {"typer", "rich"}


def main() -> None:
    """Run the command line; if its libraries are missing, say how to install them."""
    try:
        from eventstore.cli.app import run  # noqa: PLC0415 (the extra may be missing)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in _EXTRA:
            raise
        sys.exit("The command line is an extra: pip install 'conversation-eventstore[cli]'")
    run()
