"""A process of writers: ``forking`` begins it, and it writes its ``ledgers``."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from random import Random
from typing import Final

from eventstore.testing.faults import die
from eventstore.testing.schedules.connections import Lasting
from eventstore.testing.schedules.journals import now
from eventstore.testing.schedules.ledgers import Outcome, Pen
from eventstore.testing.schedules.plan import Work, transactions
from eventstore.testing.schedules.protocol import (
    Connected,
    Ending,
    LostConnection,
    NotWritten,
    Transaction,
    Writer,
)

__all__ = ["main", "perform"]

_LAST_MOMENTS_SECONDS: Final = 0.005
_STANDARD_OUTPUT: Final = 1


def perform(work: Work, connected: Connected, thread: int, begun: Iterator[int], pen: Pen) -> None:
    """Perform the transactions of one writer, and record their outcomes."""
    connection = Lasting(connected.writer)
    try:
        for transaction in _until_death(work, thread, begun):
            began = now()
            outcome = _outcome(connection, transaction)
            pen.write_down(outcome, began, transaction)
    finally:
        connection.close()


def _outcome(connection: Lasting[Writer], transaction: Transaction) -> Outcome:
    try:
        connection.get().write(transaction)
    except LostConnection:
        connection.close()
        return Outcome.UNKNOWN
    except NotWritten:
        return Outcome.REFUSED
    rolled_back = transaction.ending is Ending.ROLLBACK
    return Outcome.ROLLED_BACK if rolled_back else Outcome.ACKNOWLEDGED


def _until_death(work: Work, thread: int, begun: Iterator[int]) -> Iterator[Transaction]:
    for transaction in transactions(work.schedule, work.life, thread, work.store, work.streams):
        if next(begun) == work.life.dies_at:
            chance = Random(f"{work.schedule.seed}/{work.life.name}")  # noqa: S311 (a seed is the point)
            threading.Timer(chance.uniform(0, _LAST_MOMENTS_SECONDS), die).start()
        yield transaction


def main(work: Work) -> None:
    """Do all the work of one life, or as much as it can."""
    begun = count()  # counted over all of them, quick or slow
    pen = Pen(_STANDARD_OUTPUT, work.streams)
    with work.store.connect() as connected, ThreadPoolExecutor(len(work.life.appends)) as pool:
        performed = [
            pool.submit(perform, work, connected, thread, begun, pen)
            for thread in range(len(work.life.appends))
        ]
        for one in performed:
            one.result()
        if work.life.dies_at is not None:
            threading.Event().wait()  # finished early; the kill comes all the same
