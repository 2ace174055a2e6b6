"""Recognise that a column of text holds bytes that are no text: SQLite stores anything anywhere."""

from __future__ import annotations

from typing import Final

__all__ = ["is_not_text"]

_SAID: Final = "Could not decode to UTF-8"
"""SQLite's driver has no code for it."""


def is_not_text(error: BaseException) -> bool:
    """Return whether an error of a driver says so."""
    return _SAID in str(error)
