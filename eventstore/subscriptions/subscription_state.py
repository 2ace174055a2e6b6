"""The state machine of a subscription. It reads nothing and waits for nothing.

::

                     ┌─────── full ────────┐
                     ▼                     │ short
    catching up ── look ──▶ what was found ┼────────▶ following   (until notified, or the interval)
                     ▲                     │ held
                     │                     ├────────▶ held back   (growing pauses up to it)
                     │                     │ trouble
                     └──── after a pause ──┴────────▶ in trouble  (growing pauses up to seconds)

A subscription is a place and a state. The place moves only with a page that was read: to the last
event of the page, or further if no matching event lies between. The driver delivers every event of
a page before it reads the next page. So each event is delivered once, in the order of the pages, in
any state.

**Held back** occurs on PostgreSQL: an event is committed and visible, but a transaction that began
earlier still runs and may commit events that belong before it. The server does not announce the end
of a transaction that wrote nothing, so the subscription polls: soon at first, and each pause is at
most as long as the wait so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, Generic, TypeVar

__all__ = ["MOVES", "PageOutcome", "State", "SubscriptionState"]


P = TypeVar("P")


class State(Enum):
    """The states of a subscription."""

    CATCHING_UP = "catching up"
    FOLLOWING = "following"
    HELD_BACK = "held back"
    IN_TROUBLE = "in trouble"


class PageOutcome(Enum):
    """The result of reading a page."""

    FULL = "full"
    """A full page: there may be more events."""
    SHORT = "short"
    """All remaining events."""
    HELD = "held"
    """All events that may be shown yet; more are held back."""
    TROUBLE = "trouble"
    """The database did not answer; the subscription tries again."""


MOVES: Final[Mapping[PageOutcome, State]] = {
    PageOutcome.FULL: State.CATCHING_UP,
    PageOutcome.SHORT: State.FOLLOWING,
    PageOutcome.HELD: State.HELD_BACK,
    PageOutcome.TROUBLE: State.IN_TROUBLE,
}
"""The next state depends on the result alone, not on the state before."""

_PAUSES: Final[Mapping[State, tuple[float, float]]] = {
    State.HELD_BACK: (0.005, 0.0),
    State.IN_TROUBLE: (0.05, 5.0),
}
"""The first pause, and the longest, unless the interval is longer; each pause doubles."""
_CALM_LEAST_SECONDS: Final = 0.002
_CALM_MOST_SECONDS: Final = 0.05


class SubscriptionState(Generic[P]):
    """One follower's place and state; a subscription's place is a position."""

    over = False
    """True once nothing more will come."""
    closed = False
    """True once its consumer wants nothing more."""
    _told = False
    _for_nothing = False

    def __init__(self, after: P, poll_seconds: float, pause_seconds: float = 0.0) -> None:
        self.place: P = after
        self.calm_seconds: float = pause_seconds
        """Seconds to wait in any case before it rests: commits of others wake every follower."""
        self._calm_least_seconds = pause_seconds
        self.seen: Any = None
        """The last delivered event, in the form that :mod:`eventstore.subscriptions.pages` uses."""
        self.state: State = State.CATCHING_UP
        self._poll_seconds = poll_seconds
        self._pause_seconds = 0.0

    def goes_on(self) -> bool:
        """Return whether there may be more, and somebody wants it."""
        return not (self.over or self.closed)

    def move(self, found: PageOutcome, place: P | None = None) -> bool:
        """Move on after reading a page; return whether the state changed."""
        before, self.state = self.state, MOVES[found]
        if place is not None:
            self.place = place
        if self.state is not before:
            self._pause_seconds = _PAUSES.get(self.state, (0.0, 0.0))[0]
        return self.state is not before

    @property
    def rest_seconds(self) -> float | None:
        """Seconds to wait for a notification before reading again; None reads at once."""
        if self.state is State.CATCHING_UP:
            return None
        if self.state is State.FOLLOWING:
            return self._poll_seconds
        return min(self._pause_seconds, self._most_seconds)

    def rested(self, *, told: bool) -> None:
        """Record the end of a wait; a wait without a notification doubles the next one."""
        self._told = told
        if not told and self._pause_seconds:
            self._pause_seconds = min(2 * self._pause_seconds, self._most_seconds)

    def looked(self, *, news: bool) -> None:
        """Record whether a look found something.

        A follower that was woken for nothing waits a little before it looks again, longer each
        time, so that a busy store does not keep followers of rare events busy. The first time does
        not count: of a commit that brought news, the watcher of the file tells once more.
        """
        least, before = self._calm_least_seconds, self._for_nothing
        self._for_nothing = self._told and not news
        if self._for_nothing and before:
            calm = max(2 * self.calm_seconds, _CALM_LEAST_SECONDS)
            self.calm_seconds = max(min(calm, _CALM_MOST_SECONDS), least)
        else:
            self.calm_seconds = least

    @property
    def _most_seconds(self) -> float:
        return max(self._poll_seconds, _PAUSES[self.state][1])
