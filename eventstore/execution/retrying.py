"""Two rules of running: when a transaction is retried, and when a task may leave.

A transaction that lost a race is retried unchanged. One that a unique key refused may have lost a
race, too, or hold a request whose rows never fit. Where several requests share it, nothing shows
which one is at fault, so each half is tried separately (:func:`halves`). A request that is refused
repeatedly while alone gets its own error, and no other caller does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from eventstore.errors import OutcomeUnknown, StoreBusy, StoreUnavailable
from eventstore.execution.database import Database

__all__ = [
    "ALONE_MAX",
    "RACES_MAX",
    "VIOLATIONS_MAX",
    "Tries",
    "finished",
    "halves",
    "says_what_became_of_it",
    "struck_while_committing",
    "too_many_wait",
    "tried_again",
    "tried_again_async",
]

T = TypeVar("T")

ALONE_MAX: Final = 16
"""Most writes that wait at once, each on a separate connection, for threads that others have
locked. Further ones wait without a connection, so that reading does not run out of connections."""

RACES_MAX: Final = 20
"""Each lost race means that another transaction committed, so nobody loses many in a row."""


VIOLATIONS_MAX: Final = 2
"""A retry of a request that met a unique key sees the row in its way. One more retry covers a
second row; a request that is refused after that is refused every time."""


class Tries:
    """Counts the failures of one transaction and decides whether to retry it."""

    def __init__(self, database: Database[Any, Any], *, alone: bool) -> None:
        self._left = {database.retried: RACES_MAX, database.violated: VIOLATIONS_MAX * alone}

    def after(self, error: BaseException) -> bool:
        """Return whether to retry after an error."""
        for kinds, left in self._left.items():
            if isinstance(error, kinds):
                self._left[kinds] = left - 1
                return left > 0
        return False


def tried_again(database: Database[Any, Any], attempt: Callable[[], T], *, alone: bool) -> T:
    """Return a transaction's result; retry it where it lost a race and nothing was written.

    ``alone``: it performs a single request.
    """
    tries: Tries | None = None
    while True:
        try:
            return attempt()
        except (*database.retried, *database.violated) as error:
            tries = tries or Tries(database, alone=alone)
            if not tries.after(error):
                raise


async def tried_again_async(
    database: Database[Any, Any], attempt: Callable[[], Awaitable[T]], *, alone: bool
) -> T:
    """Do the same for a task."""
    tries: Tries | None = None
    while True:
        try:
            return await attempt()
        except (*database.retried, *database.violated) as error:
            tries = tries or Tries(database, alone=alone)
            if not tries.after(error):
                raise


def halves(batch: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return the two halves of a refused batch.

    One unwritable request in a thousand costs twenty more transactions this way; trying each alone
    would cost a thousand.
    """
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]


async def finished(work: asyncio.Future[T]) -> T:
    """Await work that cannot be stopped; raise a cancellation afterwards."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError:
                continue
        if not work.cancelled():
            work.exception()  # marks the exception as retrieved
        raise


def struck_while_committing() -> OutcomeUnknown:
    """Return the error for an exception between COMMIT and its caller."""
    return OutcomeUnknown(
        "an exception was raised, as by a signal handler, while the database committed"
    )


def says_what_became_of_it(error: BaseException) -> bool:
    """Return whether an error that came while the database committed is an answer of our own.

    A child that was forked inside the transaction cannot commit it: the connection refuses.
    """
    forked = isinstance(error, StoreUnavailable) and error.reason == "forked"
    return forked or isinstance(error, OutcomeUnknown)


def too_many_wait() -> StoreBusy:
    """Return the error for a write that found no free place among the waiting ones in time."""
    return StoreBusy("too many writes wait for threads that other transactions have locked")
