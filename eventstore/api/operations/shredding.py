"""Retire the keys of what is erased before its content is looked for; destroy them afterwards.

From the commit that retires a key on, no process seals with it. So the erasure that follows finds
everything that it ever sealed, and whoever writes for the same subject meanwhile, or later, gets
another key. The key is destroyed after the last commit, and only if no content that it sealed is
left: a key that cannot be destroyed is kept and reported, because content must not be lost.

The key of a tenant's words is different: the erasure itself reads labels with it, and rows do not
say which key hid them. So it is retired when the erasure is through, in a transaction that finds
no hidden word left in the tenant; otherwise somebody wrote meanwhile, and the key is kept.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from eventstore.api.operations.operation import (
    Collected,
    Maintenance,
    Page,
    Paged,
    PageDone,
    Read,
    Write,
)
from eventstore.api.operations.walking import then
from eventstore.core.codec import SUBJECT, WORDS, ContentCodec
from eventstore.core.events import StreamKey
from eventstore.encryption.data_keys import DataKeys, WrappedKey
from eventstore.encryption.sealed_codec import SealedCodec
from eventstore.storage.retired_keys import retire
from eventstore.storage.sealed_content import beginnings_of, hides_any
from eventstore.storage.transaction import Transaction

__all__ = ["owner_of_subject", "owners_of_tenant", "shredding"]

R = TypeVar("R")

_PAGE: Final = 1_000
_log: Final = logging.getLogger("eventstore.encryption")

Generations: TypeAlias = Sequence[tuple[StreamKey, int]]
"""Owners, and the generation up to which their keys go."""


class _Retire(NamedTuple):
    """Keys were looked up, and are retired now."""

    keys: Generations


class _Erase(NamedTuple):
    """A place of the erasure itself."""

    keys: Generations
    place: Any


class _RetireWords(NamedTuple):
    """Everything is erased; the key of the words is retired now."""

    keys: Generations
    following: Any
    """The place behind it."""


class _Destroy(NamedTuple):
    """Everything is erased, and no process uses the keys any more."""

    keys: Generations
    following: Any
    """The place behind it."""


def owner_of_subject(tenant: str, subject: bytes) -> StreamKey:
    """Return the owner of the keys of a subject."""
    return StreamKey(tenant, SUBJECT, subject)


def owners_of_tenant(
    codec: ContentCodec, tenant: str
) -> Callable[[Transaction], Sequence[StreamKey]]:
    """Return a function that finds every owner of keys of a tenant."""

    def found(tx: Transaction) -> Sequence[StreamKey]:
        if not isinstance(codec, SealedCodec):
            return ()
        keys = codec.asked(tx, lambda store: [*_every_key(store)])
        return [*dict.fromkeys(key.owner for key in keys if key.owner.tenant == tenant)]

    return found


def _every_key(keys: DataKeys) -> Iterator[WrappedKey]:
    after = b""
    while page := keys.page(after, _PAGE):
        yield from page
        after = page[-1].key_id


def shredding(
    codec: ContentCodec,
    owners: Callable[[Transaction], Sequence[StreamKey]],
    erasure: Collected[R],
    *,
    last: Sequence[str] = (),
) -> Collected[R]:
    """Return an erasure that also destroys the keys of owners; unchanged without encryption.

    ``last`` are places of the erasure at which it ends here: the caller goes on from them himself.
    """
    if not isinstance(codec, SealedCodec):
        return erasure
    walk = erasure.walk

    def page(place: object) -> Page[Any]:
        if isinstance(place, _Retire):
            return _retiring(place.keys, _Erase(place.keys, walk.first))
        if isinstance(place, _Erase):
            return then(walk.page(place.place), partial(_next, place.keys, last))
        if isinstance(place, _RetireWords):
            return _retiring_words(place)
        if isinstance(place, _Destroy):
            return _destroying(codec, place)
        return Read(lambda tx: ((), begun(tx)))

    def begun(tx: Transaction) -> _Retire | _Erase:
        keys = _newest(codec, tx, owners(tx))
        return _Retire(keys) if keys else _Erase((), walk.first)

    return Collected(Paged("keys", page), erasure.report)


def _newest(codec: SealedCodec, tx: Transaction, owners: Sequence[StreamKey]) -> Generations:
    found = codec.asked(tx, lambda keys: [keys.newest(owner) for owner in owners])
    return [(key.owner, key.generation) for key in found if key is not None]


def _retiring(keys: Generations, following: _Erase) -> Page[Any]:
    def act(tx: Transaction) -> tuple[tuple[()], _Erase]:
        retire(tx, [key for key in keys if not _hides_words(key)])
        return (), following

    # It keeps the rows, but the writer must forget which keys were retired when it looked.
    return Write(Maintenance(act, alone=True))


def _retiring_words(place: _RetireWords) -> Page[Any]:
    def act(tx: Transaction) -> tuple[tuple[()], _Destroy]:
        retire(tx, ())  # on PostgreSQL it waits for the writers, so that their rows are seen
        kept = [key for key in place.keys if _hides_words(key) and hides_any(tx, key[0].tenant)]
        retire(tx, [key for key in place.keys if _hides_words(key) and key not in kept])
        if kept:
            _log.warning("the key of a tenant's words was not destroyed: hidden words are left")
        return (), _Destroy([key for key in place.keys if key not in kept], place.following)

    return Write(Maintenance(act, alone=True))


def _hides_words(key: tuple[StreamKey, int]) -> bool:
    return key[0].category == WORDS


def _next(keys: Generations, last: Sequence[str], found: PageDone[Any]) -> PageDone[Any]:
    """Follow the erasure; once its content is gone, the keys go, before the files are wiped."""
    items, place = found
    if not isinstance(place, str | None) or place not in {"files", None}:
        return items, _Erase(keys, place)
    following = place if place is None or place in last else _Erase((), place)
    if any(map(_hides_words, keys)):
        return items, _RetireWords(keys, following)
    return items, _Destroy(keys, following) if keys else following


def _destroying(codec: SealedCodec, place: _Destroy) -> Page[Any]:
    def act(tx: Transaction) -> tuple[tuple[()], Any]:
        for owner, generation in place.keys:
            left = codec.generations(tx, [raw[2:] for raw in beginnings_of(tx, owner)])
            if any(one <= generation for one in left):
                _log.warning(
                    "a key of %s was not destroyed: content that it sealed is left",
                    owner.category.lstrip("#"),
                )
                continue
            codec.destroyed(tx, owner, generation)
        return (), place.following

    if codec.keys is not None:
        return Read(act)
    return Write(Maintenance(act, keeps_rows=True, alone=True))
