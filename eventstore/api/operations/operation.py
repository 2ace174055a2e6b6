"""The results of operations, and how a command becomes a write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import (
    Any,
    Final,
    Generic,
    NamedTuple,
    TypeAlias,
    TypeVar,
    overload,
)

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from eventstore.api.operations.metrics import Metrics
from eventstore.api.operations.write_options import (
    NO_ERASURE_OPTIONS,
    NO_OPTIONS,
    NO_RETENTION_OPTIONS,
    AppendOptions,
    ErasureOptions,
    RetentionOptions,
    WriteOptions,
)
from eventstore.conversation import commands as c
from eventstore.core import codec, expectations, ids
from eventstore.core.events import StreamKey, made
from eventstore.core.json_values import NAME_MAX, check_name, check_text
from eventstore.errors import InvalidInput
from eventstore.execution.database import Left
from eventstore.read_models.catch_up.definition import Registry
from eventstore.storage.idempotency import digested_command
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Appended, AppendRequest, Maintenance
from eventstore.write_path.thread_session import Guards

__all__ = [
    "EMPTY",
    "NO_ERASURE_OPTIONS",
    "NO_OPTIONS",
    "NO_RETENTION_OPTIONS",
    "UNSET",
    "AppendOptions",
    "Collected",
    "ErasureOptions",
    "Maintenance",
    "Page",
    "PageActed",
    "PageDone",
    "Paged",
    "Read",
    "RetentionOptions",
    "Scope",
    "Wipe",
    "Write",
    "WriteOptions",
    "to_thread",
    "write",
]

T = TypeVar("T")

EMPTY: Final = "empty"
"""``expected_head`` of an empty thread: it has no message yet, or all are removed."""


class Scope(NamedTuple):
    """The values that a store, or one bound by ``acting`` or ``tenant``, adds to every call."""

    log: Log
    tenant: str = ""
    actor: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    registry: Registry = Registry()
    """The registered projections; ``open()`` gives each store its own registry."""
    metrics: Metrics = Metrics()
    """Counts the outcomes of writes; each store has its own."""
    looks: Any = None
    """The looks that followers of a store share; each store has its own."""

    @property
    def is_tenants(self) -> bool:
        """True if it is bound to one of several tenants, and must not learn of others.

        The store as it was opened, of the default tenant, is the application's: its queries may
        concern the whole store.
        """
        return self.tenant != ""

    def acting(self, *names: str | None) -> Scope:
        """Return a scope with an actor, correlation and causation; None leaves one as it is."""
        before = (self.actor, self.correlation_id, self.causation_id)
        fields = ("actor", "correlation_id", "causation_id")
        actor, correlation_id, causation_id = (
            old if name is None else check_text(name, field, NAME_MAX)
            for name, field, old in zip(names, fields, before, strict=True)
        )
        return self._replace(actor=actor, correlation_id=correlation_id, causation_id=causation_id)


_NOBODY: Final = (None, None, None)


class Wipe(NamedTuple, Generic[T]):
    """Wipes overwritten bytes from the files, outside of any transaction."""

    told: Callable[[Sequence[Left]], T]
    """Makes the result from the places that still hold some."""


class Write(msgspec.Struct, Generic[T], frozen=True):
    """A request to the writer, where to perform it, and what its caller gets."""

    request: AppendRequest | Maintenance[Any]
    connection: Any = None
    """The application's own open transaction, of the face's kind; None for one of the store's."""
    answer: Callable[[Appended], T] = attrgetter("result")
    """Makes the caller's value from the outcome."""


class Read(NamedTuple, Generic[T]):
    """A function to run on one snapshot."""

    look: Callable[[Transaction], T]
    snapshot: bool = True
    """False where one statement reads everything, and each may see the state of its own time:
    beginning and ending a transaction on PostgreSQL costs two more trips to the server."""
    brief: bool = False
    """True if it reads a few rows by key: an event loop may do that in its own thread."""


PageDone: TypeAlias = tuple[Iterable[T], Any]
"""The items of a page, and the next place; None at the end."""

PageActed: TypeAlias = Appended[PageDone[T]] | PageDone[T]
"""The same from a page that writes, with the events that it appended, if it did."""

Page: TypeAlias = Read[PageDone[T]] | Write[PageDone[T]] | Wipe[PageDone[T]]
"""Reads, or works on, one page."""


class Paged(NamedTuple, Generic[T]):
    """A read or a piece of work done a page at a time."""

    first: Any
    """The first place."""
    page: Callable[[Any], Page[T]]
    """Returns the items of a place and the next place, None at the end. Items may be made on
    demand, once the page was read."""
    ahead: bool = False
    """True if the next page may be read while the items of this one are consumed."""


class Collected(NamedTuple, Generic[T]):
    """A walk whose items become one report."""

    walk: Paged[Any]
    report: Callable[[list[Any]], T]


@overload
def write(
    scope: Scope, stream: StreamKey, commands: tuple[c.Command[T]], options: WriteOptions
) -> Write[T]: ...
@overload
def write(
    scope: Scope, stream: StreamKey, commands: Sequence[Any], options: WriteOptions
) -> Write[Any]: ...
def write(
    scope: Scope, stream: StreamKey, commands: Sequence[Any], options: WriteOptions
) -> Write[Any]:
    """Return the write of commands to a stream, all or nothing.

    Raises:
        InvalidInput: on an option.
    """
    if options == NO_OPTIONS and scope[2:5] == _NOBODY:  # the usual case
        return Write(AppendRequest(stream, commands))
    head, version, reason = options.expected_head, options.expected_version, options.reason
    expected = expectations.ANY if version is None else expectations.parse(version)
    key = _short(options.idempotency_key, "idempotency_key")
    guards = Guards(
        None if head is None else _believed_head(head),
        None if reason is None else check_text(reason, "reason"),
    )
    actor = _short(options.actor, "actor") or scope.actor
    subject = _short(options.subject, "subject")
    named = {
        "actor": actor,
        "correlation_id": scope.correlation_id,
        "causation_id": scope.causation_id,
    }
    metadata = {name: value for name, value in named.items() if value is not None}
    request = AppendRequest(
        stream,
        commands,
        expected,
        key,
        b"" if key is None else _digested(commands, [guards.expected_head, expected]),
        codec.encode(metadata) if metadata else None,
        actor,
        None if subject is None else ids.derived("subject", scope.tenant, subject),
        guards,
    )
    return Write(request, options.connection)


def _digested(commands: Sequence[Any], guards: Sequence[Any]) -> bytes:
    """Return the bytes that a repeat must equal; a run's next holder repeats with another fence."""
    unfenced = [
        replace(command, fence=None) if getattr(command, "fence", None) is not None else command
        for command in commands
    ]
    return digested_command(unfenced, guards)


def _believed_head(head: str) -> bytes:
    """Return the packed id of the expected head; empty for a thread without one."""
    if head == EMPTY:
        return b""
    try:
        return ids.parse(ids.MESSAGE, head, "expected_head")
    except InvalidInput as error:
        remedy = f"{error.remedy.removesuffix('.')}; EMPTY stands for an empty thread."
        raise InvalidInput(error.field, error.problem, remedy) from None


def _short(value: str | None, name: str) -> str | None:
    return None if value is None else check_name(value, name)


def to_thread(
    scope: Scope, thread_id: str, command: c.Command[T], options: WriteOptions
) -> Write[T]:
    """Return the write of one command to a thread."""
    thread = ids.parse(ids.THREAD, thread_id, "thread_id")
    return write(scope, made(StreamKey, (scope.tenant, ids.THREAD, thread)), (command,), options)
