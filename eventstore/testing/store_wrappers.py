"""A store behind another interface, so that one suite of tests covers every way of using it.

:func:`blocking` shows an async store as a sync one; :func:`within` sends each write through
``connection=``. See ``testing.conformance``.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Final, TypeAlias, TypeVar

__all__ = ["AnyStore", "blocking", "within"]

T = TypeVar("T")

AnyStore: TypeAlias = Any
"""A store of either face, or what shows one as the sync face: that declares no methods."""

_RESOURCES: Final = frozenset(
    {"threads", "messages", "branches", "runs", "steps", "assistants"}
    | {"events", "projections", "replay", "privacy", "audit"}
)
_BINDS: Final = frozenset({"tenant", "acting"})


_Manner: TypeAlias = Callable[[Callable[..., Any]], Callable[..., Any]]
"""Calls a method in another way."""


class _Seen:
    """A store, or one of its resources, whose methods are called in another way."""

    def __init__(self, inner: object, manner: _Manner) -> None:
        self._inner = inner
        self._manner = manner

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever has that name)
        found = getattr(self._inner, name)
        if name in _RESOURCES and not callable(
            found
        ):  # `replay.steps` is a method, `runs.steps` not
            return _Seen(found, self._manner)
        if name in _BINDS:
            return lambda *args, **kwargs: _Seen(found(*args, **kwargs), self._manner)
        return self._manner(found) if callable(found) else found


@contextmanager
def blocking(opening: Callable[[], AbstractAsyncContextManager[Any]]) -> Iterator[Any]:
    """Open an async store and show it as a sync one, in an event loop in a thread of its own.

    Many threads may call it at once: their calls are tasks of that loop.

    Args:
        opening: returns what is entered with ``async with``; it is called in the loop.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="conformance-loop")
    thread.start()

    def wait(awaitable: Awaitable[T]) -> T:
        async def waited() -> T:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(waited(), loop).result()

    def manner(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: object, **kwargs: object) -> object:
            answer = method(*args, **kwargs)
            if hasattr(answer, "__aenter__"):
                return _entered(answer, wait)
            if hasattr(answer, "__aiter__"):
                return iter(wait(_all(answer)))
            return wait(answer) if inspect.isawaitable(answer) else answer

        return call

    async def made() -> AbstractAsyncContextManager[Any]:
        return opening()

    try:
        with _entered(wait(made()), wait) as store:
            yield _Seen(store, manner)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _all(items: AsyncIterable[T]) -> list[T]:
    return [item async for item in items]


@contextmanager
def _entered(
    context: AbstractAsyncContextManager[T], wait: Callable[[Awaitable[Any]], Any]
) -> Iterator[T]:
    inside: T = wait(context.__aenter__())
    try:
        yield inside
    except BaseException as error:
        if not wait(context.__aexit__(type(error), error, error.__traceback__)):
            raise
    else:
        wait(context.__aexit__(None, None, None))


def within(store: AnyStore, transaction: Callable[[], Any]) -> AnyStore:
    """Show a store, sync or async, that makes each write with ``connection=``, in its transaction.

    Args:
        store: an open store of either face.
        transaction: begins a transaction: the ``begin`` of the application's engine.
    """

    def manner(method: Callable[..., Any]) -> Callable[..., Any]:
        if "options" not in inspect.signature(method).parameters or method.__name__ == "batch":
            return method

        def call(*args: object, **kwargs: object) -> object:
            with transaction() as connection:
                return method(*args, **kwargs, connection=connection)

        async def call_async(*args: object, **kwargs: object) -> object:
            async with transaction() as connection:
                return await method(*args, **kwargs, connection=connection)

        return call_async if inspect.iscoroutinefunction(store.close) else call

    return _Seen(store, manner)
