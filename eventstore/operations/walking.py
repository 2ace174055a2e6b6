"""Walking through pages where the next one can come in while this one is looked at.

That is so with a driver that needs no thread to wait for its server. Its event loop has to get a
turn now and then for it, also where whoever looks at the items never waits for anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from eventstore.operations.operation import Walk

__all__ = ["walk_ahead"]

_FIRST: Final = 4
"""Items with a turn each, in which the next page is asked for: not before anybody goes on."""
_EACH: Final = 32
"""Of the others one in so many has one: about a quarter of a millisecond."""


async def walk_ahead(
    walk: Walk[Any], perform: Callable[[Any], Awaitable[Any]]
) -> AsyncIterator[Any]:
    """Yield the items of a walk, in order; what a page raises is raised where it begins."""
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
            coming.cancel()  # which also takes note of an error that nobody will hear of
