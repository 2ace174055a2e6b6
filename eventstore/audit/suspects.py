"""Judge events whose hashes do not hold: altered where they stand, or moved from another place."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from eventstore.audit.findings import ranges
from eventstore.core import chain
from eventstore.storage.chain_pages import ChainedRow

__all__ = ["Hashed", "Suspect", "hash_of", "judged", "promised"]


def promised(row: ChainedRow) -> bytes:
    """Return the commitment to the content of a row; one that holds nowhere if it is malformed."""
    try:
        return chain.commitment(row.salt or b"", row.content or b"")
    except TypeError:  # SQLite stores text in any column
        return b"?"


def hash_of(
    row: ChainedRow, promise: bytes | None, prefix: bytes, previous: bytes, version: int
) -> bytes:
    """Return the hash of a row at a version, behind the event with another hash.

    ``promise`` is the commitment to its content. A row with values that no event has gets a hash
    that none has.
    """
    try:
        if len(row.event_id) != _ID_BYTES:
            return b""
        return chain.event_hash(
            prefix,
            previous,
            version=version,
            event_id=row.event_id,
            event_type=row.type,
            schema_version=row.schema_version,
            recorded_at_us=row.recorded_at_us,
            metadata=row.metadata,
            data=row.data,
            content_commitment=promise,
        )
    except (TypeError, AttributeError, struct.error):
        return b""


_ID_BYTES: Final = 16


class Hashed:
    """An event, ready to be hashed behind another one."""

    def __init__(self, row: ChainedRow, promise: bytes | None, prefix: bytes) -> None:
        """``promise`` is the commitment to its content, which is dropped."""
        self.row: Final = row._replace(content=None)
        self._promise: Final = promise
        self._prefix: Final = prefix

    def computed(self, previous: bytes, version: int) -> bytes:
        """Return its hash at a version, behind the event with another hash."""
        return hash_of(self.row, self._promise, self._prefix, previous, version)

    def holds(self, previous: bytes, version: int) -> bool:
        """Return whether its stored hash is the one that it has there."""
        return self.computed(previous, version) == self.row.hash


class Suspect(NamedTuple):
    """An event whose hash does not hold where it stands."""

    hashed: Hashed
    before: bytes
    """Stored hash of the event before it."""

    @property
    def version(self) -> int:
        """The version under which it stands."""
        return self.hashed.row.version


def judged(
    suspects: Sequence[Suspect],
) -> Iterator[tuple[int, Literal["altered", "reordered"], str]]:
    """Yield version, kind and message for the suspects of a stream that were changed.

    An event that holds at the place of another suspect was moved from there. One that holds where
    it stands, behind a suspect that was moved, was not changed itself.
    """
    altered: list[int] = []
    for one in suspects:
        place = _home(one, suspects)
        if place is None:
            altered.append(one.version)
        elif place != one.version:
            yield one.version, "reordered", f"the event was written as version {place}"
    for first, last in ranges(altered):
        told = "the event does not match its hash"
        if first != last:
            told = f"each event up to {last} does not match its hash"
        yield first, "altered", told


def _home(one: Suspect, suspects: Sequence[Suspect]) -> int | None:
    """Return the version at which an event holds; None if there is none among the suspects."""
    hashes = dict.fromkeys([*(other.before for other in suspects), *map(_stored, suspects)])
    for other in suspects:
        for previous in hashes:
            if one.hashed.holds(previous, other.version):
                return other.version
    return None


def _stored(one: Suspect) -> bytes:
    return one.hashed.row.hash
