"""The pages of an erasure in one thread: it is planned while others write, and then performed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from eventstore.api.operations.operation import Maintenance, Page, PageActed, Read, Write
from eventstore.api.operations.wiping import erase_listed, finishing
from eventstore.errors import ConversationStoreError
from eventstore.privacy.erasure import erase as erase_in
from eventstore.privacy.erasure import erase_as_planned
from eventstore.privacy.planning import Planned, plan
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import AppendRequest

__all__ = ["FIRST_PLAN", "ErasingPages", "Plan"]

_ROUNDS: Final = 8
"""Number of plans made while others write; after that they wait for it."""


class Plan(NamedTuple):
    """An erasure to plan again, and the number of tries left."""

    before: Sequence[Planned]
    rounds: int


FIRST_PLAN: Final = Plan((), _ROUNDS)
"""The place at which the erasure of a thread's content begins."""


class _Act(NamedTuple):
    """An erasure to perform as it was planned, or at once if no tries are left."""

    plan: Plan


class ErasingPages:
    """The steps of an erasure in one thread: plan, record, and erase the content."""

    def __init__(self, log: Log, request: AppendRequest, connection: object) -> None:
        self._log = log
        self._request = request
        self._connection = connection

    def __call__(self, place: object) -> Page[Any]:
        if isinstance(place, Plan):
            return Read(partial(self._plan, before=place))
        if isinstance(place, _Act):
            return self._write(partial(self._act, plan=place.plan))
        return self._write(self._at_once) if place == "at once" else finishing(place)

    def _write(self, act: Callable[[Transaction], Any]) -> Write[Any]:
        stream = self._request.stream
        return Write(Maintenance(act, alone=True, stream=stream), self._connection)

    def _plan(self, tx: Transaction, before: Plan) -> tuple[tuple[()], object]:
        try:
            made = plan(tx, self._log, self._request, before=before.before)
        except ConversationStoreError:  # the write itself reports and counts it
            return (), "at once"
        return (), _Act(Plan(made, before.rounds - 1))

    def _act(self, tx: Transaction, plan: Plan) -> PageActed[object]:
        made = erase_as_planned(tx, self._log, plan.before)
        if made is None and plan.rounds:
            return (), plan
        if made is None:  # only the newest events are read while others wait
            made = erase_in(tx, self._log, self._request, plan.before)
        return made.with_result(([made.result], "parts"))

    def _at_once(self, tx: Transaction) -> PageActed[object]:
        made = erase_in(tx, self._log, self._request)
        if self._connection is not None:
            erase_listed(tx)
        return made.with_result(([made.result], "parts" if self._connection is None else None))
