"""Wipe the places outside the tables in which SQLite keeps erased content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["wipe"]

_WIPE_PATIENCE_MS: Final = 1_000
"""Longest wait for readers when the log is truncated; writers are blocked meanwhile."""


def wipe(ask: Callable[[str], Any]) -> list[tuple[str, bool]]:
    """Copy the write-ahead log into the database and truncate it: it holds older pages.

    Readers and writers that are active meanwhile prevent it.
    """
    left = []
    (patience_ms,) = ask("PRAGMA busy_timeout")
    ask(f"PRAGMA busy_timeout = {_WIPE_PATIENCE_MS}")
    try:
        (busy, _, __) = ask("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        ask(f"PRAGMA busy_timeout = {patience_ms}")
    if busy:
        left.append(("the write-ahead log, which somebody reads or writes", True))
    if ask("PRAGMA secure_delete") != (1,):
        left.append(("free pages, as secure_delete is not ON: until VACUUM", False))
    return left
