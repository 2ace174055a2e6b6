"""Reads times as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

__all__ = ["typed_time"]


def typed_time(text: str, option: str) -> datetime:
    """Return a time that was typed, in UTC unless it names a zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        problem = "write it like 2026-05-01T12:00:00Z"
        raise typer.BadParameter(problem, param_hint=option) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
