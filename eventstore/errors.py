"""Every error this library raises, in one tree.

::

    ConversationStoreError
    ├── InvalidInput             a value is malformed: names the field and a remedy
    ├── Refused                  well formed, but a rule forbids it: a reason code, a remedy
    ├── WrongExpectedVersion     the stream is not at the version the writer believed
    ├── WrongExpectedHead        the thread's head is not the message the writer believed
    ├── IdempotencyConflict      the key was used before, with another command
    ├── NotFound
    │   ├── ThreadNotFound
    │   ├── MessageNotFound
    │   ├── RunNotFound
    │   ├── AssistantNotFound
    │   ├── StreamNotFound
    │   ├── SubjectNotFound
    │   ├── MomentNotFound       a thread did not exist yet, or has not come so far
    │   └── TenantNotFound
    ├── UndecodableEvent         stored bytes do not decode: corruption, or a newer writer
    │   └── UnknownEventType     no such type is registered
    ├── BrokenChain              the hash chain of a stream does not hold
    ├── LeaseLost                another holder took over
    ├── WaitTimedOut             a run did not end in the time given; it goes on
    ├── ModelError               a model could not be asked, or broke off: a code
    ├── ToolError                a tool cannot be used here: a code
    ├── StoreBusy                nothing was written: try again
    ├── OutcomeUnknown           it may have been written: repeat it with the same idempotency key
    ├── StoreUnavailable         the database cannot be used as it is: a reason code
    │   └── SchemaTooNew         a newer version of this library made it
    ├── KeyUnavailable           content is sealed and its key is not available
    ├── StoreClosed              the store was closed
    └── EngineClosed             the engine was closed: its runs wait for another one

Each error keeps its facts as attributes, and none of them ever holds the text of a message. Errors
of database drivers are translated in ``storage/sqlite_failures.py`` and
``storage/postgres_failures.py``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

__all__ = [
    "AssistantNotFound",
    "BrokenChain",
    "ConversationStoreError",
    "EngineClosed",
    "IdempotencyConflict",
    "InvalidInput",
    "KeyUnavailable",
    "LeaseLost",
    "MessageNotFound",
    "ModelError",
    "MomentNotFound",
    "NotFound",
    "OutcomeUnknown",
    "Refused",
    "RunNotFound",
    "SchemaTooNew",
    "StoreBusy",
    "StoreClosed",
    "StoreUnavailable",
    "StreamNotFound",
    "SubjectNotFound",
    "TenantNotFound",
    "ThreadNotFound",
    "ToolError",
    "UndecodableEvent",
    "UnknownEventType",
    "WaitTimedOut",
    "WrongExpectedHead",
    "WrongExpectedVersion",
]


def _revived(
    kind: type[ConversationStoreError], args: tuple[Any, ...], facts: dict[str, Any]
) -> ConversationStoreError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class ConversationStoreError(Exception):
    """Base of every error that this library raises on purpose. Pickling keeps its attributes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _revived, (type(self), self.args, self.__dict__)


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


class NotFound(ConversationStoreError, LookupError):
    """No such object in this tenant."""

    kind = "object"

    def __init__(
        self, object_id: str | None, within: str | None = None, described: str = ""
    ) -> None:
        """``described`` names the object if it has no id; it never holds a user's words."""
        place = f" in {within}" if within else ""
        wanted = described if object_id is None else repr(object_id)
        doubtful = "the spelling" if object_id is None else "the id"
        super().__init__(f"no {self.kind} {wanted}{place}. Check {doubtful} and the tenant.")
        self.id = object_id
        self.within = within


class ThreadNotFound(NotFound):
    """No such thread in this tenant."""

    kind = "thread"


class MessageNotFound(NotFound):
    """No such message in this thread."""

    kind = "message"


class RunNotFound(NotFound):
    """No such run in this thread."""

    kind = "run"


class AssistantNotFound(NotFound):
    """No such assistant in this tenant."""

    kind = "assistant"


class StreamNotFound(NotFound):
    """No such stream in this tenant."""

    kind = "stream"


class SubjectNotFound(NotFound):
    """Nothing was written in the name of this person (``subject=``) in this tenant."""

    kind = "subject"

    def __init__(self, subject_id: str) -> None:
        """The id follows from the name: the name itself stands in no error."""
        super().__init__(subject_id)
        said = f"nothing was written in the name of this person ({subject_id})"
        self.args: tuple[Any, ...] = (
            f"{said}. Give name and tenant exactly as writes with subject= did.",
        )


class MomentNotFound(NotFound):
    """A thread has no such moment: it did not exist yet, or it has not come so far.

    ``reason`` is ``"not_yet_begun"`` or ``"not_yet_recorded"``.
    """

    kind = "moment"

    def __init__(self, thread_id: str, reason: str, began_at: datetime, last_version: int) -> None:
        super().__init__(thread_id)
        if reason == "not_yet_begun":
            began = began_at.isoformat()
            said = f"did not exist yet: it began at {began}. Give that time, version 1, or later"
        else:
            said = f"has not come so far: it is at version {last_version}. Give 1 to {last_version}"
        self.args: tuple[Any, ...] = (f"{thread_id} {said}.",)
        self.reason = reason
        self.began_at = began_at
        self.last_version = last_version


class TenantNotFound(NotFound):
    """No tenant of this name ever wrote into this store."""

    kind = "tenant"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.args: tuple[Any, ...] = (
            f"no tenant {name!r} ever wrote into this store. Look at tenants.list().",
        )


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


class LeaseLost(ConversationStoreError):
    """The lease on a run or a projection was freed, or went to another worker.

    Nothing was written.
    """

    def __init__(self, name: str, holder: str | None, remedy: str = "Stop this worker.") -> None:
        held = "was freed or taken over" if holder is None else f"is held by {holder!r} now"
        super().__init__(f"the lease on {name} {held}. {remedy}")
        self.name = name
        self.holder = holder


class ModelError(ConversationStoreError):
    """A model could not be asked, or its answer broke off.

    ``code`` is one of ``"invalid_api_key"``, ``"permission_denied"``, ``"model_not_found"``,
    ``"unknown_model"``, ``"rate_limit_exceeded"``, ``"server_error"``, ``"unreachable"``,
    ``"timeout"``, ``"stream_broken"``, ``"context_length_exceeded"``, ``"unsupported_content"``,
    ``"bad_request"``, ``"bad_response"``, ``"script_ended"``, ``"missing_dependency"``. The words
    of a provider are never part of it, as they may repeat a message or a key.
    """

    def __init__(
        self,
        code: str,
        problem: str,
        remedy: str,
        *,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        """``retryable``: the same request may succeed later, as after an overload."""
        super().__init__(f"{problem}. {remedy}")
        self.code = code
        self.problem = problem
        self.remedy = remedy
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


class WaitTimedOut(ConversationStoreError, TimeoutError):
    """A run neither ended nor asked for tool outputs in the time given. It goes on."""

    def __init__(self, run_id: str, status: str, seconds: float) -> None:
        super().__init__(
            f"{run_id} was still {status} after {seconds:g} seconds. It goes on: wait longer, or"
            " cancel it with runs.cancel()."
        )
        self.run_id = run_id
        self.status = status
        self.seconds = seconds


class ToolError(ConversationStoreError):
    """A tool cannot be used as it was asked for. A call that fails is a result, not this.

    ``code`` is one of ``"missing_dependency"``, ``"no_sandbox"``, ``"closed"``,
    ``"credentials_missing"``, ``"bad_description"``.
    """

    def __init__(self, code: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.code = code
        self.problem = problem
        self.remedy = remedy


class StoreBusy(ConversationStoreError):
    """The database or the queue of writes stayed busy for too long. **Nothing** was written."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem}. Nothing was written. Try again.")
        self.problem = problem


class OutcomeUnknown(ConversationStoreError):
    """The database failed while committing: the write **may** have happened."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem}. The write may have been committed. Send it again with the same "
            "idempotency key, or read the thread to find out."
        )
        self.problem = problem


class StoreUnavailable(ConversationStoreError):
    """The database cannot be used as it is. Nothing was written.

    ``reason`` is one of ``"not_a_database"``, ``"read_only"``, ``"disk_full"``, ``"cannot_open"``,
    ``"io_error"``, ``"corrupt"``, ``"not_migrated"``, ``"names_taken"``, ``"schema_too_new"``,
    ``"unsafe_settings"``, ``"constraint"``, ``"forked"``, ``"restored"``, ``"driver"``; with a
    database server, also ``"connection_lost"``, ``"password"``, ``"authorization"``,
    ``"no_permission"``, ``"no_such_database"``, ``"no_such_schema"``, ``"transaction_failed"``,
    ``"encoding"``, ``"out_of_memory"``.
    """

    def __init__(self, reason: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.reason = reason
        self.problem = problem
        self.remedy = remedy


class SchemaTooNew(StoreUnavailable):
    """The database was made or migrated by a newer version of this library."""

    def __init__(self, found: str, known: str) -> None:
        super().__init__(
            "schema_too_new",
            f"the database has schema revision {found!r}, but this version of the library knows"
            f" only up to {known!r}",
            "Upgrade conversation-eventstore to the version that migrated the database.",
        )
        self.found = found
        self.known = known


class KeyUnavailable(ConversationStoreError):
    """Content is sealed and its key is gone or cannot be reached."""

    def __init__(self, subject: str, problem: str) -> None:
        super().__init__(f"the key for {subject} is not available: {problem}.")
        self.subject = subject
        self.problem = problem


class StoreClosed(ConversationStoreError):
    """The store was closed. Nothing was written."""

    def __init__(self) -> None:
        super().__init__("the store is closed. Open it again with open().")


class EngineClosed(ConversationStoreError):
    """The engine was closed. What it recorded stands, and runs that have not ended wait."""

    def __init__(self) -> None:
        super().__init__("the engine is closed. Make another one to go on with the run.")
