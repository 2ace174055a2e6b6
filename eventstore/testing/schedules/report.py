"""The report of a schedule: events received compared with events acknowledged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from eventstore.testing.schedules.findings import KINDS, Finding
from eventstore.testing.schedules.ledgers import Ledgers
from eventstore.testing.schedules.names import Names
from eventstore.testing.schedules.plan import Schedule
from eventstore.testing.schedules.reading import Reading
from eventstore.testing.schedules.timeline import drawn, timeline

__all__ = ["Report", "report_of"]

_EXAMPLES: Final = 5
_TIMED: Final = ("duplicated", "phantoms", "lost", "doubled", "reordered")
"""The kinds whose first finding is shown with a timeline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The outcome of a schedule: counts, findings, and a timeline of the first one of each kind.

    ``str(report)`` is meant to be read; ``assert report.ok, str(report)`` is a test.
    """

    schedule: Schedule
    """The schedule that ran."""
    transactions: int
    """Transactions that were acknowledged."""
    acknowledged: int
    """The events of acknowledged transactions."""
    stored: int
    """Events that a reader finds after all writers have ended."""
    killed: int
    """Processes of writers that were killed."""
    servers_killed: int
    """The number of times the server was killed."""
    seconds: float
    """The time of writing."""
    lost: tuple[Finding, ...]
    """Acknowledged, or stored, and never delivered to a reader that came to the end."""
    doubled: tuple[Finding, ...]
    """Delivered twice to one reader, or stored twice."""
    reordered: tuple[Finding, ...]
    """Delivered after a later event of the same stream."""
    duplicated: tuple[Finding, ...]
    """Two events of one stream have the same version."""
    stalled: tuple[Finding, ...]
    """A reader did not come to the end."""
    gaps: tuple[Finding, ...]
    """A version is missing in a stream."""
    phantoms: tuple[Finding, ...]
    """Delivered although the transaction was rolled back or refused."""
    refused: int = 0
    """Transactions that the store refused; a refusal is no fault."""
    timelines: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The timeline of the first finding of each kind, line by line."""

    @property
    def counts(self) -> dict[str, int]:
        """The number of findings of each kind."""
        return {kind: len(getattr(self, kind)) for kind in KINDS}

    @property
    def ok(self) -> bool:
        """Whether there are no findings."""
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
        refused = f", {self.refused:,} appends refused" if self.refused else ""
        return "\n".join([head + refused, *self._examples()])

    def _examples(self) -> Iterator[str]:
        for kind in KINDS:
            found: tuple[Finding, ...] = getattr(self, kind)
            yield from (f"  {kind}: {finding}" for finding in found[:_EXAMPLES])
            if len(found) > _EXAMPLES:
                yield f"  {kind}: … and {len(found) - _EXAMPLES:,} more"
            if lines := self.timelines.get(kind):
                yield f"  who wrote what when, around the first of the {kind}:"
                yield from (f"    {line}" for line in lines)


def report_of(
    schedule: Schedule,
    readings: Sequence[Reading],
    late: Reading,
    ledgers: Ledgers,
    *,
    killed: int,
    servers_killed: int,
    began: int,
    seconds: float,
) -> Report:
    """Compare the events that each reader received with the acknowledged and the stored ones."""
    everybody = [*readings, late]
    found = dict.fromkeys(_findings(everybody, late, ledgers))
    by_kind = {kind: tuple(one for one in found if one.kind == kind) for kind in KINDS}
    journals = {reading.name: reading.journal for reading in everybody}
    firsts = [by_kind[kind][0] for kind in _TIMED if by_kind[kind]]
    return Report(
        schedule=schedule,
        transactions=ledgers.transactions,
        acknowledged=len(ledgers.events),
        stored=len(late.seen),
        killed=killed,
        servers_killed=servers_killed,
        seconds=seconds,
        refused=ledgers.refusals,
        timelines={
            one.kind: tuple(
                drawn(timeline(one, ledgers, journals.get(one.reader), late.journal), began)
            )
            for one in firsts
        },
        **by_kind,
    )


def _findings(everybody: Sequence[Reading], late: Reading, ledgers: Ledgers) -> Iterator[Finding]:
    for reading in everybody:
        yield from reading.findings
        yield from _refused_and_told(reading, ledgers.refused)
        if reading.stalled:
            words = f"{reading.name} came as far as {len(reading.seen):,} events"
            yield Finding("stalled", words, reader=reading.name)
        else:
            for name in _never_told(reading.seen, ledgers.events, late.seen):
                words = f"{reading.name} was never told of {name}"
                yield Finding("lost", words, (name,), reader=reading.name)
    for sentence in _gaps(late):
        yield Finding("gaps", sentence)


def _refused_and_told(reading: Reading, refused: Names) -> Iterator[Finding]:
    told = [name for name in refused if name in reading.seen]
    for name in told:
        words = f"{reading.name} was told of {name}, refused"
        yield Finding("phantoms", words, (name,), reader=reading.name)


def _never_told(told: Names, acknowledged: Names, stored: Names) -> Iterator[str]:
    yield from acknowledged.without(told)
    yield from (name for name in stored.without(told) if name not in acknowledged)


def _gaps(late: Reading) -> Iterator[str]:
    for stream, told in late.versions.items():
        first = told.find(1)
        if told.find(0, first) != -1:
            missing = (number for number in range(first, len(told)) if not told[number])
            yield from (f"{stream} has no version {version}" for version in missing)
