"""Erase events: set content and salt to NULL, the only change of an event.

The commitment replaces them, so the chain verifies as before. A blob is deleted right after them:
not before, while the event still refers to it.

An idempotency key keeps a salted digest of its command's words. Salt and digest stand together, so
a guess of the words could be tested against them. They are erased with the content.

One erasure may concern the content of very many events: each step of a long thread saw its first
message. So the transaction that records the erasure only lists the content, in ``erasing``, and
from then on no reader sees it (:mod:`~eventstore.storage.blobs`). Afterwards it is erased in parts,
each in its own transaction, so that other writers wait for a part and not for all. Any process that
finds a part may erase it, whatever became of the process that listed it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from eventstore.core import chain, codec
from eventstore.core.events import StreamKey
from eventstore.storage import blobs
from eventstore.storage.ordering import Place
from eventstore.storage.statements import Insert, Update
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction

__all__ = ["PART_EVENTS", "Part", "erase_part", "hold", "keys_of", "list_content", "next_part"]

PART_EVENTS: Final = 256
"""Most events that lose their content in one transaction."""
_PART_BYTES: Final = 2 * 1024 * 1024
"""Content after which a part ends: SQLite overwrites what it frees."""
_READ_AT_ONCE: Final = 16

_PLACE: Final = ("tenant", "category", "stream")
_STREAM: Final = "tenant = ? AND category = ? AND stream = ?"
_TOUCH: Final = f"UPDATE {{streams}} SET version = version WHERE {_STREAM}"
_CONTENTS: Final = (
    f"SELECT version, salt, content FROM {{events}} WHERE {_STREAM}"
    f" AND version IN ({', '.join('?' * _READ_AT_ONCE)}) ORDER BY version"
)
_ERASE: Final = Update("events", ("content", "salt", "commitment"), (*_PLACE, "version"))
_KEYS: Final = f"SELECT key, first_version, last_version FROM {{idempotency_keys}} WHERE {_STREAM}"
_FORGET: Final = Update("idempotency_keys", ("salt", "digest"), (*_PLACE, "key"))
_LIST: Final = Insert("erasing", (*_PLACE, "version", "part", "versions", "keys"))
_NEXT: Final = (
    "SELECT tenant, category, stream, version, part, versions, keys FROM {erasing}"
    " ORDER BY tenant, category, stream, version, part LIMIT 1"
)
_AS_FOUND: Final = f"{_STREAM} AND version = ? AND part = ? AND versions = ?"
_DONE: Final = f"DELETE FROM {{erasing}} WHERE {_AS_FOUND}"
_GO_ON: Final = f"UPDATE {{erasing}} SET versions = ?, keys = ? WHERE {_AS_FOUND}"


class Part(NamedTuple):
    """The content to erase next."""

    place: Place
    found: tuple[Any, ...]
    """The row of ``erasing``, as it was found."""
    commitments: Sequence[tuple[int, bytes]]
    """By version; only versions that have content."""
    apart: Sequence[int]
    """Versions whose content is a blob."""
    keys: Sequence[str]
    left: Sequence[int]
    """Versions of the same row that are not in this part."""


def hold(tx: Transaction, stream: StreamKey) -> None:
    """Lock a stream's head: until the transaction ends nobody writes to the stream, or forks it.

    It also stops transactions that still see the old state: an application's transaction at
    REPEATABLE READ, to which a fork's head would not seem to have moved when content of its source
    was erased. The row is written unchanged, and such a transaction fails when it locks the row.
    """
    place = place_of(tx, stream)
    if place is not None:
        tx.ordering.take(tx, [place], 1, patient=True)
        if not tx.ordering.single_writer:
            tx.run(_TOUCH, place)


def keys_of(tx: Transaction, stream: StreamKey, versions: Sequence[int]) -> list[tuple[int, str]]:
    """Return the idempotency keys of commands that made events, each with its first event.

    It scans all keys of the stream. The versions are in order.
    """
    place = place_of(tx, stream)
    found = []
    for key, first, last in tx.all(_KEYS, place) if place is not None and versions else ():
        at = bisect_left(versions, first)
        if at < len(versions) and versions[at] <= last:
            found.append((versions[at], key))
    return sorted(found)


def list_content(
    tx: Transaction,
    stream: StreamKey,
    version: int,
    versions: Sequence[int],
    keys: Iterable[tuple[int, str]],
) -> None:
    """List content to erase; no reader sees it from then on, and :func:`erase_part` erases it.

    ``version`` is that of the erasure's own event, which the caller has written.
    """
    place = place_of(tx, stream)
    assert place is not None  # noqa: S101 (the stream has events)
    rows, waiting = [], list(keys)
    for start in range(0, len(versions), PART_EVENTS):
        some = versions[start : start + PART_EVENTS]
        of_these = [key for first, key in waiting if some[0] <= first <= some[-1]]
        rows.append((*place, version, start, codec.encode(some), codec.encode(of_these)))
    tx.write(_LIST, rows)


def next_part(tx: Transaction) -> Part | None:
    """Find the content to erase next, of any erasure; None if nothing is listed.

    It computes the commitments here, so that no writer waits for them.
    """
    row = tx.one(_NEXT)
    if row is None:
        return None
    tenant, category, stream, _, _, listed, keys = row
    place = tenant, category, bytes(stream)
    versions: list[int] = codec.decode_any(listed)
    commitments: list[tuple[int, bytes]] = []
    apart: list[int] = []
    seen = size = 0
    while seen < len(versions) and size <= _PART_BYTES:
        some = versions[seen : seen + _READ_AT_ONCE]
        seen += len(some)
        for version, salt, content, large in _contents(tx, place, some):
            commitments.append((version, chain.commitment(salt, content)))
            size += len(content)
            if large:
                apart.append(version)
    left = versions[seen:]
    return Part(place, tuple(row[:6]), commitments, apart, codec.decode_any(keys), left)


def _contents(
    tx: Transaction, place: Place, versions: Sequence[int]
) -> Iterator[tuple[int, bytes, bytes, bool]]:
    """Yield salt and content of the events that have any, and whether it stands apart."""
    asked = [*versions, *[versions[-1]] * (_READ_AT_ONCE - len(versions))]
    for version, salt, content in tx.all(_CONTENTS, (*place, *asked)):
        if content == blobs.ELSEWHERE:
            yield version, salt, blobs.content_of(tx, (*place, version)), True
        elif content is not None:
            yield version, salt, content, False


def erase_part(tx: Transaction, part: Part) -> None:
    """Erase a part, unless another process has erased or purged it meanwhile."""
    if part.left:
        mine = tx.run(_GO_ON, (codec.encode(part.left), codec.encode([]), *part.found))
    else:
        mine = tx.run(_DONE, part.found)
    if not mine:
        return
    rows = [(None, None, commitment, *part.place, one) for one, commitment in part.commitments]
    tx.write(_ERASE, rows)
    tx.flush()
    for version in part.apart:
        blobs.drop(tx, (*part.place, version))
    tx.write(_FORGET, [(b"", b"", *part.place, key) for key in part.keys])
