"""A finding: its kind, the events it is about, and a sentence that describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["KINDS", "Finding"]

KINDS: Final = ("lost", "doubled", "reordered", "duplicated", "stalled", "gaps", "phantoms")
"""In the order of a report."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that went wrong, as the sentence that :func:`str` gives."""

    kind: str
    """One of ``KINDS``."""
    sentence: str
    """The reader or the stream, the event, and what is wrong."""
    events: tuple[str, ...] = ()
    """The events that it is about."""
    stream: str | None = None
    """The stream of those events, where it is known."""
    reader: str = ""
    """The reader that saw it, or that did not; empty where the store itself is wrong."""

    def __str__(self) -> str:
        return self.sentence
