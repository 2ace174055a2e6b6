"""The clients of an SDK, one for each event loop: a connection serves no loop but its own.

A model that is handed to two engines, one after another, is asked on two loops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakKeyDictionary

import openai

__all__ = ["LoopClients", "OneClient"]


class LoopClients:
    """Makes a client for each event loop that asks for one."""

    def __init__(self, make: Callable[[], openai.AsyncOpenAI]) -> None:
        """Make the first client at once, so that bad options are refused here."""
        self._make = make
        self._first: openai.AsyncOpenAI | None = make()
        self.base_url: str = str(self._first.base_url)
        """Address of the endpoint."""
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, openai.AsyncOpenAI]
        self._clients = WeakKeyDictionary()

    def here(self) -> openai.AsyncOpenAI:
        """Return the client of the loop that runs."""
        loop = asyncio.get_running_loop()
        found = self._clients.get(loop)
        if found is None:
            first, self._first = self._first, None
            found = self._clients[loop] = self._make() if first is None else first
        return found

    async def close(self) -> None:
        """Close what the loop that runs has opened; it may open it again."""
        found = self._clients.pop(asyncio.get_running_loop(), None)
        if found is not None:
            await found.close()


class OneClient:
    """A client that the application gave: it serves all loops, and is not closed here."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client
        self.base_url: str = str(client.base_url)
        """Address of the endpoint."""

    def here(self) -> openai.AsyncOpenAI:
        """Return the client."""
        return self._client

    async def close(self) -> None:
        """Leave it to the application."""
