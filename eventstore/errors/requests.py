"""Errors of a request: malformed, forbidden by a rule, or decided on an older state."""

from __future__ import annotations

from eventstore.errors.base import ConversationStoreError

__all__ = [
    "IdempotencyConflict",
    "InvalidInput",
    "Refused",
    "WrongExpectedHead",
    "WrongExpectedVersion",
]


class InvalidInput(ConversationStoreError, ValueError):
    """A value given by the caller is malformed. Nothing was written."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}. {remedy}")
        self.field = field
        self.problem = problem
        self.remedy = remedy


class Refused(ConversationStoreError):
    """A rule of the domain forbids a well-formed command. Nothing was written.

    ``reason`` is a stable code for programs, such as ``"thread_busy"``; ``remedy`` says what to do.
    """

    def __init__(self, reason: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.reason = reason
        self.problem = problem
        self.remedy = remedy


class WrongExpectedVersion(ConversationStoreError):
    """The stream is at another version than the writer believed. Nothing was written."""

    def __init__(self, stream_id: str, expected: int | str, actual: int) -> None:
        wanted = {"no_stream": "it was expected not to exist", "stream_exists": "it must exist"}
        believed = wanted.get(str(expected), f"version {expected} was expected")
        super().__init__(
            f"{stream_id} is at version {actual}, but {believed}. "
            "Read it again, decide again, and append with the version you find."
        )
        self.stream_id = stream_id
        self.expected = expected
        self.actual = actual


class WrongExpectedHead(ConversationStoreError):
    """Another writer added to the thread, or selected another branch, since the writer read it."""

    def __init__(self, thread_id: str, expected: str | None, actual: str | None) -> None:
        """None stands for no head: the thread is empty."""
        if actual is None:
            problem = f"{thread_id} is empty, but its head was expected to be {expected}"
        else:
            wanted = "an empty thread" if expected is None else expected
            problem = f"the head of {thread_id} is {actual}, but {wanted} was expected"
        remedy = "List the thread again and decide whether the write still makes sense."
        super().__init__(f"{problem}. {remedy}")
        self.thread_id = thread_id
        self.expected = expected
        self.actual = actual


class IdempotencyConflict(ConversationStoreError):
    """The idempotency key was used before in this stream, with another command."""

    def __init__(self, stream_id: str, key: str) -> None:
        super().__init__(
            f"the idempotency key was already used in {stream_id} for a different command. "
            "Repeat that command unchanged, or use a new key for this one."
        )
        self.stream_id = stream_id
        self.key = key
