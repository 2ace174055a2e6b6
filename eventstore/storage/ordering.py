"""What keeps the log in order while several writers append: one small protocol, one way a database.

An append takes the heads of its streams, so that nobody else moves them meanwhile; only then it
draws places in the order of the whole store. A reader that pages by place must never be shown an
event that sorts before one it has seen: what that takes differs from database to database, see
``sqlite_ordering`` and ``postgres_ordering``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

from eventstore.core.events import Position
from eventstore.errors import StoreBusy

__all__ = ["HeadMoved", "HeadRow", "Heads", "Holder", "Moved", "Ordering", "Place", "Placing"]

Place: TypeAlias = tuple[int, int, bytes]
"""Numbers of tenant and category, and the stream's id: what a row of ``streams`` is found by."""


class HeadMoved(StoreBusy):
    """A stream does not end where the writer remembers; done again, it reads where it does."""


class HeadRow(msgspec.Struct, frozen=True, gc=False):
    """A stream's end as stored."""

    version: int
    recorded_at_us: int
    hash: bytes
    epoch: int
    xid: int

    @property
    def order(self) -> tuple[int, int]:
        """Where its last event stands among those of other transactions."""
        return self.epoch, self.xid


class Moved(NamedTuple):
    """A stream's end as this transaction leaves it, and as the database has it until then."""

    before: HeadRow
    row: HeadRow
    summary: bytes | None
    place: Place


class Heads(NamedTuple):
    """What taking heads gave."""

    rows: dict[Place, HeadRow]
    """Those that exist and are ours until the transaction ends."""
    placing: Placing
    """Draws the places of the events to come, now that the heads are taken."""
    held: Collection[Place] = ()
    """Those that another transaction has and that were not waited for."""


class Holder(NamedTuple):
    """The oldest transaction that may still write: readers see nothing that came after it."""

    pid: int | None
    prepared: str | None
    """The name of a transaction that was prepared for a two-phase commit; no process has it."""
    transaction: str
    state: str | None
    application: str
    since_seconds: float | None
    """When it began, in seconds since 1970; None where we may not see it."""
    remedy: str


class Placing(Protocol):
    """Draws the places of one transaction's events."""

    epoch: int
    xid: int

    def next(self) -> int:
        """Return the sequence number of the next event, above all drawn for its stream before."""


class Ordering(Protocol):
    """How one database keeps the order."""

    alone: bool
    """The transaction is the only one that writes, from its first statement: heads that were kept
    from the one before still hold."""

    def take(self, tx: Any, places: Sequence[Place], events: int, *, patient: bool) -> Heads:  # noqa: ANN401 (a Transaction)
        """Take the heads of streams, and draw places for about that many events.

        ``patient``: wait for heads that another transaction has.
        """

    def move(self, tx: Any, moved: Sequence[Moved]) -> None:  # noqa: ANN401
        """Write where streams end now, if they end in the database where they are moved from.

        Raises:
            HeadMoved: one does not; the transaction has to be done again on what the database says.
        """

    def confirm_absent(self, tx: Any, places: Sequence[Place]) -> None:  # noqa: ANN401
        """Make sure that streams whose heads were not there are still not there.

        Raises:
            StoreBusy: somebody made one meanwhile; the transaction has to be done again.
        """

    def confirm_whole(self, tx: Any) -> None:  # noqa: ANN401
        """Make sure that the whole store has one order; asked of the database once.

        Raises:
            Refused: ``"distributed_schema"``.
        """

    def after(self, tx: Any, position: Position) -> tuple[str, tuple[Any, ...]]:  # noqa: ANN401
        """Return what is safe to show after a position: SQL for WHERE, and its parameters.

        Raises:
            Refused: ``"distributed_schema"``.
        """

    order: str
    """SQL for ORDER BY."""

    version: str
    """SQL that names the database and its version."""

    clock: str
    """SQL for the time in microseconds since 1970, by the clock that the database goes by."""

    one_clock: bool
    """It is the same one for whoever uses the database, on any machine."""

    last: str
    """SQL that gives the sequence number of the last event, 0 if there is none."""

    def holder(self, tx: Any) -> Holder | None:  # noqa: ANN401
        """Return who keeps readers from seeing the newest events, if anybody does."""
