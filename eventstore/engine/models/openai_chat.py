"""Models behind any OpenAI-compatible endpoint: streamed chat completions, by the ``openai`` SDK.

Needs the extra ``openai``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
import openai

from eventstore import ImagePart, Message, ModelError
from eventstore.conversation.parts import Part
from eventstore.engine.models.chat import ChatMessage, to_chat
from eventstore.engine.models.chat_stream import ChatStream
from eventstore.engine.models.failures import is_known, told_of, translated
from eventstore.engine.models.loop_clients import LoopClients, OneClient
from eventstore.engine.models.protocol import ModelEvent, ModelRequest
from eventstore.engine.models.retrying import Retries, retried
from eventstore.engine.models.server_sent import DataFrames

if TYPE_CHECKING:
    import httpx2 as httpx

__all__ = ["OpenAIModel"]

_OURS: Final = frozenset({"model", "messages", "tools", "stream", "stream_options", "n"})
"""Parameters that settings must not replace: an answer is read as one streamed choice."""
_DONE: Final = b"[DONE]"
_DRAIN_SECONDS: Final = 1.0


class OpenAIModel:
    """A model of an OpenAI-compatible endpoint.

    Args:
        model: The model's name at the endpoint.
        base_url: Address of the endpoint; None is OpenAI's own.
        api_key: Key for it. An endpoint that needs none takes any text.
        retries: Attempts and pauses; the SDK's own retries are off.
        timeout_seconds: Longest silence, from the request on and between two tokens.
        max_tokens_field: Name of the parameter that limits an answer: ``"max_tokens"`` for
            endpoints that know the older one alone.
        reasoning_field: Field in which the endpoint takes the reasoning of earlier answers, such as
            ``"reasoning_content"``. None sends reasoning only where the provider's own form of a
            message has it.
        resolve_image: Returns the address of an image that is given by the application's file id.
        parameters: More parameters of each request, for example ``{"enable_thinking": True}``.
        client: An ``openai.AsyncOpenAI`` to use instead of a new one. It is not closed.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        retries: Retries | None = None,
        timeout_seconds: float = 300.0,
        max_tokens_field: str = "max_completion_tokens",
        reasoning_field: str | None = None,
        resolve_image: Callable[[ImagePart], str] | None = None,
        parameters: Mapping[str, Any] | None = None,
        client: openai.AsyncOpenAI | None = None,
    ) -> None:
        self._name = model
        self._retries = Retries() if retries is None else retries
        self._max_tokens_field = max_tokens_field
        self._reasoning = reasoning_field
        self._resolve = resolve_image
        self._parameters = dict(parameters or {})
        self._clients: LoopClients | OneClient = (
            LoopClients(partial(_client, base_url, api_key, timeout_seconds))
            if client is None
            else OneClient(client.with_options(max_retries=0))
        )
        address = self._clients.base_url
        host = urlsplit(address).netloc.rpartition("@")[2]
        self._place = f"{model} at {host}"

    @property
    def name(self) -> str:
        """The model's name at the endpoint."""
        return self._name

    @property
    def provider(self) -> str:
        """Name of the kind of endpoint, for telemetry."""
        return "openai"

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Ask, and yield the events of the answer."""
        return retried(lambda: self._answer(request), self._retries)

    async def aclose(self) -> None:
        """Close the connections of this event loop."""
        await self._clients.close()

    async def disconnect(self) -> None:
        """Close the connections of this event loop, which is about to end."""
        await self._clients.close()

    async def _answer(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Ask once."""
        parameters = self._asked(request)
        answer = ChatStream()
        failure: ModelError | None = None
        try:
            # The typed method checks each message of the request, and makes each chunk an object
            # that is taken apart here at once. The untyped one sends and reads the same bytes.
            chunks = await self._clients.here().post(
                "/chat/completions",
                cast_to=object,
                body=parameters,
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
            async with chunks:
                async for chunk in _read(chunks.response):
                    for event in _added(answer, chunk):
                        yield event
        except Exception as error:
            if not is_known(error):
                raise
            if not answer.finished:  # only the usage is missing otherwise
                failure = translated(error, self._place)
        if failure is not None:
            raise failure  # outside of except: the SDK's error holds words
        for event in answer.end():
            yield event

    def _asked(self, request: ModelRequest) -> dict[str, Any]:
        """Return the parameters of a request."""
        settings = request.settings
        more = {**self._parameters, **settings.others}
        if taken := sorted(_OURS & more.keys()):
            raise ModelError(
                "bad_request",
                f"the settings hold {taken[0]}, which the engine itself sends",
                "Leave it out of the settings.",
            )
        given: dict[str, Any] = {
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "response_format": settings.response_format,
        }
        if request.tools:
            given |= {
                "tools": [dict(tool) for tool in request.tools],
                "tool_choice": settings.tool_choice,
                "parallel_tool_calls": settings.parallel_tool_calls,
            }
        if settings.max_completion_tokens is not None:
            more[self._max_tokens_field] = settings.max_completion_tokens
        return {
            "model": self._name,
            "messages": self._messages(request),
            **{name: value for name, value in given.items() if value is not None},
            "stream": True,
            "stream_options": {"include_usage": True},
            **more,
        }

    def _messages(self, request: ModelRequest) -> list[ChatMessage]:
        system: list[ChatMessage] = (
            [{"role": "system", "content": request.instructions}] if request.instructions else []
        )
        spoken = (self._with_addresses(message) for message in request.messages)
        said = (chat for message in spoken for chat in to_chat(message, reasoning=self._reasoning))
        return [*system, *said]

    def _with_addresses(self, message: Message) -> Message:
        if self._resolve is None or message.role != "user":
            return message
        parts = tuple(_addressed(part, self._resolve) for part in message.content)
        return message.model_copy(update={"content": parts})


async def _read(response: httpx.Response) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield the chunks of a streamed answer, as plain JSON objects.

    Behind the last one the body is read to its end for a moment, so that the connection serves the
    next request, too.
    """
    pieces, frames, done = _pieces(response), DataFrames(), False
    while not done and (piece := await anext(pieces, None)) is not None:
        for data in frames.add(piece):
            if done := data.startswith(_DONE):
                break
            chunk = msgspec.json.decode(data)
            if not isinstance(chunk, dict):
                continue
            if chunk.get("error"):
                raise told_of(chunk["error"], response.request)
            yield chunk
    with suppress(Exception):  # the answer is whole
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in pieces:
                pass


def _added(answer: ChatStream, chunk: Mapping[str, Any]) -> list[ModelEvent]:
    """Return the events of a chunk; one that has another shape is no answer."""
    try:
        return answer.add(chunk)
    except (AttributeError, LookupError, TypeError, ValueError):
        raise msgspec.ValidationError from None


def _pieces(response: httpx.Response) -> AsyncIterator[bytes]:
    """Return the bytes of a body, without the layer that would unpack them if they are plain."""
    body = response.stream
    if "content-encoding" in response.headers or not isinstance(body, AsyncIterable):
        return response.aiter_bytes()
    return aiter(body)


def _addressed(part: Part, resolve: Callable[[ImagePart], str]) -> Part:
    if isinstance(part, ImagePart) and part.url is None:
        return ImagePart(url=resolve(part), detail=part.detail)
    return part


def _client(base_url: str | None, api_key: str | None, seconds: float) -> openai.AsyncOpenAI:
    key = (api_key or "").strip()
    if not key:
        raise ModelError(
            "invalid_api_key", "no API key is given", "Give api_key=; any text if none is needed."
        )
    if not (key.isascii() and key.isprintable()):
        raise ModelError(
            "invalid_api_key",
            "the API key has characters that no header can hold",
            "Copy it again, without line ends or quotation marks.",
        )
    return openai.AsyncOpenAI(api_key=key, base_url=base_url, timeout=seconds, max_retries=0)
