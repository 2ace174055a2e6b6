"""OpenTelemetry spans of runs, model calls and tool calls, with the names of its GenAI conventions.

A run is ``invoke_agent``, with a span ``chat <model>`` for each model call and ``execute_tool
<name>`` for each tool call below it. Spans hold ids, names, counts and codes, and never words: no
prompt, no answer, no arguments, no text of an error. Without ``opentelemetry-api`` nothing happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from eventstore import ModelError, Run
from eventstore.engine.models.protocol import Finished, Model, ModelEvent, ModelRequest, Usage

try:
    from opentelemetry import trace
except ImportError:  # it is optional
    _trace: Any = None
else:
    _trace = trace

__all__ = ["Span", "model_call", "run_at_work", "tool_call"]

_SCOPE: Final = "eventstore.engine"


class Span:
    """A span that takes facts; one without a span beneath forgets them."""

    def __init__(self, span: trace.Span | None = None) -> None:
        self._span = span

    def add(self, event: ModelEvent) -> None:
        """Note what an event of a model tells about its answer."""
        if self._span is None:
            return
        match event:
            case Usage(read, written):
                self._span.set_attribute("gen_ai.usage.input_tokens", read)
                self._span.set_attribute("gen_ai.usage.output_tokens", written)
            case Finished(reason):
                self._span.set_attribute("gen_ai.response.finish_reasons", [reason])
            case _:
                pass

    def failed(self, code: str) -> None:
        """Note that it failed."""
        if self._span is not None:
            self._span.set_attribute("error.type", code)
            self._span.set_status(_trace.StatusCode.ERROR)


@contextmanager
def run_at_work(run: Run) -> Generator[Span]:
    """Hold a span while an engine executes a run."""
    facts = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.id": run.assistant_id,
        "gen_ai.conversation.id": run.thread_id,
        "gen_ai.request.model": run.model,
        "eventstore.run.id": run.id,
    }
    with _span("invoke_agent", facts) as span:
        yield span


@contextmanager
def model_call(request: ModelRequest, model: Model, thread_id: str) -> Generator[Span]:
    """Hold a span while a model answers."""
    settings = request.settings
    facts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": getattr(model, "provider", "custom"),
        "gen_ai.request.model": model.name,
        "gen_ai.conversation.id": thread_id,
        "gen_ai.request.temperature": settings.temperature,
        "gen_ai.request.top_p": settings.top_p,
        "gen_ai.request.max_tokens": settings.max_completion_tokens,
    }
    with _span(f"chat {model.name}", facts, client=True) as span:
        yield span


@contextmanager
def tool_call(name: str, call_id: str) -> Generator[Span]:
    """Hold a span while a tool works."""
    facts = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
        "gen_ai.tool.type": "function",
    }
    with _span(f"execute_tool {name}", facts) as span:
        yield span


def _is_wanted() -> bool:
    """Return whether somebody takes spans: the API alone hands out empty ones."""
    return _trace is not None and not isinstance(
        _trace.get_tracer_provider(), _trace.ProxyTracerProvider
    )


@contextmanager
def _span(name: str, facts: dict[str, Any], *, client: bool = False) -> Generator[Span]:
    if not _is_wanted():
        yield Span()
        return
    kind = _trace.SpanKind.CLIENT if client else _trace.SpanKind.INTERNAL
    with _trace.get_tracer(_SCOPE).start_as_current_span(
        name,
        kind=kind,
        attributes={key: fact for key, fact in facts.items() if fact is not None},
        record_exception=False,  # its text may hold words
        set_status_on_exception=False,
    ) as found:
        span = Span(found)
        try:
            yield span
        except ModelError as error:
            span.failed(error.code)
            raise
        except asyncio.CancelledError:
            span.failed("cancelled")
            raise
        except Exception as error:
            span.failed(type(error).__name__)
            raise
