"""What came of a schedule: each reader's account against the promises, counted and named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from eventstore.testing.schedules.names import Names
from eventstore.testing.schedules.plan import Schedule
from eventstore.testing.schedules.reading import Reading

__all__ = ["Report", "report_of"]

_EXAMPLES: Final = 5
_COUNTED: Final = ("lost", "doubled", "reordered", "stalled", "gaps", "phantoms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The findings, each a sentence with the reader or the stream, and the event."""

    schedule: Schedule
    transactions: int
    """Transactions that were acknowledged."""
    acknowledged: int
    """Events of theirs."""
    stored: int
    """Events that a reader finds who comes after all others."""
    killed: int
    """Processes."""
    servers_killed: int
    seconds: float
    """Of writing."""
    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    reordered: tuple[str, ...]
    stalled: tuple[str, ...]
    gaps: tuple[str, ...]
    phantoms: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(getattr(self, name)) for name in _COUNTED}

    @property
    def ok(self) -> bool:
        return not any(self.counts.values())

    def __str__(self) -> str:
        """The counts in one line, then some examples of each."""
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        head = (
            f"{counts}: of {self.transactions:,} appends acknowledged with {self.acknowledged:,} "
            f"events, {self.stored:,} events stored, {self.schedule.readers} readers, "
            f"{self.schedule.subscribers} subscribers, {self.killed} processes and "
            f"{self.servers_killed} servers killed, seed {self.schedule.seed}, "
            f"{self.seconds:.1f} s of writing"
        )
        return "\n".join([head, *self._examples()])

    def _examples(self) -> Iterator[str]:
        for name in _COUNTED:
            found: tuple[str, ...] = getattr(self, name)
            yield from (f"  {name}: {sentence}" for sentence in found[:_EXAMPLES])
            if len(found) > _EXAMPLES:
                yield f"  {name}: … and {len(found) - _EXAMPLES:,} more"


def report_of(
    schedule: Schedule,
    readings: Sequence[Reading],
    late: Reading,
    *,
    transactions: int,
    acknowledged: Names,
    killed: int,
    servers_killed: int,
    seconds: float,
) -> Report:
    """Hold what each reader was told against what was promised, and against what is stored."""
    everybody = [*readings, late]
    return Report(
        schedule=schedule,
        transactions=transactions,
        acknowledged=len(acknowledged),
        stored=len(late.seen),
        killed=killed,
        servers_killed=servers_killed,
        seconds=seconds,
        lost=tuple(
            f"{reading.name} was never told of {name}"
            for reading in everybody
            if not reading.stalled
            for name in _never_told(reading.seen, acknowledged, late.seen)
        ),
        doubled=tuple(one for reading in everybody for one in reading.doubled),
        reordered=tuple(one for reading in everybody for one in reading.reordered),
        stalled=tuple(
            f"{reading.name} came as far as {len(reading.seen):,} events"
            for reading in everybody
            if reading.stalled
        ),
        gaps=tuple(_gaps(late)),
        phantoms=tuple(one for reading in everybody for one in reading.phantoms),
    )


def _never_told(told: Names, acknowledged: Names, stored: Names) -> Iterator[str]:
    yield from acknowledged.without(told)
    yield from (name for name in stored.without(told) if name not in acknowledged)


def _gaps(late: Reading) -> Iterator[str]:
    for stream, told in late.versions.items():
        first = told.find(1)
        if told.find(0, first) != -1:
            missing = (number for number in range(first, len(told)) if not told[number])
            yield from (f"{stream} has no version {version}" for version in missing)
