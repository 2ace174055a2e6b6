"""Walk along one stream and recompute its chain, an event at a time.

An event whose hash does not hold is kept as a suspect. The events after it show what happened: if
they hold behind the event before it, it was inserted; if they hold behind it but count further, one
before it is missing. The rest is judged at the end (:mod:`~eventstore.audit.suspects`). So one
change leads to one finding, at the event that was changed, and not to one for every event behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Final, NamedTuple

from eventstore.audit.findings import AuditFinding, finding, ranges
from eventstore.audit.suspects import Hashed, Suspect, hash_of, judged, promised
from eventstore.core import chain
from eventstore.core.events import StreamKey
from eventstore.storage.chain_pages import ChainedRow, HeadOfStream

__all__ = ["Notable", "StreamWalk"]

_SUSPECTS_MAX: Final = 16
"""Suspects that are kept whole, to see whether they stand in each other's places."""
_SKIPPED_MAX: Final = 8
"""Missing events behind which the chain is found again, if the others were numbered anew."""


class Notable(NamedTuple):
    """An event that says something about other rows: a fork's anchor, an erasure, a tombstone."""

    version: int
    type: str
    schema_version: int
    data: bytes


class StreamWalk:
    """The walk along one stream, as far as it got."""

    def __init__(self, stream: StreamKey, notable: frozenset[str]) -> None:
        """Events of the types in ``notable`` are kept for later checks."""
        self.stream: Final = stream
        self.version: int = 0
        """Version of the last row."""
        self.events: int = 0
        self.notable: list[Notable] = []
        self.gone: list[int] = []
        """Versions whose content was erased."""
        self.findings: list[AuditFinding] = []
        self._types = notable
        self._prefix = chain.stream_prefix(stream.tenant, stream.text)
        self._hash = chain.GENESIS
        """Stored hash of the last row."""
        self._last: ChainedRow | None = None
        self._shift = 0
        """The number by which rows stand behind the version that they were written with."""
        self._sound = chain.GENESIS
        """Hash of the last event that held."""
        self._pending: list[Suspect] = []
        """Suspects since the last event that held."""
        self._suspects: list[Suspect] = []
        """Suspects of which it is known that the chain goes on behind them."""
        self._altered: list[int] = []
        self._linked = True
        """False right behind a gap: the hash that the next event was chained to is unknown."""

    def copied(self) -> StreamWalk:
        """Return a copy: a page may be read again, if the database was lost meanwhile."""
        made = copy(self)
        for name in ("notable", "gone", "findings", "_pending", "_suspects", "_altered"):
            setattr(made, name, [*getattr(self, name)])
        return made

    def take(self, row: ChainedRow, *, lost: bool) -> None:
        """Take the next row; ``lost`` means that its large content is missing."""
        self.events += 1
        version = row.version
        if version != self.version + 1:
            self._gap(version)
        promise = row.commitment
        if lost:
            self._report(version, "missing", "its large content is not in 'blobs'")
            self._linked = False
        elif row.content is None:
            self._without_content(row)
        else:
            if promise is not None:
                self._report(version, "altered", "it has content and a commitment, too")
            promise = promised(row)
        if self._linked and not self._pending and not self._shift:  # the usual case
            if hash_of(row, promise, self._prefix, self._hash, version) == row.hash:
                self._hash = self._sound = row.hash
                self._order(row)
            else:
                self._doubt(row, promise)
        else:
            self._doubt(row, promise)
        if row.type in self._types:
            self.notable.append(Notable(version, row.type, row.schema_version, row.data))
        self._last, self.version = row, version

    def _gap(self, version: int) -> None:
        first, last = self.version + 1, version - 1
        self._report(
            first,
            "missing",
            "the event is missing" if first == last else f"the events up to {last} are missing",
        )
        self._settle()
        self._linked = False

    def _without_content(self, row: ChainedRow) -> None:
        if row.salt is not None:
            self._report(row.version, "altered", "it has a salt and no content")
        if row.commitment is not None:
            self.gone.append(row.version)

    def _doubt(self, row: ChainedRow, promise: bytes | None) -> None:
        """Check the hash of a row, and what it shows of the suspects before it."""
        if not self._linked:  # the event before is missing: the link cannot be recomputed
            self._linked = True
            self._hash = self._sound = row.hash
            return
        hashed, written = Hashed(row, promise, self._prefix), row.version - self._shift
        if hashed.holds(self._hash, written):
            self._settle()
            self._hash = self._sound = row.hash
            return
        behind = self._explained(hashed, written) if self._pending else None
        if behind is None:
            self._pending.append(Suspect(hashed, self._hash))
            self._hash = row.hash
            if len(self._pending) > _SUSPECTS_MAX:
                self._altered.append(self._pending.pop(0).version)
        else:
            self._hash = self._sound = behind

    def _explained(self, hashed: Hashed, written: int) -> bytes | None:
        """Return the hash to go on from, if this event shows what happened to the suspects."""
        first, last = self._pending[0], self._pending[-1]
        if hashed.holds(last.hashed.computed(last.before, last.version - self._shift), written):
            self._settle()  # the stored hash of the last one was altered, and nothing else
            return hashed.row.hash
        count = len(self._pending)
        if hashed.holds(self._sound, written - count):
            if count == 1 and first.hashed.holds(hashed.row.hash, written):
                message = f"the events {first.version} and {hashed.row.version} changed places"
                self._report(first.version, "reordered", message)
                self._pending.clear()
                return first.hashed.row.hash
            for start, end in ranges([one.version for one in self._pending]):
                self._report(start, "inserted", _told(start, end, "is no event of this stream"))
            self._pending.clear()
            self._shift += count
            return hashed.row.hash
        for skipped in range(1, _SKIPPED_MAX + 1):
            if hashed.holds(self._hash, written + skipped):
                events = "an event is" if skipped == 1 else f"{skipped} events are"
                self._report(first.version, "missing", f"{events} missing before this one")
                self._altered += [one.version for one in self._pending[1:]]
                self._pending.clear()
                self._shift -= skipped
                return hashed.row.hash
        return None

    def _settle(self) -> None:
        """Put the suspects aside: the chain goes on behind them."""
        for one in self._pending:
            if len(self._suspects) < _SUSPECTS_MAX:
                self._suspects.append(one)
            else:
                self._altered.append(one.version)
        self._pending.clear()

    def _order(self, row: ChainedRow) -> None:
        before = self._last
        if before is not None and row[-3:] <= before[-3:]:
            message = "its position in the store is not behind that of the event before it"
            self._report(row.version, "reordered", message)

    # -- the end -------------------------------------------------------------------------------

    def finish(self, head: HeadOfStream | None) -> None:
        """Judge the suspects, and compare the end of the stream with its head."""
        self._settle()
        for version, kind, message in judged(self._suspects):
            self._report(version, kind, message)
        for start, end in ranges(sorted(self._altered)):
            self._report(start, "altered", _told(start, end, "does not match its hash"))
        self._altered.clear()
        self._suspects.clear()
        for one in self._against(head):
            self._add(one)
        self.findings.sort(key=lambda one: one.version)

    def _against(self, head: HeadOfStream | None) -> Iterator[AuditFinding]:
        stream, last = self.stream.text, self._last
        if head is None:
            message = "the stream has no row in 'streams', although it has events"
            yield finding(stream, self.version, "missing", message)
        elif head.version > self.version:
            message = f"the events end here, and its row in 'streams' counts {head.version}"
            yield finding(stream, self.version + 1, "cut_off", message)
        elif head.version < self.version:
            message = f"its row in 'streams' ends with version {head.version}"
            yield finding(stream, head.version + 1, "inserted", message)
        elif last is not None:
            stored = (last.recorded_at_us, last.hash, last.epoch, last.xid)
            if stored != (head.recorded_at_us, head.hash, head.epoch, head.xid):
                message = "its row in 'streams' has another hash, time or order"
                yield finding(stream, self.version, "altered", message)

    def _report(self, version: int, kind: str, message: str) -> None:
        self._add(finding(self.stream.text, version, kind, message))  # type: ignore[arg-type]

    def _add(self, one: AuditFinding) -> None:
        if len(self.findings) < _FINDINGS_MAX:
            self.findings.append(one)


_FINDINGS_MAX: Final = 100
"""Findings that are kept of one stream: the first ones say enough."""


def _told(first: int, last: int, what: str) -> str:
    return f"the event {what}" if first == last else f"each event up to {last} {what}"
