"""A short timeline of the writes around a finding, from ledgers and a reader's journal.

::

    41.20 to 43.91 ms  writer w.3: w.3.12 to stream 2 as version 17, acknowledged
    41.88 to 44.40 ms  writer w.5: w.5.9 to stream 2 as version 17, acknowledged
             44.95 ms  reader 0 is told of w.3.12 (stream 2, version 17)

The files of a long schedule are gone through line by line; only what is shown is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from eventstore.testing.schedules.findings import Finding
from eventstore.testing.schedules.journals import Journal
from eventstore.testing.schedules.ledgers import Ledgers

__all__ = ["Line", "drawn", "timeline"]

_OTHERS_MAX: Final = 3
"""The number of other writes that are shown."""
_BEFORE: Final = 2
"""The number of deliveries shown before the finding's own; one is shown after it."""
_NEAR_US: Final = 50_000
_MS: Final = 1000


class Line(NamedTuple):
    """One write to a stream, or one delivery to a reader."""

    ended: int
    began: int
    """Microseconds, as ``journals.now`` gives them. A delivery takes no time."""
    who: str
    event_ids: tuple[str, ...]
    stream: str
    version: int | None
    """The version of the first event; for a write it is looked up in the store."""
    outcome: str | None
    """The outcome of a write; None for a delivery."""


def timeline(
    finding: Finding, ledgers: Ledgers, told: Journal | None, stored: Journal
) -> tuple[Line, ...]:
    """Return the acts of writers and a reader around a finding, in the order of their ends.

    Args:
        finding: the finding.
        ledgers: the ledgers of the writers.
        told: the journal of the reader that the finding is about; None if it is about the store.
        stored: the journal of the late reader, which says as which version an event is stored.
    """
    about = frozenset(finding.events)
    writes = [line for line in _writes(ledgers) if about & {*line.event_ids}]
    if finding.kind == "lost":  # a reader that missed an event received those around it
        writes += _nearest(_writes(ledgers), writes)
        names = {line.event_ids[0] for line in writes}
        tellings = [line for line in _rules(told, finding) if names & {*line.event_ids}]
    else:
        tellings = list(_in_order(_rules(told, finding), about, finding.stream))
        names = {line.event_ids[0] for line in tellings} - about
        same_stream = (line for line in _writes(ledgers) if line.stream == finding.stream)
        near = _nearest(same_stream, writes) if finding.kind == "duplicated" else []
        writes += [line for line in _writes(ledgers) if names & {*line.event_ids}] or near
    return tuple(_numbered(sorted([*writes, *tellings], key=_when), stored))


def _when(line: Line) -> int:
    return line.ended


def _nearest(lines: Iterable[Line], chosen: Sequence[Line]) -> list[Line]:
    """Return a few others that ended when the last of the chosen did, or nearly so."""
    if not chosen:
        return []
    last = max(map(_when, chosen))
    near = (one for one in lines if abs(one.ended - last) < _NEAR_US and one not in chosen)
    return sorted(near, key=lambda one: abs(one.ended - last))[:_OTHERS_MAX]


def _in_order(lines: Iterable[Line], about: frozenset[str], stream: str | None) -> Iterator[Line]:
    """Yield deliveries of events, and those of their stream just before and after them."""
    before: deque[Line] = deque(maxlen=_BEFORE)
    after = 0
    for line in lines:
        if about & {*line.event_ids}:
            yield from before
            yield line
            before.clear()
            after = 1
        elif line.stream == stream and after:
            yield line
            after -= 1
        elif line.stream == stream:
            before.append(line)


def drawn(lines: Sequence[Line], beginning: int) -> Iterator[str]:
    """Yield a table of lines, with times since the beginning of the schedule."""
    times = [_time(line, beginning) for line in lines]
    width = max(map(len, times), default=0)
    for time, line in zip(times, lines, strict=True):
        yield f"{time:>{width}}  {_sentence(line)}"


def _writes(ledgers: Ledgers) -> Iterator[Line]:
    for entry in ledgers.entries():
        for append in entry.appends:
            names = append.event_ids
            who = f"writer {names[0].rpartition('.')[0]}"
            yield Line(entry.ended, entry.began, who, names, append.stream, None, entry.outcome)


def _rules(told: Journal | None, finding: Finding) -> Iterator[Line]:
    for one in () if told is None else told.read():
        names = (one.event_id,)
        yield Line(one.moment, one.moment, finding.reader, names, one.stream, one.version, None)


def _numbered(lines: Sequence[Line], stored: Journal) -> Iterator[Line]:
    wanted = {line.event_ids[0] for line in lines}
    versions = {one.event_id: one.version for one in stored.read() if one.event_id in wanted}
    for line in lines:
        version = versions.get(line.event_ids[0])
        yield line._replace(version=version) if line.version is None else line


def _time(line: Line, beginning: int) -> str:
    ended = f"{(line.ended - beginning) / _MS:.2f} ms"
    if line.outcome is None:
        return ended
    return f"{(line.began - beginning) / _MS:.2f} to {ended}"


def _sentence(line: Line) -> str:
    if line.outcome is None:
        return f"{line.who} is told of {line.event_ids[0]} ({line.stream}, version {line.version})"
    names = line.event_ids[0] + (
        f" and {len(line.event_ids) - 1} more" if line.event_ids[1:] else ""
    )
    placed = "" if line.version is None else f" as version {line.version}"
    return f"{line.who} writes {names} to {line.stream}{placed}, {line.outcome}"
