"""The places at which a worker kills itself: before and after each thing that it does to a run.

A place names the state in which it leaves a run behind. It is written to the worker's output just
before the end, since nothing else tells it afterwards.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.api.faces.asynchronous import AsyncThreads
from eventstore.api.faces.sync import Threads
from eventstore.testing.faults import die

__all__ = ["CLAIMED", "OUTSIDE", "PLACES", "AsyncDoomed", "Death", "Doomed"]

CLAIMED: Final = "."
"""A worker writes it when it first claims a run."""
OUTSIDE: Final = "anywhere (killed from outside)"

_STANDARD_OUTPUT: Final = 1
_AROUND: Final = {
    "start": ("queued", "claimed"),
    "write_text": ("showing text", "streaming text"),
    "ask": ("before a step", "asking the model"),
    "call": ("answer not recorded", "between call and tool"),
    "result": ("tool returned", "result recorded"),
    "require_action": ("about to ask people", "requires_action"),
    "complete": ("completing", "completed"),
    "cancel": ("cancelling", "cancelled"),
}
"""By deed: the places before and after it."""
IN_TOOL: Final = ("in a tool, before its effect", "in a tool, after its effect")
PLACES: Final = (*(place for both in _AROUND.values() for place in both), *IN_TOOL)

_DEEDS: Final = ("complete", "cancel", "require_action", "call", "result", "ask")
"""Those of a batch, the most telling one first."""


class Death:
    """The end of a worker: the n-th time that it comes to a place."""

    def __init__(self, place: str | None, count: int) -> None:
        self._place = place
        self._left = count
        self._lock = threading.Lock()
        self._claimed = False

    def at(self, place: str) -> None:
        """Come to a place; the worker may end here."""
        if place == self._place:
            with self._lock:
                self._left -= 1
                if self._left == 0:
                    os.write(_STANDARD_OUTPUT, place.encode())
                    die()

    @contextmanager
    def around(self, deed: str | None) -> Iterator[None]:
        """Come to the places before and after a deed; the first one of all is a claim."""
        before, after = _AROUND[deed] if deed else ("", "")
        self.at(before)
        if not self._claimed:
            self._claimed = True
            os.write(_STANDARD_OUTPUT, CLAIMED.encode())
        yield
        self.at(after)


class _Stand:
    """Stands in for an object, whose attributes it has unless it has its own."""

    def __init__(self, within: object) -> None:
        self._within = within

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (whatever has that name)
        return getattr(self._within, name)


class Doomed(_Stand):
    """A store whose user dies before or after one of its writes. Everything else is the store's."""

    def __init__(self, store: ConversationStore, death: Death) -> None:
        super().__init__(store)
        self.runs: _Runs = _Runs(store.runs, death)
        self.threads: _Threads = _Threads(store.threads, death)


class _Runs:
    def __init__(self, runs: object, death: Death) -> None:
        self._runs = runs
        self._death = death

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._runs, name)
        if name not in _AROUND:
            return method

        def with_death(*given: object, **named: object) -> object:
            with self._death.around(name):
                return method(*given, **named)

        return with_death


class _Threads(_Stand):
    def __init__(self, threads: Threads, death: Death) -> None:
        super().__init__(threads)
        self._threads = threads
        self._death = death

    @contextmanager
    def batch(self, thread_id: str, **options: Any) -> Iterator[_Noted]:  # noqa: ANN401 (of a write)
        deeds: set[str] = set()
        batch = self._threads.batch(thread_id, **options)
        collecting = batch.__enter__()
        try:
            yield _Noted(collecting, "", deeds)
        except BaseException as error:
            batch.__exit__(type(error), error, error.__traceback__)
            raise
        with self._death.around(next((deed for deed in _DEEDS if deed in deeds), None)):
            batch.__exit__(None, None, None)


class AsyncDoomed(_Stand):
    """The same for an async store."""

    def __init__(self, store: AsyncConversationStore, death: Death) -> None:
        super().__init__(store)
        self.runs: _AsyncRuns = _AsyncRuns(store.runs, death)
        self.threads: _AsyncThreads = _AsyncThreads(store.threads, death)


class _AsyncRuns:
    def __init__(self, runs: object, death: Death) -> None:
        self._runs = runs
        self._death = death

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._runs, name)
        if name not in _AROUND:
            return method

        async def with_death(*given: object, **named: object) -> object:
            with self._death.around(name):
                return await method(*given, **named)

        return with_death


class _AsyncThreads(_Stand):
    def __init__(self, threads: AsyncThreads, death: Death) -> None:
        super().__init__(threads)
        self._threads = threads
        self._death = death

    @asynccontextmanager
    async def batch(self, thread_id: str, **options: Any) -> AsyncIterator[_Noted]:  # noqa: ANN401 (the same)
        deeds: set[str] = set()
        batch = self._threads.batch(thread_id, **options)
        collecting = await batch.__aenter__()
        try:
            yield _Noted(collecting, "", deeds)
        except BaseException as error:
            await batch.__aexit__(type(error), error, error.__traceback__)
            raise
        with self._death.around(next((deed for deed in _DEEDS if deed in deeds), None)):
            await batch.__aexit__(None, None, None)


class _Noted:
    """A batch that notes which deeds it collects."""

    def __init__(self, within: object, name: str, deeds: set[str]) -> None:
        self._within: Any = within
        self._name = name
        self._deeds = deeds

    def __getattr__(self, name: str) -> _Noted:
        return _Noted(getattr(self._within, name), f"{self._name}.{name}", self._deeds)

    def __call__(self, *given: object, **named: object) -> object:
        match self._name, named.get("role"), named.get("type"):
            case ".messages.create", role, _:
                self._deeds.add("result" if role == "tool" else "call")
            case ".runs.steps.start", _, "message_creation":
                self._deeds.add("ask")
            case name, _, _:
                self._deeds.add(name.removeprefix(".runs."))
        return self._within(*given, **named)
