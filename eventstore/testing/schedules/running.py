"""Runs a schedule: readers in threads here, writers in processes, and an end after all of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from eventstore.testing.schedules.connections import Lasting
from eventstore.testing.schedules.plan import END, Schedule, Work
from eventstore.testing.schedules.protocol import (
    Append,
    Connected,
    LostConnection,
    StoreUnderTest,
    Transaction,
)
from eventstore.testing.schedules.reading import Reading
from eventstore.testing.schedules.report import Report, report_of
from eventstore.testing.schedules.writers import Writers

__all__ = ["OnProgress", "Progress", "run"]

_GIVE_UP_SECONDS: Final = 10.0


class Progress(NamedTuple):
    """How far a schedule is."""

    acknowledged: int
    """Transactions."""
    of: int
    delivered: int
    """Events, to the reader that is furthest behind."""
    seconds: float


OnProgress: TypeAlias = Callable[[Progress], object]
"""Called now and then, in the thread that runs the schedule; it may also kill a server."""


def run(schedule: Schedule, store: StoreUnderTest, progress: OnProgress | None = None) -> Report:
    """Run a schedule to its end.

    Raises:
        RuntimeError: a writer or a reader failed by itself, or took longer than it may.
    """
    streams = store.prepare(schedule.streams)
    with tempfile.TemporaryDirectory() as folder, store.connect() as connected:
        names = [f"reader {number}" for number in range(schedule.readers)]
        readings = [Reading(name, connected, schedule) for name in names]
        late = Reading("a late reader", connected, schedule)
        writers = Writers(Work(schedule, store, streams), Path(folder))
        try:
            for reading in readings:
                reading.start()
            seconds = writers.run(
                lambda acknowledged, taken: _tell(
                    progress, Progress(acknowledged, schedule.appends, _delivered(readings), taken)
                )
            )
            _append_the_end(connected, streams[0])
            _settle(readings, schedule.settle_seconds)
            late.start()
            _settle([late], schedule.settle_seconds + seconds)
        finally:
            for reading in readings:
                reading.give_up()
        return report_of(
            schedule,
            readings,
            late,
            acknowledged=writers.acknowledged() | {END},
            killed=writers.killed,
            seconds=seconds,
        )


def _tell(progress: OnProgress | None, how_far: Progress) -> None:
    if progress is not None:
        progress(how_far)


def _delivered(readings: Sequence[Reading]) -> int:
    return min((len(reading.seen) for reading in readings), default=0)


def _append_the_end(connected: Connected, stream: str) -> None:
    """Append the event by which readers know that they are done."""
    writer = Lasting(connected.writer)
    try:
        writer.get().write(Transaction("end", (Append(stream, (END,)),)))
    except LostConnection as error:
        raise RuntimeError("the connection was lost after all writers had ended") from error
    finally:
        writer.close()


def _settle(readings: Sequence[Reading], seconds: float) -> None:
    """Let readers come to the end, or tell them to give up."""
    deadline = time.monotonic() + seconds
    for reading in readings:
        reading.join(max(0.0, deadline - time.monotonic()))
    for reading in readings:
        reading.give_up()
        reading.join(_GIVE_UP_SECONDS)
        if reading.error is not None:
            raise RuntimeError(f"{reading.name} failed") from reading.error
        reading.stalled |= reading.is_alive()
