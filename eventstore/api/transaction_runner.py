"""Perform one transaction for all requests that share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventstore.api.operations.metrics import Metrics
from eventstore.api.operations.operation import Maintenance
from eventstore.execution.database import POSTPONED
from eventstore.storage.append import append_many
from eventstore.storage.requests import Appended, AppendRequest, Log, Postponed
from eventstore.storage.transaction import Transaction

__all__ = ["TransactionRunner"]


class TransactionRunner:
    """Runs a batch of requests in one transaction: appends together, maintenance in its place."""

    def __init__(self, log: Log, metrics: Metrics) -> None:
        self.log: Final = log
        self.metrics: Final = metrics

    def __call__(
        self,
        tx: Transaction,
        requests: Sequence[Any],
        patient: bool = True,  # noqa: FBT001, FBT002 (called by position)
    ) -> list[Any]:
        """Return each request's outcome; ``patient``: wait for threads locked by others."""
        self.metrics.begun()
        outcomes: list[Any] = []
        waiting: list[AppendRequest] = []
        for request in requests:
            if isinstance(request, Maintenance):
                outcomes += self._append(tx, waiting, patient=patient)
                waiting = []
                outcomes.append(self._maintain(tx, request, patient=patient))
            else:
                waiting.append(request)
        outcomes += self._append(tx, waiting, patient=patient)
        tx.flush()
        return outcomes

    def _maintain(self, tx: Transaction, request: Maintenance, *, patient: bool) -> Any:  # noqa: ANN401 (an outcome)
        if request.alone and not patient and not tx.ordering.single_writer:
            return POSTPONED
        if not request.keeps_rows:
            tx.cache.clear()
        made = request.act(tx)
        return made if isinstance(made, Appended) else Appended(made, 0, ())

    def _append(
        self, tx: Transaction, requests: Sequence[AppendRequest], *, patient: bool
    ) -> list[Any]:
        if not requests:
            return []
        outcomes = append_many(tx, requests, self.log, patient=patient)
        if patient or tx.ordering.single_writer:
            return outcomes  # no request was postponed
        return [POSTPONED if isinstance(one, Postponed) else one for one in outcomes]
