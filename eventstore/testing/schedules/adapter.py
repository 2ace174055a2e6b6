"""The adapter with the fewest methods that runs an event store through the schedules.

::

    class MyStore(EventStoreAdapter[sqlite3.Connection]):
        def open(self): ...                                   # a connection for one thread
        def append(self, connection, stream, event_ids): ...  # one transaction
        def read(self, connection, after, limit): ...         # what comes after a cursor

    report = run(Schedule(appends=500), MyStore())
    assert report.ok, str(report)

A store whose transactions append to several streams, or are rolled back or killed on purpose,
implements ``protocol.StoreUnderTest`` instead.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from typing import Any, ClassVar, Final, Generic, TypeVar

from eventstore.testing.schedules.pausing import Pausing
from eventstore.testing.schedules.protocol import (
    Delivered,
    Ending,
    LostConnection,
    NotWritten,
    Transaction,
)

__all__ = ["EventStoreAdapter"]

C = TypeVar("C")


class EventStoreAdapter(ABC, Generic[C]):
    """An event store under test: subclass it and say how to open, append and read.

    ``C`` is the type that :meth:`open` returns.
    """

    several_streams: ClassVar[bool] = False
    """Every append is to one stream."""
    endings: ClassVar[Sequence[Ending]] = (Ending.COMMIT,)
    """Every append is to be committed."""

    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors by which :meth:`append` says that it wrote nothing, or :meth:`read` that it cannot
    read just now. The schedule counts them and goes on; any other error ends it."""

    def create(self) -> None:
        """Make the tables, or anything else that must exist before the first write."""

    @abstractmethod
    def open(self) -> C:
        """Return a connection. It is used by one thread, and closed if it has a ``close()``."""

    @abstractmethod
    def append(self, connection: C, stream: str, event_ids: Sequence[str]) -> None:
        """Append events to a stream, all of them or none.

        To return is to acknowledge: from then on no event may be lost.

        Args:
            connection: what :meth:`open` returned in this thread.
            stream: the name of the stream, one of a few.
            event_ids: a name for each event, which :meth:`read` gives back; no two are the same.
        """

    @abstractmethod
    def read(self, connection: C, after: Any, limit: int) -> Iterable[Delivered]:  # noqa: ANN401 (the store's own)
        """Return the next events of all streams, in the order of the store.

        Args:
            connection: what :meth:`open` returned in this thread.
            after: the cursor of the last event that this reader was given; None at the beginning.
            limit: how many events to return at most.
        """

    # -- methods that the schedules call ---------------------------------------------------------

    def prepare(self, streams: int) -> Sequence[str]:
        """Create the store; return the names of its streams.

        Args:
            streams: how many streams there are to be.
        """
        self.create()
        return [f"stream-{number}" for number in range(1, streams + 1)]

    @contextmanager
    def connect(self) -> Iterator[_Connected[C]]:
        """Open nothing yet: each reader and each writer opens its own connection."""
        yield _Connected(self)


class _Connected(Generic[C]):
    def __init__(self, store: EventStoreAdapter[C]) -> None:
        self._store = store
        self._numbers = count()

    @contextmanager
    def writer(self) -> Iterator[_Connection[C]]:
        try:
            connection = self._store.open()
        except self._store.refusals as error:
            raise LostConnection from error
        with closing(connection) if hasattr(connection, "close") else _nothing():
            yield _Connection(self._store, connection, Pausing(next(self._numbers)))

    reader = subscriber = writer


@contextmanager
def _nothing() -> Iterator[None]:
    yield


class _Connection(Generic[C]):
    def __init__(self, store: EventStoreAdapter[C], connection: C, pausing: Pausing) -> None:
        self._store = store
        self._connection: Final = connection
        self._pausing = pausing

    def write(self, transaction: Transaction) -> None:
        [append] = transaction.appends
        try:
            self._pausing.call(
                lambda: self._store.append(self._connection, append.stream, append.event_ids)
            )
        except self._store.refusals as error:
            raise NotWritten from error

    def read_after(self, cursor: object, limit: int) -> Sequence[Delivered]:
        try:
            return list(self._store.read(self._connection, cursor, limit))
        except self._store.refusals as error:
            raise LostConnection from error
