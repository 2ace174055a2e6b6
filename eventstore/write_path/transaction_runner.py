"""Perform one transaction for all requests that share it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from eventstore.execution.database import POSTPONED, Postponed
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import (
    Appended,
    AppendRequest,
    Maintenance,
    Outcome,
    Request,
)

__all__ = ["TransactionRunner"]


class TransactionRunner:
    """Runs a batch of requests in one transaction: appends together, maintenance in its place."""

    def __init__(self, log: Log, count: Callable[[], object]) -> None:
        """Create it. ``count`` is called as each transaction begins."""
        self.log: Final = log
        self._count = count

    def __call__(
        self,
        tx: Transaction,
        requests: Sequence[Request],
        patient: bool = True,  # noqa: FBT001, FBT002 (called by position)
        *,
        lent: bool = False,
    ) -> list[Outcome | Postponed]:
        """Return each request's outcome; ``patient``: wait for threads locked by others.

        ``lent``: the transaction is the application's, and writes what it asked for alone.
        """
        self._count()
        outcomes: list[Outcome | Postponed] = []
        waiting: list[AppendRequest] = []
        codec = self.log.codec
        mark = codec.lock() if codec.seals else None
        try:
            for request in requests:
                if isinstance(request, Maintenance):
                    if waiting:
                        outcomes += append_many(tx, waiting, self.log, patient=patient)
                        waiting = []
                    outcomes.append(self._maintain(tx, request, patient=patient))
                else:
                    waiting.append(request)
            if waiting:
                outcomes += append_many(tx, waiting, self.log, patient=patient)
            if self.log.snapshots.waiting and not lent:
                self.log.snapshots.write(tx)
            tx.flush()
        finally:
            if mark is not None:
                codec.unlock(mark)
        return outcomes

    def alone(self, tx: Transaction, request: Request) -> Outcome:
        """Perform one request in a transaction of the application; wait for locked threads."""
        [outcome] = self(tx, [request], lent=True)
        assert not isinstance(outcome, Postponed)  # noqa: S101 (it waited)
        return outcome

    def _maintain(
        self, tx: Transaction, request: Maintenance, *, patient: bool
    ) -> Outcome | Postponed:
        if request.alone and not patient and not tx.ordering.single_writer:
            return POSTPONED
        if not request.keeps_rows:
            tx.cache.clear()
        made = request.act(tx)
        return made if isinstance(made, Appended) else Appended(made, 0, ())
