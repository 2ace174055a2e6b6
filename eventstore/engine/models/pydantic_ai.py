"""Models that pydantic-ai speaks to, through its direct model layer.

Needs the extra ``pydantic-ai``, and the libraries that pydantic-ai needs for the provider.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, cast

from pydantic_ai import direct, exceptions, models
from pydantic_ai import messages as theirs
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from eventstore import ModelError
from eventstore.core.quoting import named
from eventstore.engine.models.arguments import arguments_text
from eventstore.engine.models.protocol import (
    Finished,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCall,
    Usage,
)
from eventstore.engine.models.pydantic_messages import form_of, to_pydantic
from eventstore.engine.models.retrying import Retries, retried
from eventstore.engine.settings import RunSettings

__all__ = ["PydanticAIModel"]

_CODES: Final[tuple[tuple[type[Exception], tuple[str, str, bool]], ...]] = (
    (exceptions.ModelTimeoutError, ("timeout", "did not answer in time", True)),
    (exceptions.ModelRequestTimeout, ("timeout", "did not answer in time", True)),
    (exceptions.ModelConnectionError, ("unreachable", "cannot be reached", True)),
    (exceptions.ModelQuotaExceededError, ("rate_limit_exceeded", "has no quota left", False)),
    (exceptions.ModelRateLimitError, ("rate_limit_exceeded", "is asked too often", True)),
    (exceptions.ModelUnavailableError, ("server_error", "is not available", True)),
    (exceptions.ModelServerError, ("server_error", "failed", True)),
    (exceptions.ModelAuthenticationError, ("invalid_api_key", "refused the API key", False)),
    (exceptions.ModelNotFoundError, ("model_not_found", "does not exist there", False)),
    (
        exceptions.ModelContextWindowExceededError,
        ("context_length_exceeded", "takes no prompt so long", False),
    ),
    (exceptions.ModelRequestRejectedError, ("bad_request", "refused the request", False)),
    (exceptions.UserError, ("bad_request", "cannot be asked like this by pydantic-ai", False)),
)
"""Each error of pydantic-ai with our code; the first that fits counts."""
_UNKNOWN: Final = ("stream_broken", "sent something that is no answer", True)
_REASONS: Final = {"length": "length", "content_filter": "content_filter"}


class PydanticAIModel:
    """A model that pydantic-ai speaks to.

    Settings that the engine does not know go to pydantic-ai as its model settings, for example
    ``thinking`` or ``anthropic_cache_instructions``.

    Args:
        model: Provider and name, such as ``"anthropic:claude-sonnet-4-5"``, or a model of
            pydantic-ai.
        retries: Attempts and pauses. The provider's SDK is asked not to retry by itself.
    """

    def __init__(self, model: str | models.Model, *, retries: Retries | None = None) -> None:
        self._retries = Retries() if retries is None else retries
        self._open = AsyncExitStack()
        self._entered = False
        problem: ModelError | None = None
        try:
            self._model = models.infer_model(model)
        except (exceptions.UserError, ValueError, ImportError) as error:
            problem = _not_made(model, error)
        if problem is not None:
            raise problem  # outside of except: their error may hold a key

    @property
    def name(self) -> str:
        """The model's name for its provider."""
        return self._model.model_name

    @property
    def provider(self) -> str:
        """Name of the provider, for telemetry."""
        return self._model.system

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Ask, and yield the events of the answer."""
        asked = (
            to_pydantic(request.messages, request.instructions, self._model.system),
            _settings(request.settings, tools=bool(request.tools)),
            _parameters(request),
        )
        if not self._entered:
            self._entered = True
            await self._open.enter_async_context(self._model)
        events = retried(lambda: self._answer(*asked), self._retries)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def aclose(self) -> None:
        """Close the connections, if no other model of pydantic-ai shares them."""
        await self._open.aclose()

    async def disconnect(self) -> None:
        """Close them, too, before their event loop ends; the next request opens others."""
        entered, self._open, self._entered = self._open, AsyncExitStack(), False
        await entered.aclose()

    async def _answer(
        self,
        messages: list[theirs.ModelMessage],
        settings: ModelSettings,
        parameters: models.ModelRequestParameters,
    ) -> AsyncGenerator[ModelEvent, None]:
        """Ask once."""
        failure: ModelError | None = None
        end: list[ModelEvent] = []
        stream = direct.model_request_stream(
            self._model,
            messages,
            model_settings=settings,
            model_request_parameters=parameters,
            instrument=False,
        )
        try:
            async with stream as answer:
                async for event in answer:
                    if delta := _delta(event):
                        yield delta
                end = _end(answer.get())
        except (exceptions.AgentRunError, exceptions.UserError) as error:
            failure = _translated(error, self._place)
        if failure is not None:
            raise failure  # outside of except: their error holds words
        for last in end:
            yield last

    @property
    def _place(self) -> str:
        return f"{self._model.model_name} of {self._model.system}"


def _delta(event: theirs.ModelResponseStreamEvent) -> ModelEvent | None:
    match event:
        case theirs.PartStartEvent(part=theirs.TextPart(content=text)) if text:
            return TextDelta(text)
        case theirs.PartStartEvent(part=theirs.ThinkingPart(content=text)) if text:
            return ReasoningDelta(text)
        case theirs.PartDeltaEvent(delta=theirs.TextPartDelta(content_delta=text)) if text:
            return TextDelta(text)
        case theirs.PartDeltaEvent(delta=theirs.ThinkingPartDelta(content_delta=text)) if text:
            return ReasoningDelta(text)
        case _:
            return None


def _end(response: theirs.ModelResponse) -> list[ModelEvent]:
    """Return calls, usage and the end of an answer."""
    usage = [Usage(response.usage.input_tokens, response.usage.output_tokens)]
    if response.finish_reason == "error":
        raise ModelError(
            "server_error", "the model failed while it answered", "Ask again later.", retryable=True
        )
    reason = _REASONS.get(response.finish_reason or "")
    if reason is not None:  # an answer that was cut off calls nothing
        return [*usage, Finished(cast("Any", reason))]
    calls = [
        ToolCall(part.tool_call_id, part.tool_name, _arguments(part.args))
        for part in response.tool_calls
    ]
    return [*calls, *usage, Finished("tool_calls" if calls else "stop", form_of(response))]


def _arguments(given: str | dict[str, Any] | None) -> str:
    """Return arguments as the model wrote them, if it wrote text."""
    return given if isinstance(given, str) else arguments_text(given)


def _settings(settings: RunSettings, *, tools: bool) -> ModelSettings:
    given: dict[str, Any] = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_completion_tokens,
    }
    if tools:
        given["parallel_tool_calls"] = settings.parallel_tool_calls
        choice = settings.tool_choice
        given["tool_choice"] = [_function_of(choice)] if isinstance(choice, Mapping) else choice
    known = {name: value for name, value in given.items() if value is not None}
    return cast("ModelSettings", {**settings.others, **known, "max_retries": 0})


def _function_of(choice: Mapping[str, Any]) -> str:
    return str(choice.get("function", {}).get("name", ""))


def _parameters(request: ModelRequest) -> models.ModelRequestParameters:
    tools = [_tool(tool["function"]) for tool in request.tools]
    form = request.settings.response_format or {"type": "text"}
    if form.get("type") == "text":
        return models.ModelRequestParameters(function_tools=tools)
    schema = form.get("json_schema")
    if not isinstance(schema, dict) or not isinstance(schema.get("schema"), dict):
        raise ModelError(
            "bad_request",
            "the response_format has no json_schema, and pydantic-ai takes no other kind",
            'Give {"type": "json_schema", "json_schema": {"name": …, "schema": …}}.',
        )
    wanted = OutputObjectDefinition(
        schema["schema"], schema.get("name"), schema.get("description"), schema.get("strict")
    )
    return models.ModelRequestParameters(
        function_tools=tools, output_mode="native", output_object=wanted
    )


def _tool(function: Mapping[str, Any]) -> ToolDefinition:
    empty = {"type": "object", "properties": {}}
    return ToolDefinition(
        name=function["name"],
        parameters_json_schema=dict(function.get("parameters") or empty),
        description=function.get("description"),
        strict=function.get("strict"),
    )


def _not_made(model: object, error: Exception) -> ModelError:
    shown = named(model) if isinstance(model, str) else type(model).__name__
    if isinstance(error, ImportError):
        return ModelError(
            "missing_dependency",
            f"pydantic-ai lacks a library for {shown}",
            "Install pydantic-ai-slim with the extra of that provider.",
        )
    return ModelError(
        "unknown_model",
        f"pydantic-ai cannot make the model {shown} ({type(error).__name__})",
        "Write provider:name, and set the environment variable with the provider's key.",
    )


def _translated(error: Exception, place: str) -> ModelError:
    """Return the error for one of pydantic-ai, without its words."""
    known = (rest for kind, rest in _CODES if isinstance(error, kind))
    code, problem, retryable = next(known, _UNKNOWN)
    status = f" (HTTP {error.status_code})" if isinstance(error, exceptions.ModelHTTPError) else ""
    remedy = "Ask again later." if retryable else "Check the model's name, key and settings."
    after = error.retry_after if isinstance(error, exceptions.ModelAPIError) else None
    return ModelError(
        code,
        f"{place} {problem}{status}",
        remedy,
        retryable=retryable,
        retry_after_seconds=after,
    )
