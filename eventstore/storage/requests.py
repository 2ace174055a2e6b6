"""What is asked of the log, what comes of it, and who decides: the words of :mod:`append`.

A caller's write is an :class:`AppendRequest`. Each category of streams has a :class:`Deciding`,
which gives each stream a :class:`Decider` for the length of one transaction; the rooms above bring
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from eventstore.core import expectations
from eventstore.core.catalogue import Catalogue
from eventstore.core.codec import ContentCodec
from eventstore.core.events import Decided, Event, Position, StreamKey
from eventstore.core.expectations import Expectation
from eventstore.core.json_values import Limits
from eventstore.core.sources import Sources
from eventstore.errors import ConversationStoreError
from eventstore.storage.transaction import Transaction

__all__ = [
    "AppendRequest",
    "Appended",
    "Decider",
    "Deciding",
    "Failed",
    "Log",
    "Outcome",
    "Postponed",
]


class AppendRequest(msgspec.Struct, frozen=True, gc=False):
    """One caller's write: commands to one stream, all or nothing."""

    stream: StreamKey
    commands: Sequence[Any]
    """What the category's :class:`Deciding` understands; decided one after another."""
    expected: Expectation = expectations.ANY
    key: str | None = None
    """Idempotency key."""
    digested: bytes = b""
    """What must be equal for a repeated key; see :func:`_digest`."""
    metadata: bytes | None = None
    actor: str | None = None
    subject: bytes | None = None
    options: Any = None
    """Whatever else the category's decider wants to know, for example an expected head."""


class Appended(msgspec.Struct, frozen=True, gc=False):
    """A request that was taken."""

    result: Any
    version: int
    positions: tuple[Position, ...]
    """Empty for a repeat: nothing was added."""


class Failed(NamedTuple):
    """A request that was turned away; nothing of it was written.

    The garbage collector has to know of it: the error's traceback comes to hold it in turn.
    """

    error: ConversationStoreError


class Postponed(NamedTuple):
    """A request that was not looked at: another transaction has the head of this stream."""

    stream: StreamKey


Outcome: TypeAlias = Appended | Failed


class Decider(Protocol):
    """Decides and projects the requests to one stream, within one transaction."""

    def check(self, request: AppendRequest) -> None:
        """Hold the request's own guards, once, before its first command is decided."""

    def decide(self, request: AppendRequest, command: Any) -> Sequence[Decided]:  # noqa: ANN401
        """Return the events a command leads to, or raise a refusal."""

    def evolve(self, event: Event) -> None:
        """Fold one event into what later commands of the batch will see."""

    def result(self, command: Any, events: Sequence[Event]) -> Any:  # noqa: ANN401
        """Return what the caller gets for a command."""

    def repeated(self, request: AppendRequest, command: Any, first: int, last: int) -> Any:  # noqa: ANN401
        """Return what the caller got when the command wrote the versions first..last.

        Raises:
            IdempotencyConflict: it was another command that did.
        """

    def mark(self) -> Any:  # noqa: ANN401
        """Remember what was folded so far."""

    def back_to(self, mark: Any) -> None:  # noqa: ANN401
        """Forget what was folded since a mark."""

    def summary(self) -> bytes | None:
        """Return what is kept beside the stream's head, and so costs no row of its own."""


class Deciding(Protocol):
    """The streams of one category, within one transaction."""

    looks_elsewhere: frozenset[type[Any]]
    """Commands whose deciding reads other streams, or the log itself."""

    def looks_at(self, request: AppendRequest) -> Iterable[StreamKey]:
        """Return the other streams that must not move while the request is decided."""

    def decider(self, stream: StreamKey) -> Decider:
        """Return who decides for a stream: the same for every request of the batch."""

    def write(self) -> None:
        """Write the changed rows of the whole batch."""


class Log(NamedTuple):
    """What a store's log is made of."""

    sources: Sources
    limits: Limits
    content_codec: ContentCodec
    catalogues: Mapping[str, Catalogue]
    """By category; categories without one hold the application's own events."""
    decidings: Mapping[str, Callable[[Transaction, Log], Deciding]]
    """By category; ``""`` is for the application's own."""
