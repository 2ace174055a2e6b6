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

from eventstore.errors.base import (
    ConversationStoreError,
)
from eventstore.errors.log import (
    BrokenChain,
    KeyUnavailable,
    UndecodableEvent,
    UnknownEventType,
)
from eventstore.errors.not_found import (
    AssistantNotFound,
    MessageNotFound,
    MomentNotFound,
    NotFound,
    RunNotFound,
    StreamNotFound,
    SubjectNotFound,
    TenantNotFound,
    ThreadNotFound,
)
from eventstore.errors.requests import (
    IdempotencyConflict,
    InvalidInput,
    Refused,
    WrongExpectedHead,
    WrongExpectedVersion,
)
from eventstore.errors.running import (
    EngineClosed,
    LeaseLost,
    ModelError,
    ToolError,
    WaitTimedOut,
)
from eventstore.errors.store import (
    OutcomeUnknown,
    SchemaTooNew,
    StoreBusy,
    StoreClosed,
    StoreUnavailable,
)

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
