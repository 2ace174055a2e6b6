"""Requests to append, their outcomes, and the handlers of categories: the types of :mod:`append`.

A caller's write is an :class:`AppendRequest`. Each category of streams has a
:class:`CategoryHandler`, which gives each stream a :class:`StreamSession` for one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeAlias

import msgspec
from typing_extensions import TypeVar  # with a default; in typing from 3.13 on

from eventstore.conversation.commands import Command
from eventstore.core import expectations
from eventstore.core.events import Decided, Event, Position, StreamKey
from eventstore.core.expectations import Expectation
from eventstore.errors import ConversationStoreError
from eventstore.storage.transaction import Transaction

__all__ = [
    "AppendRequest",
    "Appended",
    "CategoryHandler",
    "Failed",
    "Maintenance",
    "NewId",
    "Outcome",
    "Request",
    "StreamSession",
    "is_brief",
]

C_contra = TypeVar("C_contra", contravariant=True)
"""A command of the category."""
C_co = TypeVar("C_co", covariant=True, default=Any)
"""The commands of a request."""
O_co = TypeVar("O_co", covariant=True, default=Any)
"""The options of its category."""
S = TypeVar("S")
"""A savepoint."""
T = TypeVar("T", default=Any)
"""The value that a caller gets."""
R = TypeVar("R")

NewId: TypeAlias = Callable[[], bytes]
"""Returns a fresh id of the batch's time."""


class AppendRequest(msgspec.Struct, Generic[C_co, O_co], frozen=True, gc=False):
    """One caller's write: commands to one stream, all or nothing."""

    stream: StreamKey
    commands: Sequence[C_co]
    """Commands for the category's :class:`CategoryHandler`, decided one after another."""
    expected: Expectation = expectations.ANY
    key: str | None = None
    """Idempotency key."""
    digested: bytes = b""
    """Bytes that must be equal for a repeated key; see ``storage.idempotency``."""
    metadata: bytes | None = None
    actor: str | None = None
    subject: bytes | None = None
    options: O_co | None = None
    """Further values for the category's session, for example an expected head."""
    fresh: Sequence[tuple[str, bytes]] = ()
    """Ids that were made for its commands, each with its prefix: nothing else has them."""


class Maintenance(NamedTuple, Generic[T]):
    """A function over the transaction, for the writer: work on tables, or on several streams.

    If it appends, it returns an ``Appended``.
    """

    act: Callable[[Transaction], T | Appended[T]]
    """Returns the caller's result; or an ``Appended``, if it appended events."""
    keeps_rows: bool = False
    """True if it changes no row that the writer may have kept from an earlier transaction."""
    alone: bool = False
    """True if it is performed alone where it and appends would otherwise wait for each other."""
    stream: StreamKey | None = None
    """The stream that it appends to, if it does, for ``on_append``."""


Request: TypeAlias = AppendRequest | Maintenance
"""One unit of work for the writer."""


_BRIEF_MAX: Final = 8
"""Most commands of a request that an event loop performs; a run is created and claimed with 3."""


def is_brief(request: Request) -> bool:
    """Return whether a request is a few commands whose work is that of appends."""
    if isinstance(request, Maintenance) or len(request.commands) > _BRIEF_MAX:
        return False
    for one in request.commands:  # noqa: SIM110 (every task's write is asked about twice)
        if not (isinstance(one, Command) and one.brief):
            return False
    return True


class Appended(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """An accepted request."""

    result: T
    version: int
    positions: tuple[Position, ...]
    """Empty for a repeat: nothing was appended."""
    wakes_readers: bool = False
    """True without events, if readers wait for what was written beside the log."""

    def with_result(self, result: R) -> Appended[R]:
        """Return the same with another result."""
        return Appended(result, self.version, self.positions, self.wakes_readers)


class Failed(NamedTuple):
    """A refused request; nothing of it was written.

    The garbage collector has to track it: the error's traceback comes to hold it in turn.
    """

    error: ConversationStoreError


Outcome: TypeAlias = Appended | Failed


class StreamSession(Protocol[C_contra, S]):
    """The requests to one stream within one transaction: their state, and what it decides."""

    def check(self, request: AppendRequest) -> None:
        """Check the request's own guards, once, before its first command is decided."""

    def decide(self, request: AppendRequest, command: C_contra) -> Sequence[Decided]:
        """Return the events a command leads to, or raise a refusal."""

    def evolve(self, event: Event) -> None:
        """Fold one event into the state for later commands of the batch."""

    def result(self, command: C_contra, events: Sequence[Event]) -> object:
        """Return the result of a command for the caller."""

    def repeated(self, request: AppendRequest, command: C_contra, first: int, last: int) -> object:
        """Return the result of a command that wrote the versions first..last earlier.

        Raises:
            IdempotencyConflict: it was another command that did.
        """

    def savepoint(self) -> S:
        """Return a mark of the events folded so far."""

    def rollback_to(self, savepoint: S) -> None:
        """Undo the events folded since a savepoint."""

    def summary(self) -> bytes | None:
        """Return bytes to store beside the stream's head, which cost no row of their own."""


class CategoryHandler(Protocol):
    """The streams of one category, within one transaction."""

    watching: frozenset[type[Any]]
    """Commands that need other streams, or the log itself, to be decided."""
    waking: frozenset[type[Any]]
    """Commands that write something beside the log that readers wait for."""

    def watched(self, request: AppendRequest) -> Iterable[StreamKey]:
        """Return the other streams that must not move while the request is decided."""

    def session(self, stream: StreamKey) -> StreamSession[Any, Any]:
        """Return the session of a stream: the same for every request until :meth:`write`."""

    def write(self) -> None:
        """Write the rows that the batch has changed so far."""
