"""An OpenAI-compatible server on loopback whose answers are written down beforehand.

It streams chat completions as the services do, and does on request what they do on bad days: broken
streams, half a JSON document, 429 with ``Retry-After``, 500, silence::

    with ModelServer([says("Hello."), refuses(429, retry_after=1), says("Again.")]) as server:
        client = OpenAI(base_url=server.base_url, api_key="any")

It refuses what a service refuses, too: a key other than ``key``, and messages in which a tool call
is not followed at once by its results.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Self, TypeAlias

from eventstore.testing.model_replies import Reply, calls, chunk, refuses, says

__all__ = [
    "ModelServer",
    "Reply",
    "calls",
    "chunk",
    "problem_of",
    "refuses",
    "says",
]


Script: TypeAlias = Iterable[Reply] | Callable[[dict[str, Any]], Reply]


class ModelServer:
    """A server in a thread of its own; a context manager.

    Args:
        script: The answers, used up in order, or a function of the request's JSON.
        key: The only key that is accepted; None accepts any.
    """

    def __init__(self, script: Script, *, key: str | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        """The body of each request."""
        self.asked: Final = threading.Event()
        """Set once a request arrived."""
        self.dropped: Final = threading.Event()
        """Set once a client closed the connection while it was being answered."""
        self._reply = script if callable(script) else _in_order(script)
        self._key = key
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model-server")
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        """Address for clients."""
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            self.dropped.set()
        except asyncio.CancelledError:
            pass  # the server stops; nobody awaits this task but the server
        finally:
            self._open.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays open."""
        found = await _request(reader)
        if found is None:
            return False
        path, headers, body = found
        asked = json.loads(body) if body else {}
        reply = self._answer(path, headers, asked)
        if reply.error is not None or not asked.get("stream"):
            answer = reply.error if reply.error is not None else _completion(reply)
            raw = json.dumps(answer).encode()
            length = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
            writer.write(_head(reply, length) + raw)
            await writer.drain()
            return True
        return await self._stream(reply, reader, writer)

    def _answer(self, path: str, headers: Mapping[str, str], asked: dict[str, Any]) -> Reply:
        if not path.endswith("/chat/completions"):
            return refuses(404, message="no such route")
        if self._key is not None and headers.get("authorization") != f"Bearer {self._key}":
            return refuses(401, code="invalid_api_key", message=f"{headers.get('authorization')}")
        self.requests.append(asked)
        self.asked.set()
        if problem := problem_of(asked.get("messages")):
            return refuses(400, code="invalid_request", message=problem)
        return self._reply(asked)

    async def _stream(
        self, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        stream = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        writer.write(_head(reply, stream))
        for frame in reply.frames:
            data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
            await _write_chunk(writer, b"data: " + data + b"\n\n")
            await asyncio.sleep(reply.pause_seconds)
        if reply.end == "silence":
            await reader.read(1)  # until the client goes
            self.dropped.set()
            return False
        if reply.end == "cut":
            return False
        await _write_chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


def problem_of(messages: object) -> str | None:
    """Return the reason for which a service refuses messages; None if it takes them."""
    if not isinstance(messages, list) or not messages:
        return "messages are empty"
    waiting: list[str] = []
    for place, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                return f"messages[{place}]: a result that answers no call right before it"
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            return f"messages[{place}]: the calls {waiting} before it are not answered"
        if role not in {"system", "developer", "user", "assistant"}:
            return f"messages[{place}]: no such role"
        waiting = [call["id"] for call in message.get("tool_calls") or []]
        if message.get("content") is None and not waiting:
            return f"messages[{place}]: no content"
    return f"the calls {waiting} are not answered" if waiting else None


def _in_order(script: Iterable[Reply]) -> Callable[[dict[str, Any]], Reply]:
    left = deque(script)

    def next_reply(_: dict[str, Any]) -> Reply:
        return left.popleft() if left else refuses(400, message="the script has ended")

    return next_reply


async def _request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes] | None:
    """Read one request; None if the client closed the connection between two."""
    line = await reader.readline()
    if not line:
        return None
    headers: dict[str, str] = {}
    while (header := await reader.readline()) not in {b"\r\n", b""}:
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return line.split()[1].decode(), headers, body


def _head(reply: Reply, more: Mapping[str, str]) -> bytes:
    headers = {"x-request-id": "req-1", **reply.headers, **more}
    lines = [f"HTTP/1.1 {reply.status} Scripted", *(f"{n}: {v}" for n, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _write_chunk(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    await writer.drain()


def _completion(reply: Reply) -> dict[str, Any]:
    """Return a streamed answer as one that is not streamed."""
    text, finish = "", "stop"
    made: dict[int, dict[str, Any]] = {}
    usage = None
    for frame in reply.frames:
        assert isinstance(frame, dict)
        usage = frame.get("usage", usage)
        for choice in frame["choices"]:
            finish = choice["finish_reason"] or finish
            text += choice["delta"].get("content") or ""
            for call in choice["delta"].get("tool_calls", ()):
                function = call["function"]
                if call["index"] in made:
                    made[call["index"]]["function"]["arguments"] += function["arguments"]
                else:
                    made[call["index"]] = {**call, "function": dict(function)}
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    if made:
        message["tool_calls"] = list(made.values())
    choices = [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}]
    base = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000}
    return {**base, "model": "scripted", "choices": choices, "usage": usage}
