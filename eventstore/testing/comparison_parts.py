"""Note what a comparison did: the commands, and the ids that are fresh."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ["Done", "Fresh"]


class Done(NamedTuple):
    """A write that was accepted under an idempotency key."""

    thread_id: str
    key: str
    again: Callable[[], Any]
    result: Any
    versions: range
    """The versions of the events that it led to."""
    digested: bool = True
    """Whether the digest of the command is still kept, so that another command is a conflict."""


class Fresh:
    """Ids that the store made itself, in the order of its events."""

    def __init__(self, made: Sequence[str]) -> None:
        self._made = list(made)

    def __call__(self) -> str:
        return self._made.pop(0) if self._made else "msg_that_the_store_did_not_make"
