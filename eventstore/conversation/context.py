"""The list of messages that a model can be given, and the exact list that a step saw.

A model takes a message with tool calls only with the results of all its calls right behind it.
Together they are an exchange, which is shown or left out as a whole.

A step records head, thread version, path ranges and the ids that were left out: enough to rebuild
the list. The digest proves that the rebuilt list equals the one that the step saw. It covers ids,
revisions and contents in order, with the providers' own forms. Without its salt, nobody can test
guesses of the text against it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256

from eventstore.conversation.parts import ToolCallPart, ToolResultPart
from eventstore.conversation.values import Message
from eventstore.core import codec

__all__ = ["context_digest", "left_out"]


def context_digest(salt: bytes, messages: Sequence[Message]) -> bytes:
    """Return a digest of 32 bytes over the contents of the messages, in order."""
    hasher = sha256(b"eventstore/context/1" + salt)
    for message in messages:
        parts = [part.model_dump(exclude_none=True) for part in message.content]
        seen = [message.id, message.revision, message.role, parts]
        if message.provider is not None:
            seen += [message.provider.format, message.provider.data]
        raw = codec.encode_canonical(seen)
        hasher.update(len(raw).to_bytes(8, "big") + raw)
    return hasher.digest()


def left_out(messages: Sequence[Message], skipped: Collection[str]) -> frozenset[str]:
    """Return the ids of messages that a context lacks: those skipped, with the rest of an exchange.

    An erasure breaks an exchange, too: nothing says any more which calls an erased message made or
    answered.
    """
    out = {message.id for message in messages if message.id in skipped}
    for exchange in _exchanges(messages):
        whole = _is_whole(exchange) and out.isdisjoint(message.id for message in exchange)
        out.update(() if whole else (message.id for message in exchange))
    return frozenset(out)


def _exchanges(messages: Sequence[Message]) -> list[list[Message]]:
    """Return each message with tool calls and the tool messages behind it; or those without one."""
    found: list[list[Message]] = []
    inside = False
    for message in messages:
        calls = any(isinstance(part, ToolCallPart) for part in message.content)
        if calls or (message.role == "tool" and not inside):
            found.append([message])
        elif message.role == "tool":
            found[-1].append(message)
        inside = calls or message.role == "tool"
    return found


def _is_whole(exchange: Sequence[Message]) -> bool:
    """Return whether the first message makes calls, and the others answer each of them once."""
    first, *others = exchange
    calls = [part.id for part in first.content if isinstance(part, ToolCallPart)]
    parts = [part for message in others for part in message.content]
    answers = [part.call_id for part in parts if isinstance(part, ToolResultPart)]
    return bool(calls) and sorted(calls) == sorted(answers)
