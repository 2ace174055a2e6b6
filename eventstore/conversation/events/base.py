"""Fields and content that events of several nouns share."""

from __future__ import annotations

from msgspec.structs import asdict

from eventstore.core.events import EventContent, EventData

__all__ = ["ErrorContent", "Note", "Usage", "usage_fact"]

# ruff: noqa: D101 (each event is explained once, in the table of docs/format.md)


class Note(EventContent, frozen=True):
    """Content of an event without other content: the reason, if one was given."""

    reason: str | None = None


class Usage(EventData, frozen=True):
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


class ErrorContent(Note, frozen=True):
    message: str | None = None


def usage_fact(usage: Usage | None) -> dict[str, int] | None:
    """Return usage as a fact."""
    return None if usage is None else asdict(usage)
