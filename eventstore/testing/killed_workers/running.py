"""Let many people ask, let workers answer and be killed, and report."""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal

from eventstore import ConversationStore, StoreClosed
from eventstore.testing.killed_workers.findings import Report
from eventstore.testing.killed_workers.patience import patient
from eventstore.testing.killed_workers.people import People
from eventstore.testing.killed_workers.stories import Endpoint
from eventstore.testing.killed_workers.worker import Work
from eventstore.testing.killed_workers.workers import Workers
from eventstore.testing.model_server import ModelServer

__all__ = ["torture"]

_DISTURBED_SECONDS: Final = 5.0
_EXPECTED: Final = re.compile(r"(WARNING|INFO):eventstore\.")
"""Lines of workers that a server lets down."""
_LOOK_SECONDS: Final = 0.02
_BEGIN_SECONDS: Final = 60.0
_SECONDS_A_RUN: Final = 3.0
"""More than any machine takes: runs that take longer have stopped."""


def torture(
    url: str,
    folder: Path,
    runs: int,
    *,
    seed: int = 0,
    workers: int = 3,
    people: int = 16,
    lease_seconds: float = 2.0,
    durability: Literal["full", "as_is"] = "full",
    progress: Callable[[int, float], object] = lambda _ended, _seconds: None,
    disturb: Callable[[], object] | None = None,
) -> Report:
    """Execute runs by workers that are killed; return what was found.

    Args:
        url: Database; it gets tables.
        folder: Empty folder for the effects of tools, and for what workers write.
        runs: Number of runs.
        seed: Decides each story and each death; the machine decides their order.
        workers: Number of workers at a time.
        people: Number of runs at a time.
        lease_seconds: Time after which a run of a dead worker is taken over.
        durability: As for a store.
        progress: Told again and again how many runs have ended, and after how many seconds.
        disturb: Called every few seconds; it kills the database server, for example, and starts it
            again. What workers say of that is no complaint.
    """
    report = Report(seed, runs)
    began = time.monotonic()
    with (
        ModelServer(Endpoint().reply_to) as model,
        ConversationStore.open(
            url, busy_timeout_seconds=60.0, readers=people, durability=durability
        ) as store,
    ):
        work = Work(url, durability, model.base_url, folder, lease_seconds)
        with Workers(work, seed, workers) as killed:
            users = People(patient(store), folder, report, killed.is_alive)
            disturbed = _Disturbed(disturb, report)
            with ThreadPoolExecutor(people) as pool:
                lives = [pool.submit(users.live, number) for number in range(runs)]
                ends_at = began + _BEGIN_SECONDS + runs * _SECONDS_A_RUN
                while not all(life.done() for life in lives) and time.monotonic() < ends_at:
                    killed.look_after()
                    disturbed.now()
                    report.seconds = time.monotonic() - began
                    progress(sum(life.done() for life in lives), report.seconds)
                    time.sleep(_LOOK_SECONDS)
                if not all(life.done() for life in lives):
                    _give_up(store, users, lives, report)
        report.killed = killed.killed
        for words in killed.complaints:
            if disturb is None or not _EXPECTED.search(words):
                report.find("broken", words)
        for life in lives:
            _check(life, report)
        users.look_at_effects()
    return report


class _Disturbed:
    """Calls somebody every few seconds."""

    def __init__(self, act: Callable[[], object] | None, report: Report) -> None:
        self._act = act
        self._report = report
        self._next = time.monotonic() + _DISTURBED_SECONDS

    def now(self) -> None:
        if self._act is not None and time.monotonic() >= self._next:
            self._act()
            self._report.counts["disturbed"] += 1
            self._next = time.monotonic() + _DISTURBED_SECONDS


def _give_up(
    store: ConversationStore, users: People, lives: list[Future[None]], report: Report
) -> None:
    """Say which runs did not end, and end those who wait for them."""
    for number, run in sorted(users.begun.items()):
        now = store.runs.get(run.thread_id, run.id)
        words = f"{run.id} (story {number}) is {now.status}, of {now.holder}"
        report.find("never_ended", f"{words} until {now.lease_ends_at}")
    for life in lives:
        life.cancel()
    store.close()


def _check(life: Future[None], report: Report) -> None:
    error = None if life.cancelled() else life.exception()
    if error is not None and not (
        isinstance(error, StoreClosed) and "never_ended" in report.findings
    ):
        report.find("broken", "".join(traceback.format_exception(error)).replace("\n", "\n    "))
