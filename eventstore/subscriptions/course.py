"""What a subscription does next: a state machine that reads nothing and waits for nothing.

::

                     ┌─────── full ────────┐
                     ▼                     │ short
    catching up ── look ──▶ what was found ┼────────▶ following   (until told, or the interval)
                     ▲                     │ held
                     │                     ├────────▶ held back   (growing pauses up to it)
                     │                     │ trouble
                     └──── after a pause ──┴────────▶ in trouble  (growing pauses up to seconds)

A subscription is a place and a state. The place moves only with a page that was read, to the last
event of it, or further if nothing that is wanted lies between; whoever drives it hands out every
event of a page before it asks for the next. So an event is delivered once, in the order in which
pages give it, whatever the state.

**Held back** is PostgreSQL's: an event is committed and seen, but a transaction that began earlier
still runs and might yet commit something that belongs before it. Nobody tells when that one ends
without having written, so it is looked for: soon at first, and never later than it has already
taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from eventstore.core.events import Position

__all__ = ["MOVES", "Course", "Found", "State"]


class State(Enum):
    """Where a subscription is in its course."""

    CATCHING_UP = "catching up"
    FOLLOWING = "following"
    HELD_BACK = "held back"
    IN_TROUBLE = "in trouble"


class Found(Enum):
    """What came of looking."""

    FULL = "full"
    """As much as a page holds: there may be more."""
    SHORT = "short"
    """Everything there is."""
    HELD = "held"
    """Everything that may be shown: there is more that may not yet."""
    TROUBLE = "trouble"
    """The database did not answer, and will again."""


MOVES: Final[Mapping[Found, State]] = {
    Found.FULL: State.CATCHING_UP,
    Found.SHORT: State.FOLLOWING,
    Found.HELD: State.HELD_BACK,
    Found.TROUBLE: State.IN_TROUBLE,
}
"""What was found decides alone, whatever the state was before."""

_PAUSES: Final[Mapping[State, tuple[float, float]]] = {
    State.HELD_BACK: (0.005, 0.0),
    State.IN_TROUBLE: (0.05, 5.0),
}
"""The first pause, and the longest unless the interval is longer; each is twice the last."""


class Course:
    """One subscription's place and state."""

    def __init__(self, after: Position, poll_seconds: float) -> None:
        self.place = after
        self.seen: Any = None
        """The event that was delivered last, as whoever reads the pages keeps it."""
        self.state = State.CATCHING_UP
        self._poll_seconds = poll_seconds
        self._pause_seconds = 0.0

    def move(self, found: Found, place: Position | None = None) -> bool:
        """Hear what came of looking; returns whether the state is another than before."""
        before, self.state = self.state, MOVES[found]
        if place is not None:
            self.place = place
        if self.state is not before:
            self._pause_seconds = _PAUSES.get(self.state, (0.0, 0.0))[0]
        return self.state is not before

    @property
    def rest_seconds(self) -> float | None:
        """How long to wait, unless told of something, before looking again; None: not at all."""
        if self.state is State.CATCHING_UP:
            return None
        if self.state is State.FOLLOWING:
            return self._poll_seconds
        return min(self._pause_seconds, self._most_seconds)

    def rested(self, *, told: bool) -> None:
        """Hear how a wait ended: one that ended by itself makes the next one longer."""
        if not told and self._pause_seconds:
            self._pause_seconds = min(2 * self._pause_seconds, self._most_seconds)

    @property
    def _most_seconds(self) -> float:
        return max(self._poll_seconds, _PAUSES[self.state][1])
