"""A model whose answers are written down beforehand, for tests and demonstrations.

::

    model = ScriptedModel([
        [ToolCall("call_1", "weather", '{"city": "Oslo"}')],  # the first answer asks for a tool
        "4 °C and rain.",  # the second is text, and streams word by word
    ])
    engine = Engine(store, tools=[weather], models={"qwen-plus": model})
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Final, TypeAlias

from eventstore import ModelError
from eventstore.engine.models.estimate import estimate_text, estimate_tokens
from eventstore.engine.models.protocol import (
    Finished,
    ModelEvent,
    ModelRequest,
    TextDelta,
    ToolCall,
    Usage,
)

__all__ = ["Answer", "Gate", "ScriptedModel"]


class Gate:
    """A place in an answer where a scripted model waits until ``open`` is called.

    Any thread may open it, and may wait until the model has come to it. A model that is cancelled
    while it waits leaves the gate as it is.
    """

    def __init__(self) -> None:
        self.reached: Final = threading.Event()
        """Set once a model waits here, or went through."""
        self._lock = threading.Lock()
        self._open = False
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def open(self) -> None:
        """Let the model go on, now and whenever it comes again."""
        with self._lock:
            self._open = True
            waiting, self._waiting = self._waiting, []
        for loop, future in waiting:
            loop.call_soon_threadsafe(_resolve, future)

    async def _pass(self) -> None:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._open:
                future.set_result(None)
            else:
                self._waiting.append((loop, future))
        self.reached.set()
        try:
            await future
        finally:
            with self._lock:
                self._waiting = [entry for entry in self._waiting if entry[1] is not future]


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


Item: TypeAlias = str | ModelEvent | ModelError | Gate
Answer: TypeAlias = Item | Sequence[Item]
"""Text (streamed word by word), an event, an error to raise, a gate to wait at, or a list of
these. Usage and the end follow by themselves."""


class ScriptedModel:
    """A model that gives written answers, one after another, or those of a function.

    Args:
        answers: A list of answers, used up in order, or a function that returns the answer to a
            request. A function also works in several processes at once.
        name: Name of the model.
    """

    def __init__(
        self,
        answers: Iterable[Answer] | Callable[[ModelRequest], Answer],
        *,
        name: str = "scripted",
    ) -> None:
        self._name = name
        self._answer = answers if callable(answers) else _in_order(answers)
        self.requests: list[ModelRequest] = []
        """Each request, in order."""
        self.closed: bool = False
        """Whether it was closed."""

    @property
    def name(self) -> str:
        """The name that it was given."""
        return self._name

    @property
    def provider(self) -> str:
        """Name of the provider, for telemetry."""
        return "scripted"

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yield the events of the next answer."""
        self.requests.append(request)
        answer = self._answer(request)
        seen: list[ModelEvent] = []
        for item in _items(answer):
            await asyncio.sleep(0)  # as from a network: others may run, and the task be cancelled
            if isinstance(item, Gate):
                await item._pass()  # noqa: SLF001 (the two are one)
            elif isinstance(item, ModelError):
                raise item
            else:
                for event in _words(item) if isinstance(item, str) else (item,):
                    seen.append(event)
                    yield event
        for event in _end(request, seen):
            yield event

    async def aclose(self) -> None:
        """Note that it was closed."""
        self.closed = True


def _in_order(answers: Iterable[Answer]) -> Callable[[ModelRequest], Answer]:
    left = deque(answers)

    def next_answer(_: ModelRequest) -> Answer:
        if not left:
            raise ModelError(
                "script_ended",
                "the scripted model has no further answer",
                "Give it as many answers as it is asked for, or a function.",
            )
        return left.popleft()

    return next_answer


def _items(answer: Answer) -> Sequence[Item]:
    return answer if isinstance(answer, Sequence) and not isinstance(answer, str) else [answer]


def _words(text: str) -> list[ModelEvent]:
    return [TextDelta(word) for word in re.findall(r"\S+\s*|\s+", text)]


def _end(request: ModelRequest, seen: Sequence[ModelEvent]) -> list[ModelEvent]:
    """Return the usage and the end that an answer lacks."""
    end: list[ModelEvent] = []
    if seen and isinstance(seen[-1], Finished):
        return end
    if not any(isinstance(event, Usage) for event in seen):
        written = sum(_written(event) for event in seen)
        end.append(Usage(estimate_tokens(request), written))
    called = any(isinstance(event, ToolCall) for event in seen)
    return [*end, Finished("tool_calls" if called else "stop")]


def _written(event: ModelEvent) -> int:
    if isinstance(event, ToolCall):
        return estimate_text(event.name) + estimate_text(event.arguments)
    return estimate_text(getattr(event, "text", ""))
