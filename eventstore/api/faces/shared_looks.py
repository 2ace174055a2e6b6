"""One look for all followers of a store that were woken by the same commit.

Every commit wakes every reader of a run. Each has to see how its run stands, which is one small
statement; two hundred readers would ask two hundred times. So the first one asks for all of them,
and the others, which come while it asks or later, take its answer. Likewise readers of one run, at
one place, read the next page once. An answer serves whoever was woken by a commit that it saw, and
whoever came before the asking began.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, NamedTuple, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from eventstore.api.operations.following import Follow, SharedLook
from eventstore.execution import forks
from eventstore.storage.transaction import Transaction
from eventstore.subscriptions.subscription_state import SubscriptionState

__all__ = ["SharedLooks", "Woken", "calm"]

T = TypeVar("T")
K = TypeVar("K", bound=SubscriptionState[Any])

_Looking: TypeAlias = Callable[[Transaction], Mapping[Any, T]]
"""Looks for several keys; returns what is there, by key."""


class Woken(NamedTuple):
    """The cause of a follower's look."""

    told: bool
    """True if a signal did; False at the beginning, and after a rest without one."""
    mark: int
    """The mark of the signals when it began to look."""
    at: float
    """The time, of ``monotonic``."""


class _Answer(NamedTuple):
    """The result of a look. Loops and threads exchange it whole, so nobody sees half of it."""

    began: float
    mark: int
    """The mark that was seen before it began."""
    found: Mapping[Any, Any]

    def serves(self, key: object, woken: Woken) -> bool:
        """Return whether it shows what a follower was woken for."""
        seen = woken.told and self.mark >= woken.mark
        return (seen or self.began >= woken.at) and key in self.found


class _Turn:
    """The latest answer to looks of one kind, and whose turn it is to look."""

    def __init__(self) -> None:
        self.thread = threading.Lock()
        self._tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = (
            WeakKeyDictionary()
        )
        self.answer = _Answer(float("-inf"), -1, {})

    def task(self) -> asyncio.Lock:
        """Return the turn among the tasks of this loop."""
        return self._tasks.setdefault(asyncio.get_running_loop(), asyncio.Lock())


class SharedLooks:
    """The looks of one store's followers."""

    def __init__(self) -> None:
        self._renew()
        forks.watch(self)

    def _renew(self) -> None:
        self._counting = threading.Lock()
        self._followed: Counter[Any] = Counter()
        self._all = _Turn()
        self._each: dict[Any, _Turn] = {}
        """By the thing that is followed."""

    @contextmanager
    def followed(self, key: object) -> Iterator[None]:
        """Look for a key, too, as long as somebody follows it; None stands for no key."""
        if key is None:
            yield
            return
        with self._counting:
            self._followed[key] += 1
            self._each.setdefault(key, _Turn())
        try:
            yield
        finally:
            with self._counting:
                self._followed[key] -= 1
                if self._followed[key] <= 0:
                    del self._followed[key]
                    self._each.pop(key, None)

    def look(
        self, shared: SharedLook[T], woken: Woken, read: Callable[[_Looking[T]], Mapping[Any, T]]
    ) -> T | None:
        """Return the answer for a key, None if there is nothing; in a thread."""
        turn = self._turn(shared)
        with turn.thread:
            answer = turn.answer
            if not answer.serves(shared.key, woken):
                began, looking = monotonic(), self._looking(shared)
                answer = turn.answer = _Answer(began, woken.mark, read(looking))
            return answer.found.get(shared.key)

    async def look_async(
        self,
        shared: SharedLook[T],
        woken: Woken,
        read: Callable[[_Looking[T]], Awaitable[Mapping[Any, T]]],
    ) -> T | None:
        """Do the same in a task."""
        turn = self._turn(shared)
        async with turn.task():
            answer = turn.answer
            if not answer.serves(shared.key, woken):
                await asyncio.sleep(0)  # tasks that were woken together come to their turns
                began, looking = monotonic(), self._looking(shared)
                answer = turn.answer = _Answer(began, woken.mark, await read(looking))
            return answer.found.get(shared.key)

    def _turn(self, shared: SharedLook[Any]) -> _Turn:
        return self._all if shared.of is None else self._each.get(shared.of) or _Turn()

    def _looking(self, shared: SharedLook[T]) -> _Looking[T]:
        keys = [shared.key]
        if shared.of is None:
            with self._counting:
                keys = list(self._followed)
        return lambda tx: shared.look(tx, keys)

    def before_fork(self, until: float) -> None:
        """Do nothing: what is locked here hinders no fork."""

    def after_fork_in_parent(self) -> None:
        """Do nothing: the fork changed nothing in the parent."""

    def after_fork(self) -> None:
        """Begin anew: the followers are the parent's."""
        self._renew()


def calm(follow: Follow[Any, K, Any], course: K) -> float:
    """Return a follower's pause; those who share looks end it at the same time as others."""
    seconds = course.calm_seconds
    return seconds if follow.key is None else seconds - monotonic() % seconds
