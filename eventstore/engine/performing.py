"""Perform the effects of one run on an event loop: ask the model, call tools, stop both.

Results are delivered to the run's inbox as they come. The loop is the application's for the async
engine, and the engine's own for the sync one.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any, Final, Protocol

from eventstore import (
    InvalidInput,
    ModelError,
    ReasoningPart,
    RefusalPart,
    Run,
    TextPart,
    TokenUsage,
    ToolCallPart,
)
from eventstore.core.json_values import check_json
from eventstore.engine import calling
from eventstore.engine import effects as f
from eventstore.engine.models.protocol import (
    Finished,
    Model,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
    Usage,
)
from eventstore.engine.records import AnswerPart
from eventstore.engine.tools import LocalTool, ToolContext

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
        store: Any,  # noqa: ANN401 (either face; handed on to tools)
        run: Run,
        resolve: Resolve,
        tools: Mapping[str, LocalTool],
        deliver: Callable[[Any], None],
    ) -> None:
        self._store = store
        self._run = run
        self._resolve = resolve
        self._tools = tools
        self._deliver = deliver
        self._tasks: set[asyncio.Task[None]] = set()
        self._answer: _Answer | None = None

    def begin(self, effect: f.Effect) -> None:
        """Begin an effect; call this on the loop."""
        match effect:
            case f.AskModel():
                self._answer = _Answer()
                self._start(self._ask(effect, self._answer))
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
        parts = () if self._answer is None else self._answer.parts()
        self._deliver(f.Stopped(stop.reason, parts))

    async def _call(self, effect: f.CallTool) -> None:
        context = ToolContext(
            store=self._store,
            thread_id=self._run.thread_id,
            run_id=self._run.id,
            call_id=effect.call_id,
            tenant=self._store.scope.tenant,
        )
        self._deliver(await calling.call(self._tools[effect.name], effect, context))

    async def _ask(self, effect: f.AskModel, answer: _Answer) -> None:
        try:
            await self._stream(effect, answer)
            result: f.Result = answer.result()
        except ModelError as error:
            result = f.ModelFailed(error.code, str(error), answer.parts())
        except Exception as error:  # noqa: BLE001 (of a model of the application's own)
            words = f"The model raised {type(error).__name__}."
            result = f.ModelFailed("server_error", words, answer.parts())
        self._answer = None
        self._deliver(result)

    async def _stream(self, effect: f.AskModel, answer: _Answer) -> None:
        model = self._resolve(effect.request.model)
        async with aclosing(model.stream(effect.request)) as events:
            async for event in events:
                answer.add(event)
                if isinstance(event, TextDelta):
                    self._deliver(f.TextArrived(effect.step, event.text))


class _Answer:
    """An answer as it arrives: deltas of one kind in a row become one part."""

    def __init__(self) -> None:
        self._parts: list[tuple[type, list[str]] | ToolCallPart] = []
        self._ids: set[str] = set()
        self._usage: Usage | None = None
        self._finished: Finished | None = None

    def add(self, event: Any) -> None:  # noqa: ANN401 (a ModelEvent)
        match event:
            case TextDelta(text):
                self._more(TextPart, text)
            case ReasoningDelta(text):
                self._more(ReasoningPart, text)
            case RefusalDelta(text):
                self._more(RefusalPart, text)
            case ToolCall():
                self._parts.append(self._call(event))
            case Usage():
                self._usage = event
            case Finished():
                self._finished = event

    def _more(self, kind: type, text: str) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, tuple) and last[0] is kind:
            last[1].append(text)
        else:
            self._parts.append((kind, [text]))

    def _call(self, call: ToolCall) -> ToolCallPart:
        if call.id in self._ids:
            raise ModelError(
                "bad_response", "the model used one id for two tool calls", "Ask it again."
            )
        self._ids.add(call.id)
        try:
            arguments = parsed(call.arguments)
            return ToolCallPart(id=call.id, name=call.name, arguments=arguments)
        except ValueError:
            raise ModelError(
                "bad_response", "the model's tool call has no name or no id", "Ask it again."
            ) from None

    def parts(self) -> tuple[AnswerPart, ...]:
        """Return the parts that have arrived so far."""
        found: list[AnswerPart] = []
        for one in self._parts:
            if isinstance(one, ToolCallPart):
                found.append(one)
            elif text := "".join(one[1]):
                found.append(one[0](text=text))
        return tuple(found)

    def result(self) -> f.ModelAnswered:
        """Return the whole answer."""
        if self._finished is None:
            raise ModelError("stream_broken", "the answer broke off", "Run the assistant again.")
        used = self._usage
        usage = None
        if used is not None:
            usage = TokenUsage(
                input_tokens=used.input_tokens,
                output_tokens=used.output_tokens,
                total_tokens=used.input_tokens + used.output_tokens,
            )
        return f.ModelAnswered(self.parts(), self._finished.reason, usage, self._finished.provider)


def parsed(text: str) -> Any:  # noqa: ANN401 (a JSON value)
    """Return a model's arguments as JSON; as they were written if they are no JSON to store.

    The tool refuses text, and the model sees its mistake.
    """
    if not text.strip():
        return {}  # some models write nothing for a tool without parameters
    try:
        return check_json(json.loads(text, parse_constant=_no_constant), "arguments", 32)
    except (ValueError, RecursionError, InvalidInput):
        return text.encode("utf-8", "replace").decode()


def _no_constant(_: str) -> float:
    return math.nan  # which check_json refuses
