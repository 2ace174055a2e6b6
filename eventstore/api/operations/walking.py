"""Walk through pages: one walk as part of another, and the next page fetched ahead.

:func:`walk_ahead` fetches the next page while this one is consumed. It works with a driver that
needs no thread to wait for its server. Its event loop needs regular turns for it, also where the
consumer of the items never waits for anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, TypeVar

from eventstore.api.operations.operation import (
    Maintenance,
    Page,
    PageActed,
    Paged,
    PageDone,
    Read,
    Wipe,
    Write,
)
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Appended

__all__ = ["then", "walk_ahead"]

T = TypeVar("T")
U = TypeVar("U")

_FIRST: Final = 4
"""The first items, with a turn each, in which the next page is requested: not before the consumer
continues."""
_EACH: Final = 32
"""Every 32nd of the later items gets a turn: about a quarter of a millisecond."""


async def walk_ahead(
    walk: Paged[Any], perform: Callable[[Any], Awaitable[Any]]
) -> AsyncIterator[Any]:
    """Yield the items of a walk, in order; raise the error of a page where the page begins."""
    place, coming = walk.first, None
    try:
        while place is not None:
            items, place = await (coming or perform(walk.page(place)))
            coming = None
            for n, item in enumerate(items):
                if n and place is not None and (n < _FIRST or not n % _EACH):
                    coming = coming or asyncio.ensure_future(perform(walk.page(place)))
                    await asyncio.sleep(0)
                yield item
    finally:
        if coming is not None:
            coming.cancel()  # it also retrieves an error that nobody will see


def then(page: Page[T], follow: Callable[[PageDone[T]], PageDone[U]]) -> Page[U]:
    """Return a page of one walk as a page of another, with items and a next place of its own."""
    if isinstance(page, Read):
        look = page.look
        return Read(lambda tx: follow(look(tx)))
    if isinstance(page, Wipe):
        told = page.told
        return Wipe(lambda left: follow(told(left)))
    assert isinstance(page.request, Maintenance)  # noqa: S101 (as every page of a walk)
    act = page.request.act

    def acted(tx: Transaction) -> PageActed[U]:
        done = act(tx)
        if isinstance(done, Appended):
            return done.with_result(follow(done.result))
        return follow(done)

    return Write(page.request._replace(act=acted), page.connection)
