"""The findings of a verification: where something differs, how, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final, Literal, TypeAlias

from eventstore.core.values import Value

__all__ = ["AuditFinding", "FindingKind", "VerifyReport", "finding", "ranges"]

FindingKind: TypeAlias = Literal[
    "altered",
    "missing",
    "inserted",
    "reordered",
    "cut_off",
    "content_gone",
    "content_left",
    "unreadable",
    "projection_differs",
]

_BACKUP: Final = (
    "Compare the stream with a backup that passes verification, and find out who could write to"
    " the database."
)
_REMEDIES: Final[dict[FindingKind, str]] = {
    "altered": _BACKUP,
    "missing": f"Nothing else holds what it said. {_BACKUP}",
    "inserted": f"Do not delete it before the two were compared. {_BACKUP}",
    "reordered": _BACKUP,
    "cut_off": f"Nothing else holds what followed. {_BACKUP}",
    "content_gone": "store.privacy.erase() records what it erases, so this was done by hand: find"
    " the content in a backup, or erase the message, so that the log says so.",
    "content_left": "Erase the message again. If it comes back, an old copy of the database was"
    " put in place.",
    "unreadable": "Read the store with the version of the library that wrote the event.",
    "projection_differs": "'eventstore check --rebuild' or store.projections.rebuild() makes the"
    " rows anew from the events.",
}


class AuditFinding(Value):
    """One place where the store is not what was written."""

    stream_id: str
    """The stream; or ``"tree"``, ``"tenants"``, ``"categories"`` for the tables of that name."""
    version: int
    """The event, or a number in such a table; for rows of other tables, the version of the stream's
    last event; 0 for a stream without events."""
    kind: FindingKind
    """``"altered"``, ``"missing"``, ``"inserted"``, ``"reordered"`` or ``"cut_off"`` concern the
    log. ``"content_gone"`` is content that went without an event that erases it, ``"content_left"``
    content that is there in spite of one. ``"unreadable"`` is an event that no rule can fold.
    ``"projection_differs"`` concerns tables that are made from the events."""
    message: str
    """A sentence that describes it, without content."""
    remedy: str
    """The next thing to do."""


class VerifyReport(Value):
    """The result of a verification; ``ok`` means that something was verified and nothing found."""

    streams: int
    """Streams whose chain was recomputed."""
    events: int
    """Events whose hash was recomputed."""
    threads_compared: int
    """Threads whose tables were compared with their events."""
    threads_not_compared: int
    """Threads whose tables were not compared, because their events do not hold."""
    unchanged: int = 0
    """Streams that did not go on since the tree head; only their ends were compared."""
    read_models: tuple[str, ...] = ()
    """Projections that were built anew in memory and compared."""
    since: int | None = None
    """Version of the mark in the tenant's stream of the category ``store`` from which this
    verification went on; None if it began at the beginning."""
    marked: int | None = None
    """Version of the mark that this verification left there."""
    findings: tuple[AuditFinding, ...]
    """Everything that was found."""

    @property
    def empty(self) -> bool:
        """There was nothing to verify: the tenant, or the thread, has no events."""
        return self.streams == 0 and self.unchanged == 0

    @property
    def ok(self) -> bool:
        """Something was verified, and nothing found."""
        return not self.findings and not self.empty


def finding(
    stream_id: str, version: int, kind: FindingKind, message: str, remedy: str | None = None
) -> AuditFinding:
    """Return a finding; the remedy follows from its kind, if there is no better one."""
    return AuditFinding(
        stream_id=stream_id,
        version=version,
        kind=kind,
        message=message,
        remedy=_REMEDIES[kind] if remedy is None else remedy,
    )


def ranges(versions: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and last of each stretch of versions that follow one another."""
    numbered = enumerate(versions)
    for _, stretch in groupby(numbered, lambda pair: pair[1] - pair[0]):
        found = list(map(itemgetter(1), stretch))
        yield found[0], found[-1]
