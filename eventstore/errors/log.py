"""Errors of what the log holds: bytes that do not decode, a broken chain, a key that is gone."""

from __future__ import annotations

from eventstore.errors.base import ConversationStoreError

__all__ = ["BrokenChain", "KeyUnavailable", "UndecodableEvent", "UnknownEventType"]


class UndecodableEvent(ConversationStoreError):
    """Stored bytes of an event do not decode. Events are never skipped."""

    def __init__(self, stream_id: str, version: int, event_type: str, problem: str) -> None:
        super().__init__(
            f"event {version} of {stream_id} ({event_type}) does not decode: {problem}. "
            "Open the store with the version of the library that wrote the event. If that fails "
            "too, run the verifier in docs/format.md or restore a backup."
        )
        self.stream_id = stream_id
        self.version = version
        self.event_type = event_type
        self.problem = problem


class UnknownEventType(UndecodableEvent):
    """This version of the library does not know an event's type or its schema version."""


class BrokenChain(ConversationStoreError):
    """The hash chain of a stream does not hold at one event."""

    def __init__(self, stream_id: str, version: int, problem: str) -> None:
        super().__init__(
            f"the hash chain of {stream_id} breaks at version {version}: {problem}. "
            "Compare the database with a backup, or with a copy of a hash that you kept elsewhere."
        )
        self.stream_id = stream_id
        self.version = version
        self.problem = problem


class KeyUnavailable(ConversationStoreError):
    """Content is sealed and its key is gone or cannot be reached."""

    def __init__(self, subject: str, problem: str) -> None:
        super().__init__(f"the key for {subject} is not available: {problem}.")
        self.subject = subject
        self.problem = problem
