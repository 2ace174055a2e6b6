"""The exact list of messages that a step of a run saw, as a salted digest.

A step records head, thread version, path ranges and the ids that were left out, which is enough to
rebuild the list; the digest proves that the rebuilt list is the one that was seen. It covers ids,
revisions and contents in order, and its salt keeps anybody from testing guesses of the text against
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from eventstore.conversation.values import Message
from eventstore.core import codec

__all__ = ["context_digest"]


def context_digest(salt: bytes, messages: Sequence[Message]) -> bytes:
    """Return 32 bytes over what the messages say, in order."""
    hasher = sha256(b"eventstore/context/1" + salt)
    for message in messages:
        parts = [part.model_dump(exclude_none=True) for part in message.content]
        raw = codec.encode_canonical([message.id, message.revision, message.role, parts])
        hasher.update(len(raw).to_bytes(8, "big") + raw)
    return hasher.digest()
