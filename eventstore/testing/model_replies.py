"""The answers of a model server, written down beforehand; see ``testing.model_server``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

__all__ = ["Chunk", "Reply", "calls", "chunk", "refuses", "says"]

Chunk: TypeAlias = dict[str, Any]
"""One event of a streamed answer."""


@dataclass(frozen=True)
class Reply:
    """One answer of the server."""

    status: int = 200
    """Status of HTTP."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """More headers."""
    error: Mapping[str, Any] | None = None
    """Body of an answer that is no stream."""
    frames: tuple[Chunk | bytes, ...] = ()
    """Data of each event; bytes are sent as they are, so that they may be half a document."""
    end: Literal["done", "cut", "silence"] = "done"
    """``"cut"`` closes the connection in the middle; ``"silence"`` keeps it open without a word."""

    pause_seconds: float = 0.0
    """Seconds between two events."""

    def ending(self, end: Literal["done", "cut", "silence"], after: int | None = None) -> Reply:
        """Return the same answer with another end, after so many of its events."""
        return replace(self, frames=self.frames[:after], end=end)

    def with_pauses(self, seconds: float) -> Reply:
        """Return the same answer, sent more slowly."""
        return replace(self, pause_seconds=seconds)


def chunk(
    delta: Mapping[str, Any] | None = None,
    *,
    finish: str | None = None,
    usage: tuple[int, int] | None = None,
) -> Chunk:
    """Return one chunk of a chat completion."""
    made: Chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "scripted",
        "choices": [{"index": 0, "delta": dict(delta or {}), "finish_reason": finish}],
    }
    if usage is not None:
        read, written = usage
        total = read + written
        counts = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": total}
        made |= {"choices": [], "usage": counts}
    return made


def says(
    text: str,
    *,
    finish: str = "stop",
    usage: tuple[int, int] | None = (7, 5),
    deltas: Sequence[Mapping[str, Any]] = (),
) -> Reply:
    """Return an answer in text, streamed word by word, behind other deltas."""
    words = text.split(" ")
    pieces = [f"{word} " for word in words[:-1]] + words[-1:]
    return _whole(
        [*deltas, *({"content": piece} for piece in pieces if piece)], finish=finish, usage=usage
    )


def calls(
    *wanted: tuple[str, str, str], text: str = "", usage: tuple[int, int] | None = (9, 4)
) -> Reply:
    """Return an answer that asks for tools: id, name and arguments of each call.

    Arguments come in two pieces, as services send them.
    """
    deltas: list[Mapping[str, Any]] = [{"content": text}] if text else []
    for index, (id_, name, arguments) in enumerate(wanted):
        half = len(arguments) // 2
        begun = {"name": name, "arguments": arguments[:half]}
        rest = {"index": index, "function": {"arguments": arguments[half:]}}
        deltas += [
            {"tool_calls": [{"index": index, "id": id_, "type": "function", "function": begun}]},
            {"tool_calls": [rest]},
        ]
    return _whole(deltas, finish="tool_calls", usage=usage)


def refuses(
    status: int,
    *,
    code: str | None = None,
    message: str = "words of the provider",
    retry_after: float | str | None = None,
) -> Reply:
    """Return an answer with an error status."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    error = {"message": message, "type": "error", "param": None, "code": code}
    return Reply(status, headers, {"error": error})


def _whole(
    deltas: Iterable[Mapping[str, Any]], *, finish: str, usage: tuple[int, int] | None
) -> Reply:
    chunks = [chunk({"role": "assistant", "content": ""}), *map(chunk, deltas)]
    chunks.append(chunk(finish=finish))
    if usage is not None:
        chunks.append(chunk(usage=usage))
    return Reply(frames=tuple(chunks))
