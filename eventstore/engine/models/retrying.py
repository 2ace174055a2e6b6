"""The one layer that asks a model again.

The retries of the SDKs are off. This layer asks again after an overload, a failure of the server or
of the network, and after a stream that broke before its first token, and no other code does. Once a
token arrived the answer may have been shown, so a later break is final.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_random_exponential,
)

from eventstore import ModelError
from eventstore.engine.models.protocol import ModelEvent

__all__ = ["Retries", "retried"]


@dataclass(frozen=True, slots=True)
class Retries:
    """Number of attempts, and the pauses between them."""

    attempts: int = 4
    """Most requests for one answer; 1 never asks again."""
    wait_seconds: float = 1.0
    """Upper bound of the first pause. It doubles each time, and chance chooses below it."""
    wait_max_seconds: float = 30.0
    """Longest pause of this layer's own choice."""
    retry_after_max_seconds: float = 120.0
    """Longest ``Retry-After`` that is waited for. The error ends the attempts if it is longer."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    """Waits; tests give a function that only notes the seconds."""

    def worth_it(self, error: BaseException) -> bool:
        """Return whether the same request may succeed after a pause."""
        if not isinstance(error, ModelError) or not error.retryable:
            return False
        return (error.retry_after_seconds or 0) <= self.retry_after_max_seconds

    def pause(self, state: RetryCallState) -> float:
        """Return the seconds until the next attempt: as the server asks, or chosen by chance."""
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.retry_after_seconds if isinstance(error, ModelError) else None
        if asked is not None:
            return asked
        return wait_random_exponential(self.wait_seconds, self.wait_max_seconds)(state)


async def retried(
    ask: Callable[[], AsyncGenerator[ModelEvent, None]], retries: Retries
) -> AsyncGenerator[ModelEvent, None]:
    """Yield the events of an answer; ask again while none arrived and it is worth it."""
    answer, first = await _begun_at_last(ask, retries)
    async with aclosing(answer):
        yield first
        async for event in answer:
            yield event


async def _begun_at_last(
    ask: Callable[[], AsyncGenerator[ModelEvent, None]], retries: Retries
) -> tuple[AsyncGenerator[ModelEvent, None], ModelEvent]:
    try:
        return await _begun(ask)
    except ModelError as error:
        failed = error
    return await _again(ask, retries, failed)  # outside of except: its errors have no context


async def _again(
    ask: Callable[[], AsyncGenerator[ModelEvent, None]], retries: Retries, error: ModelError
) -> tuple[AsyncGenerator[ModelEvent, None], ModelEvent]:
    """Ask again after the first attempt, which failed in this way; most answers need no second."""
    attempts = AsyncRetrying(
        stop=stop_after_attempt(retries.attempts),
        wait=retries.pause,
        retry=retry_if_exception(retries.worth_it),
        sleep=retries.sleep,
        reraise=True,
    )
    failed = [error]

    async def attempt() -> tuple[AsyncGenerator[ModelEvent, None], ModelEvent]:
        if failed:
            raise failed.pop()
        return await _begun(ask)

    begun: tuple[AsyncGenerator[ModelEvent, None], ModelEvent] = await attempts(attempt)
    return begun


async def _begun(
    ask: Callable[[], AsyncGenerator[ModelEvent, None]],
) -> tuple[AsyncGenerator[ModelEvent, None], ModelEvent]:
    """Return an answer and its first event."""
    answer = ask()
    try:
        return answer, await anext(answer)
    except StopAsyncIteration:
        problem = ModelError(
            "stream_broken", "the answer ended before it began", "Ask again.", retryable=True
        )
    except BaseException:
        await answer.aclose()
        raise
    raise problem
