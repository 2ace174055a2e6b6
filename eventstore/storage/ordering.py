"""The protocol that keeps the log in order while several writers append, one way for each database.

An append locks the heads of its streams, so that no other transaction moves them meanwhile; only
then it draws positions in the order of the whole store. A reader that pages by position must never
be shown an event that sorts before one it has seen. The means differ between databases, see
``sqlite_ordering`` and ``postgres_ordering``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import msgspec

from eventstore.core.events import Position
from eventstore.errors import StoreBusy

if TYPE_CHECKING:
    from eventstore.storage.transaction import Transaction

__all__ = ["HeadMoved", "HeadRow", "Heads", "Holder", "Moved", "Ordering", "Place", "Placing"]

Place: TypeAlias = tuple[int, int, bytes]
"""Numbers of tenant and category, and the stream's id: the key of a row of ``streams``."""


class HeadMoved(StoreBusy):
    """A stream does not end where the writer remembers; a retry reads its true head."""


class HeadRow(msgspec.Struct, frozen=True, gc=False):
    """A stream's head as stored."""

    version: int
    recorded_at_us: int
    hash: bytes
    epoch: int
    xid: int

    @property
    def order(self) -> tuple[int, int]:
        """The order key of its last event among those of other transactions."""
        return self.epoch, self.xid


class Moved(msgspec.Struct, frozen=True, gc=False):
    """A stream's head as this transaction leaves it, and as the database has it until then."""

    before: HeadRow
    row: HeadRow
    summary: bytes | None
    place: Place


class Heads(msgspec.Struct, frozen=True):
    """The result of locking heads."""

    rows: dict[Place, HeadRow]
    """Heads that exist and stay locked until the transaction ends."""
    placing: Placing
    """Draws the positions of the events to come, now that the heads are locked."""
    held: Collection[Place] = ()
    """Heads that another transaction has locked and that were not waited for."""


class Holder(NamedTuple):
    """The oldest transaction that may still write: readers see nothing that came after it."""

    pid: int | None
    prepared: str | None
    """The name of a transaction that was prepared for a two-phase commit; no process has it."""
    transaction: str
    state: str | None
    application: str
    since_seconds: float | None
    """Its begin, in seconds since 1970; None where the database user may not see it."""
    remedy: str


class Placing(Protocol):
    """Draws the positions of one transaction's events."""

    epoch: int
    xid: int

    def next(self) -> int:
        """Return the sequence number of the next event, above all earlier ones of its stream."""


class Ordering(Protocol):
    """Keeps the order of events on one database."""

    single_writer: bool
    """True if the transaction is the only one that writes, from its first statement: heads that
    were kept from the one before still hold."""

    def take(
        self, tx: Transaction, places: Sequence[Place], events: int, *, patient: bool
    ) -> Heads:
        """Lock the heads of streams, and draw positions for about that many events.

        ``patient``: wait for heads that another transaction has locked.
        """

    def move(self, tx: Transaction, moved: Sequence[Moved]) -> None:
        """Write where streams end now, if the database still has their earlier ends.

        Raises:
            HeadMoved: one differs; the transaction has to be repeated with the database's heads.
        """

    def confirm_absent(self, tx: Transaction, places: Sequence[Place]) -> None:
        """Check that streams whose heads were missing are still missing.

        Raises:
            StoreBusy: another writer made one meanwhile; the transaction has to be repeated.
        """

    def confirm_whole(self, tx: Transaction) -> None:
        """Check that the whole store has one order; the database is asked once.

        Raises:
            Refused: ``"distributed_schema"``.
        """

    def after(self, tx: Transaction, position: Position) -> tuple[str, tuple[Any, ...]]:
        """Return SQL for WHERE, with parameters: the events safe to show after a position.

        Raises:
            Refused: ``"distributed_schema"``.
        """

    order: str
    """SQL for ORDER BY."""

    version: str
    """SQL that names the database and its version."""

    clock: str
    """SQL for the time in microseconds since 1970, by the database's clock."""

    one_clock: bool
    """True if all users of the database share this clock, on any machine."""

    last: str
    """SQL that gives the sequence number of the last event, 0 if there is none."""

    bytes_as_stored: str
    """SQL for a ``{column}`` of bytes, also where somebody stored a value of another type in it."""

    text_as_stored: str
    """The same for a column of text; bytes are as good."""

    def holder(self, tx: Transaction) -> Holder | None:
        """Return the transaction that hides the newest events from readers, if there is one."""
