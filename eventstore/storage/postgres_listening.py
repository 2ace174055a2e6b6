"""Wait for committed appends, of which the server notifies a channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from eventstore.storage.postgres_connections import AsyncpgConnection

if TYPE_CHECKING:
    import psycopg  # an extra

__all__ = ["listen", "watch"]


def watch(
    channel: str,
    driver: psycopg.Connection[Any],
    rest: Callable[[float | None, int | None], bool],
) -> Iterator[None]:
    """Yield after every committed append, on a connection of psycopg."""
    driver.execute(f'LISTEN "{channel}"')
    yield
    while rest(None, driver.fileno()):
        if any(driver.notifies(timeout=0)):
            yield


async def listen(channel: str, driver: AsyncpgConnection, heard: Callable[[], None]) -> None:
    """Call ``heard`` after every committed append, on a connection of asyncpg."""
    lost = asyncio.Event()
    driver.add_termination_listener(lambda _: lost.set())
    await driver.add_listener(channel, lambda *_: heard())
    heard()
    await lost.wait()
