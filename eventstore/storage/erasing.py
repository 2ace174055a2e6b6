"""Erasing: the only change of an event, its content and salt to NULL.

The commitment takes their place, so the chain verifies as before. A blob goes right after them: not
before, while the event still says that it is there.

What idempotency keys keep of a command is a salted digest of its words: salt and digest are
together, so a guess of the words could be tested against them. They go with the content.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eventstore.core import chain
from eventstore.core.events import StreamKey
from eventstore.errors import BrokenChain
from eventstore.storage import blobs
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.transaction import Transaction

__all__ = ["erase_content", "hold"]

_STREAM: Final = "tenant = ? AND category = ? AND stream = ?"
_FIND: Final = f"SELECT salt, content FROM {{events}} WHERE {_STREAM} AND version = ?"
_ERASE: Final = (
    "UPDATE {events} SET content = NULL, salt = NULL, commitment = ?"
    f" WHERE {_STREAM} AND version = ?"
)
_TOUCH: Final = f"UPDATE {{streams}} SET version = version WHERE {_STREAM}"
_FORGET_DIGESTS: Final = (
    "UPDATE {idempotency_keys} SET salt = ?, digest = ?"
    f" WHERE {_STREAM} AND first_version <= ? AND last_version >= ?"
)


def hold(tx: Transaction, stream: StreamKey) -> None:
    """Take a stream's head: until the transaction ends nobody writes to the stream, or forks it.

    Nor does afterwards who still sees what was before: an application's transaction at REPEATABLE
    READ, to which a fork's head would not seem to have moved when words went from its source. The
    row is written as it is, and whoever takes it in such a transaction is told that it changed.
    """
    tenant, category = find_tenant(tx, stream.tenant), find_category(tx, stream.category)
    if tenant is not None and category is not None:
        place = tenant, category, stream.id
        tx.ordering.take(tx, [place], 1, patient=True)
        if not tx.ordering.alone:
            tx.run(_TOUCH, place)


def erase_content(tx: Transaction, stream: StreamKey, versions: Iterable[int]) -> None:
    """Erase the content of events, and the digests of the commands that made them.

    The caller holds the stream's head and has written the event that says so.

    Raises:
        BrokenChain: there is no content: somebody took it without an event.
    """
    tenant, category = find_tenant(tx, stream.tenant), find_category(tx, stream.category)
    assert tenant is not None  # noqa: S101 (the stream has events)
    assert category is not None  # noqa: S101
    for version in versions:
        key = (tenant, category, stream.id, version)
        row = tx.one(_FIND, key)
        if row is None or row[1] is None:
            raise BrokenChain(stream.text, version, "its content is missing and cannot be erased")
        salt, content = row
        apart = content == blobs.ELSEWHERE
        if apart:
            content = blobs.content_of(tx, key)
        tx.run(_ERASE, (chain.commitment(salt, content), *key))
        if apart:
            blobs.drop(tx, key)
        tx.run(_FORGET_DIGESTS, (b"", b"", *key, version))
