"""Walk through pages, and fetch the next page while this one is consumed.

This works with a driver that needs no thread to wait for its server. Its event loop needs regular
turns for it, also where the consumer of the items never waits for anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from eventstore.api.operations.operation import Paged

__all__ = ["walk_ahead"]

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
