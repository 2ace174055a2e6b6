"""The exact list of messages that a step of a run saw, as a salted digest.

A step records head, thread version, path ranges and the ids that were left out: enough to rebuild
the list. The digest proves that the rebuilt list equals the one that the step saw. It covers ids,
revisions and contents in order, with the providers' own forms. Without its salt, nobody can test
guesses of the text against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from eventstore.conversation.values import Message
from eventstore.core import codec

__all__ = ["context_digest"]


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
