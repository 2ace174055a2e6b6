"""The things that a course yields, and the news that reach it.

A course is a generator. It yields what it needs done, and is sent the answer: a request to the
store, an effect to begin, or the next result to wait for. An error of the store is raised where the
request was yielded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar

from eventstore import Run
from eventstore.engine import effects as f
from eventstore.engine.requests import Request

__all__ = ["Begin", "Claim", "Clock", "Course", "HandBack", "Next", "Op", "TakenOver"]

T = TypeVar("T")


class Clock(NamedTuple):
    """Time, as an argument."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Begin:
    """Begin an effect; its results come into the inbox."""

    effect: f.Effect


@dataclass(frozen=True, slots=True)
class Next:
    """Wait for the next thing in the inbox; answered with None once the seconds are over."""

    seconds: float | None


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Arrives when somebody else took the run."""


@dataclass(frozen=True, slots=True)
class HandBack:
    """Arrives when the engine closes: stop, and leave the run to others."""


Op: TypeAlias = Request | Begin | Next
Course: TypeAlias = Generator[Op, Any, T]


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this engine may execute."""

    run: Run
    fresh: bool
    """It has no step and no message of its own yet."""
    lease_seconds: float
    since: datetime
    """Time since which it waits or works, without waiting for people: it expires after that."""
