"""The methods by which the schedules use an event store.

A ``StoreUnderTest`` is only a description, an address for example. Where the schedule has processes
it is pickled into them, and each process connects for itself; so its class then stands in a module
that can be imported, not in the program that is started. Most stores need less than all of this:
:class:`~eventstore.testing.schedules.adapter.EventStoreAdapter` asks for three methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

__all__ = [
    "Append",
    "Connected",
    "Delivered",
    "Ending",
    "LostConnection",
    "NotWritten",
    "Reader",
    "StoreUnderTest",
    "Transaction",
    "Writer",
]


class LostConnection(Exception):
    """The connection is lost, and the outcome of a write unknown. The schedule opens another."""


class NotWritten(Exception):
    """The store refused a transaction and wrote nothing of it. The schedule goes on."""


class Ending(StrEnum):
    """The ways in which a transaction ends."""

    COMMIT = "commit"
    ROLLBACK = "rollback"
    KILLED = "killed"
    """The server ends the connection after the events were inserted, before the commit."""
    UNHEARD = "unheard"
    """The client sends its commit and goes away without waiting for the answer."""


@dataclass(frozen=True, slots=True)
class Append:
    """Events for one stream, in order."""

    stream: str
    """The name of the stream."""
    event_ids: tuple[str, ...]
    """A name for each event; no two are the same."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """Appends to different streams, all or none."""

    id: str
    """The same for no other, in this schedule: an idempotency key."""
    appends: tuple[Append, ...]
    """One for each stream that it appends to."""
    writes_first: bool = False
    """Write something else before anything is locked: its transaction id is then older than that
    of others who come to the stream first."""
    ending: Ending = Ending.COMMIT
    """The way it must end."""
    keyed: bool = True
    """May be sent again while its outcome is unknown, if the store knows it by its id then."""

    @property
    def event_ids(self) -> tuple[str, ...]:
        """The names of all events, in order."""
        return tuple(name for append in self.appends for name in append.event_ids)


class Delivered(NamedTuple):
    """One event as a reader receives it."""

    cursor: Any
    """Where it stands in the order of the store: the next page begins after it."""
    stream: str
    """The name of its stream."""
    version: int
    """Its number within the stream, from 1."""
    event_id: str
    """The name that the writer gave it."""


class Writer(Protocol):
    """A connection that writes; it belongs to one thread."""

    def write(self, transaction: Transaction) -> None:
        """Do as the transaction says.

        To return is to acknowledge, if it was to be committed.

        Args:
            transaction: what to append, and how to end.

        Raises:
            LostConnection: the outcome is unknown, or was to be unknown.
            NotWritten: the store refused it, and nothing was written.
        """


class Reader(Protocol):
    """A connection that reads everything; it belongs to one thread."""

    def read_after(self, cursor: object, limit: int) -> Sequence[Delivered]:
        """Return the next events in the order of the store; none if there are none yet.

        Args:
            cursor: of the last event that this reader received; None at the beginning.
            limit: how many events to return at most.

        Raises:
            LostConnection: the same cursor will be asked for again.
        """


class Connected(Protocol):
    """A store as one process has it open."""

    def writer(self) -> AbstractContextManager[Writer]:
        """Open a connection for one writer."""

    def reader(self) -> AbstractContextManager[Reader]:
        """Open a connection for one reader."""

    def subscriber(self) -> AbstractContextManager[Reader]:
        """Open a reader that the store tells of events; it is given its own last cursor."""


class StoreUnderTest(Protocol):
    """A description of a store; it can be pickled."""

    @property
    def several_streams(self) -> bool:
        """Whether one transaction can append to several streams, or do something else as well."""

    @property
    def endings(self) -> Sequence[Ending]:
        """Which endings its transactions can be given."""

    def prepare(self, streams: int) -> Sequence[str]:
        """Make what has to be there before the first writer; return the names of the streams.

        Args:
            streams: how many streams there are to be.
        """

    def connect(self) -> AbstractContextManager[Connected]:
        """Open it in this process."""
