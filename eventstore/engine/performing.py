"""Perform the effects of one run on an event loop: ask the model, call tools, stop both.

Results are delivered to the run's inbox as they come. The loop is the application's for the async
engine, and the engine's own for the sync one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any, Final, Protocol

from eventstore import ModelError, Run, TokenUsage, ToolError
from eventstore.conversation.parts import Part
from eventstore.engine import calling, telemetry
from eventstore.engine import effects as f
from eventstore.engine.models.answers import content_of
from eventstore.engine.models.protocol import (
    Finished,
    Model,
    ModelEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from eventstore.engine.requests import AnyStore
from eventstore.engine.toolbox import Toolbox
from eventstore.engine.tools import ToolContext

__all__ = ["Performing", "Resolve"]

_STOP_SECONDS: Final = 5.0
"""A tool that will not be cancelled is left behind."""


class Resolve(Protocol):
    """Finds a model by its name."""

    def __call__(self, name: str) -> Model: ...


class Performing:
    """The effects of one run that are under way."""

    def __init__(
        self,
        store: AnyStore,
        run: Run,
        resolve: Resolve,
        tools: Toolbox,
        deliver: Callable[[Any], None],
    ) -> None:
        self._store = store
        self._run = run
        self._resolve = resolve
        self._tools = tools
        self._deliver = deliver
        self._tasks: set[asyncio.Task[None]] = set()
        self._answer: _Answer | None = None
        self._unsaid: list[str] = []
        """Text that arrived in this pass of the loop."""

    def begin(self, effect: f.Effect) -> None:
        """Begin an effect; call this on the loop."""
        match effect:
            case f.AskModel():
                self._answer = _Answer()
                self._start(self._ask(effect, self._answer))
            case f.ListTools(types):
                self._start(self._list(types))
            case f.CallTool():
                self._start(self._call(effect))
            case f.Stop():
                stopping = asyncio.ensure_future(self._stop(effect, list(self._tasks)))
                self._tasks.add(stopping)
                stopping.add_done_callback(self._tasks.discard)
            case f.ReadContext():
                raise TypeError(effect)  # the course reads by itself

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop(self, stop: f.Stop, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_SECONDS)
        parts = () if self._answer is None else self._answer.words()
        self._deliver(f.Stopped(stop.reason, parts))

    async def _list(self, types: tuple[str, ...]) -> None:
        try:
            listed = {one: tuple(await self._tools.sets[one].definitions()) for one in types}
        except ToolError as error:
            self._deliver(f.ToolUnusable(error.code, str(error)))
        except Exception as error:  # noqa: BLE001 (of a set of the application's own)
            words = f"Tools could not be listed: {type(error).__name__}."
            self._deliver(f.ToolUnusable("tools_unavailable", words))
        else:
            self._deliver(f.ToolsListed(listed))

    async def _call(self, effect: f.CallTool) -> None:
        context = ToolContext(
            store=self._store,
            thread_id=self._run.thread_id,
            run_id=self._run.id,
            call_id=effect.call_id,
            tenant=self._store.scope.tenant,
        )
        with telemetry.tool_call(effect.name, effect.call_id) as span:
            found = self._tools.find(effect.name)
            if found is None:
                raise LookupError(effect.name)  # rules allow only what is found
            returned = await calling.call(found, effect, context)
            if isinstance(returned, f.ToolUnusable):
                span.failed(returned.code)
            elif returned.status != "completed":
                span.failed(returned.status)
        self._deliver(returned)

    async def _ask(self, effect: f.AskModel, answer: _Answer) -> None:
        try:
            result: f.Result = await self._answered(effect, answer)
        except ModelError as error:
            result = f.ModelFailed(error.code, str(error), answer.words())
        except Exception as error:  # noqa: BLE001 (of a model of the application's own)
            words = f"The model raised {type(error).__name__}."
            result = f.ModelFailed("server_error", words, answer.words())
        self._answer = None
        self._unsaid.clear()  # the answer itself holds it
        self._deliver(result)

    async def _answered(self, effect: f.AskModel, answer: _Answer) -> f.ModelAnswered:
        model = self._resolve(effect.request.model)
        with telemetry.model_call(effect.request, model, self._run.thread_id) as span:
            async with aclosing(model.stream(effect.request)) as events:
                async for event in events:
                    answer.add(event)
                    if isinstance(event, TextDelta):
                        self._say(effect.step, event.text)
                    else:
                        span.add(event)
            return answer.result()

    def _say(self, step: int, text: str) -> None:
        """Deliver text once the model pauses: what comes in one breath is delivered as one."""
        if not self._unsaid:
            asyncio.get_running_loop().call_soon(self._deliver_said, step)
        self._unsaid.append(text)

    def _deliver_said(self, step: int) -> None:
        text = "".join(self._unsaid)
        self._unsaid.clear()
        if text:
            self._deliver(f.TextArrived(step, text))


class _Answer:
    """An answer as it arrives."""

    def __init__(self) -> None:
        self._events: list[ModelEvent] = []
        self._usage: Usage | None = None
        self._finished: Finished | None = None

    def add(self, event: ModelEvent) -> None:
        """Add an event of the model."""
        match event:
            case Usage():
                self._usage = event
            case Finished():
                self._finished = event
            case _:
                self._events.append(event)

    def parts(self) -> tuple[Part, ...]:
        """Return the parts that have arrived so far."""
        return content_of(self._events)

    def words(self) -> tuple[Part, ...]:
        """Return the same without calls: those of an answer that broke off are never made."""
        return content_of(event for event in self._events if not isinstance(event, ToolCall))

    def result(self) -> f.ModelAnswered:
        """Return the whole answer.

        Raises:
            ModelError: it broke off, or its calls are not well formed.
        """
        if self._finished is None:
            raise ModelError("stream_broken", "the answer broke off", "Run the assistant again.")
        calls = [event for event in self._events if isinstance(event, ToolCall)]
        if len({call.id for call in calls}) < len(calls):
            raise _malformed("used one id for two tool calls")
        if not all(call.id and call.name for call in calls):
            raise _malformed("made a tool call without an id or a name")
        return f.ModelAnswered(
            self.parts(), self._finished.reason, self._used(), self._finished.provider
        )

    def _used(self) -> TokenUsage | None:
        if self._usage is None:
            return None
        read, written = self._usage.input_tokens, self._usage.output_tokens
        return TokenUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _malformed(problem: str) -> ModelError:
    return ModelError("bad_response", f"the model {problem}", "Run the assistant again.")
