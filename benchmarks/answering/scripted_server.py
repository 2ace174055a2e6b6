"""An OpenAI-compatible server in a process of its own that answers at once.

Answers are written down as bytes beforehand: a request costs it a tenth of a millisecond or so. A
request that offers tools and ends with a user's message gets two calls; any other gets a sentence.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from benchmarks.answering.task import ADDRESS, MODEL

ANSWER = (
    "It rains in Oslo at four degrees, and it is five past two in the afternoon, so take a coat "
    "and an umbrella if you go out for lunch, and expect snow by the evening."
)
CALLS = [
    ("call_1", "weather", '{"city": "Oslo"}'),
    ("call_2", "clock", '{"city": "Oslo"}'),
]
_USAGE = {"prompt_tokens": 40, "completion_tokens": 33, "total_tokens": 73}


@contextmanager
def running() -> Iterator[None]:
    """Start the server, and name its address in the environment."""
    command = [sys.executable, "-m", __name__]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as process:
        assert process.stdout is not None
        os.environ[ADDRESS] = f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        try:
            yield
        finally:
            process.terminate()


def _message(*, calls: bool) -> dict[str, Any]:
    if not calls:
        return {"role": "assistant", "content": ANSWER}
    made = [
        {"id": call, "type": "function", "function": {"name": name, "arguments": arguments}}
        for call, name, arguments in CALLS
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def _deltas(*, calls: bool) -> Iterator[dict[str, Any]]:
    if not calls:
        yield {"role": "assistant", "content": ""}
        for word in ANSWER.split(" "):
            yield {"content": f"{word} "}
        return
    yield {"role": "assistant", "content": None}
    for index, call in enumerate(_message(calls=True)["tool_calls"]):
        yield {"tool_calls": [{"index": index, **call}]}


def _body(kind: str, choice: dict[str, Any] | None, usage: dict[str, int] | None) -> bytes:
    choices = [] if choice is None else [{"index": 0, **choice}]
    base = {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": MODEL}
    return json.dumps({**base, "choices": choices, "usage": usage}).encode()


def _whole(*, calls: bool) -> bytes:
    finish = "tool_calls" if calls else "stop"
    choice = {"message": _message(calls=calls), "finish_reason": finish, "logprobs": None}
    body = _body("chat.completion", choice, _USAGE)
    return _head("application/json", f"Content-Length: {len(body)}") + body


def _streamed(*, calls: bool) -> bytes:
    kind = "chat.completion.chunk"
    chunks = [
        _body(kind, {"delta": delta, "finish_reason": None}, None) for delta in _deltas(calls=calls)
    ]
    finish = "tool_calls" if calls else "stop"
    chunks += [_body(kind, {"delta": {}, "finish_reason": finish}, None), _body(kind, None, _USAGE)]
    frames = [b"data: " + chunk + b"\n\n" for chunk in (*chunks, b"[DONE]")]
    pieces = b"".join(f"{len(frame):x}\r\n".encode() + frame + b"\r\n" for frame in frames)
    return _head("text/event-stream", "Transfer-Encoding: chunked") + pieces + b"0\r\n\r\n"


def _head(kind: str, length: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{length}\r\n\r\n".encode()


_REPLIES = {
    (stream, calls): (_streamed if stream else _whole)(calls=calls)
    for stream in (False, True)
    for calls in (False, True)
}


def _reply(body: bytes) -> bytes:
    asked = json.loads(body)
    calls = bool(asked.get("tools")) and asked["messages"][-1]["role"] == "user"
    return _REPLIES[bool(asked.get("stream")), calls]


class _Connection(asyncio.Protocol):
    """One client; its requests come one after the other."""

    def __init__(self) -> None:
        self._arrived = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    @override
    def data_received(self, data: bytes) -> None:
        self._arrived += data
        head, end, body = self._arrived.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        if len(body) >= length:
            self._arrived = body[length:]
            self._transport.write(_reply(body[:length]))


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve())
