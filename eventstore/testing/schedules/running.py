"""Runs a schedule: readers in threads here, writers in processes or here too, and then the end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

from eventstore.testing.schedules.connections import Lasting
from eventstore.testing.schedules.journals import now
from eventstore.testing.schedules.plan import END, Schedule, Work
from eventstore.testing.schedules.protocol import (
    Append,
    Connected,
    LostConnection,
    NotWritten,
    StoreUnderTest,
    Transaction,
)
from eventstore.testing.schedules.reading import Reading
from eventstore.testing.schedules.report import Report, report_of
from eventstore.testing.schedules.writers import Writers

__all__ = ["OnProgress", "Progress", "Server", "run"]

_GIVE_UP_SECONDS: Final = 10.0
_RETRY_SECONDS: Final = 0.05
_TELL_SECONDS: Final = 0.5


class Server(Protocol):
    """A server that a schedule kills; a ``PostgresServer`` of its own, for example."""

    def kill(self) -> None:
        """End it at once, as if the power had gone."""

    def restart(self) -> None:
        """Start it again, with the same data and address."""


class Progress(NamedTuple):
    """The progress of a schedule."""

    ended: int
    """Transactions, acknowledged or not."""
    of: int
    """Transactions of the whole schedule."""
    delivered: int
    """Events, to the reader that is furthest behind; to the late one, once there is one."""
    seconds: float
    """Since the writers began."""
    late: bool = False
    """Whether all has been written, and is read once more from the beginning."""


OnProgress: TypeAlias = Callable[[Progress], object]
"""Called at intervals, in the thread that runs the schedule."""


def run(
    schedule: Schedule,
    store: StoreUnderTest,
    progress: OnProgress | None = None,
    *,
    server: Server | None = None,
) -> Report:
    """Run a schedule to its end, and compare received events with acknowledged ones.

    Args:
        schedule: how much is done, and by how many.
        store: the store under test, which nobody else uses: an ``EventStoreAdapter``, or an
            implementation of ``StoreUnderTest``.
        progress: called at intervals with a ``Progress``.
        server: the server to be killed, if the schedule has ``server_kills``.

    Raises:
        ValueError: a server or a process is to be killed, and there is none; or the writers'
            processes could not import the class of ``store``, as it stands in the program that was
            started.
        RuntimeError: a writer or a reader failed by itself, or took longer than it may; or nothing
            was acknowledged, so that nothing was tested.
    """
    _check(schedule, store, server)
    began = now()
    streams = store.prepare(schedule.streams)
    with tempfile.TemporaryDirectory() as folder, store.connect() as connected:
        writers = Writers(Work(schedule, store, streams), Path(folder))
        readings = [
            Reading(f"reader {number}", connected.reader, schedule)
            for number in range(schedule.readers)
        ] + [
            Reading(f"subscriber {number}", connected.subscriber, schedule)
            for number in range(schedule.subscribers)
        ]
        late = Reading("a late reader", connected.reader, schedule)
        meanwhile = _Meanwhile(schedule, writers, readings, progress, server)
        try:
            for reading in readings:
                reading.start()
            seconds = writers.run(meanwhile)
            if not writers.ledgers.transactions:
                raise RuntimeError("no append was acknowledged, so there was nothing to look at")
            _append_the_end(connected, streams[0])
            _settle(readings, schedule.settle_seconds, lambda: meanwhile.tell(seconds))
            late.start()
            _settle(
                [late],
                schedule.settle_seconds + seconds,
                lambda: meanwhile.tell(seconds, late=late),
            )
        finally:
            for reading in [*readings, late]:
                reading.give_up()
        writers.ledgers.events.add(END)
        return report_of(
            schedule,
            readings,
            late,
            writers.ledgers,
            killed=writers.killed,
            servers_killed=meanwhile.servers_killed,
            began=began,
            seconds=seconds,
        )


def _check(schedule: Schedule, store: StoreUnderTest, server: Server | None) -> None:
    if schedule.server_kills and server is None:
        raise ValueError("`server_kills` needs a server that can be killed: give `server=`")
    if schedule.kills and not schedule.processes:
        raise ValueError("`kills` needs processes that can be killed: give `processes=`")
    if schedule.processes and type(store).__module__ == "__main__":
        raise ValueError(
            f"{type(store).__name__} stands in the program that was started, which the processes of"
            " the writers cannot import: put it into a module of its own, or give `processes=0`"
        )


class _Meanwhile:
    """The work beside the writers: the server is killed, and progress reported."""

    def __init__(
        self,
        schedule: Schedule,
        writers: Writers,
        readings: Sequence[Reading],
        progress: OnProgress | None,
        server: Server | None,
    ) -> None:
        self.servers_killed = 0
        self._schedule = schedule
        self._writers = writers
        self._readings = readings
        self._progress = progress
        self._server = server
        self._told = 0.0

    def __call__(self, seconds: float) -> None:
        self._kill_when_it_is_time()
        if seconds - self._told > _TELL_SECONDS:
            self._told = seconds
            self.tell(seconds)

    def tell(self, seconds: float, *, late: Reading | None = None) -> None:
        readings = self._readings if late is None else [late]
        delivered = min((len(reading.seen) for reading in readings), default=0)
        if self._progress is None:
            return
        ended, of = self._writers.ledgers.ended, self._schedule.appends
        self._progress(Progress(ended, of, delivered, seconds, late is not None))

    def _kill_when_it_is_time(self) -> None:
        """Kill the server at even intervals: once at the half, twice at the thirds."""
        kills, ended = self._schedule.server_kills, self._writers.ledgers.ended
        due = self._schedule.appends * (self.servers_killed + 1) // (kills + 1)
        if self._server is not None and self.servers_killed < kills and ended > due:
            self._server.kill()
            self._server.restart()
            self.servers_killed += 1


def _append_the_end(connected: Connected, stream: str) -> None:
    """Append the event by which readers know that they have everything."""
    writer = Lasting(connected.writer)
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    try:
        while True:
            try:
                writer.get().write(Transaction("end", (Append(stream, (END,)),)))
            except NotWritten:
                if time.monotonic() > deadline:
                    raise RuntimeError("the store refused the event after all others") from None
                time.sleep(_RETRY_SECONDS)  # a reader may hold a lock, and sends no signal
            else:
                return
    except LostConnection as error:
        raise RuntimeError("the connection was lost after all writers had ended") from error
    finally:
        writer.close()


def _settle(readings: Sequence[Reading], seconds: float, tell: Callable[[], None]) -> None:
    """Wait for readers to come to the end, or end their time."""
    deadline = time.monotonic() + seconds
    for reading in readings:
        while reading.is_alive() and (left := deadline - time.monotonic()) > 0:
            reading.join(min(left, _TELL_SECONDS))
            tell()
    for reading in readings:
        reading.give_up()
        reading.join(_GIVE_UP_SECONDS)
        if reading.error is not None:
            raise RuntimeError(f"{reading.name} failed") from reading.error
        reading.stalled |= reading.is_alive()
