"""Fetch keys: what to ask the key store, in which order.

Written once as generators, for key stores that a thread asks and for those that stand in the
store's own database, where asking is a read or a write of either face. A generator yields
:class:`Ask` for the key store and :class:`Think` for work of the master key, which may be a service
far away; it is sent the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any, Final, NamedTuple, TypeAlias

from eventstore.core.codec import WORDS, KeysWanted
from eventstore.core.events import StreamKey
from eventstore.encryption.data_keys import DataKeys, WrappedKey
from eventstore.encryption.key_ring import RESERVED, USES_MAX, Found, KeyRing
from eventstore.errors import KeyUnavailable

__all__ = ["Ask", "Fetching", "Think", "fetch", "fetched_by", "look_up", "wanted_of"]


class Ask(NamedTuple):
    """A question to the key store."""

    of: Callable[[DataKeys], Any]
    """Takes a key store, or one in a transaction."""
    writes: bool = False


class Think(NamedTuple):
    """Work of the master key, which may take a while."""

    act: Callable[[], Any]


Fetching: TypeAlias = Generator[Ask | Think, Any, Found]

_TRIES: Final = 16
"""Each lost race means that another process made a key, so nobody loses many in a row."""


def wanted_of(ring: KeyRing, owners: Iterable[StreamKey]) -> KeysWanted | None:
    """Return the owners whose keys have to be fetched; None if all are in hand."""
    missing = [owner for owner in owners if ring.sealing(owner) is None]
    return KeysWanted(missing) if missing else None


def fetch(ring: KeyRing, wanted: KeysWanted) -> Fetching:
    """Fetch keys into a ring.

    Raises:
        KeyUnavailable: there is no key store, or a master key does not open one of them.
    """
    if ring.problem is not None:
        raise KeyUnavailable("the store", ring.problem)
    for owner in wanted.owners:
        if ring.sealing(owner) is None:
            yield from _for_sealing(ring, owner)
    return (yield from look_up(ring, KeysWanted(key_ids=wanted.key_ids)))


def look_up(ring: KeyRing, wanted: KeysWanted) -> Fetching:
    """Fetch the keys that there are, to read with them, and make none; return them by id."""
    found: Found = {}
    rows: list[WrappedKey] = []
    if wanted.key_ids:
        rows += yield Ask(lambda keys: keys.get([*wanted.key_ids]))
    for owner in wanted.owners:
        newest = yield Ask(partial(_newest, owner=owner))
        rows += [] if newest is None else [newest]
    for key in rows:
        found[key.key_id] = ring.keep(key, (yield Think(partial(ring.unwrapped, key))))
    return found


def _for_sealing(ring: KeyRing, owner: StreamKey) -> Generator[Ask | Think, Any, None]:
    """Fetch the newest key of an owner, or make one; it is durable before it is kept."""
    floor = ring.floor(owner)
    for _ in range(_TRIES):
        newest = yield Ask(partial(_newest, owner=owner))
        if newest is None or newest.wrapped is None or newest.generation <= floor:
            generation = max(floor, 0 if newest is None else newest.generation) + 1
            key, raw = yield Think(partial(ring.made, owner, generation))
            if (yield Ask(partial(_put, key=key), writes=True)):
                ring.keep(key, raw, RESERVED)
                return
        elif ring.renewed(newest):
            return
        elif owner.category == WORDS or (
            yield Ask(partial(_reserve, key_id=newest.key_id), writes=True)
        ):
            raw = yield Think(partial(ring.unwrapped, newest))
            ring.keep(newest, raw, RESERVED)
            return
        else:
            floor = newest.generation  # it is used up, or was destroyed just now
    raise KeyUnavailable("new content", "the key store refused every key that was made")


def _newest(keys: DataKeys, owner: StreamKey) -> WrappedKey | None:
    return keys.newest(owner)


def _put(keys: DataKeys, key: WrappedKey) -> bool:
    return keys.put(key)


def _reserve(keys: DataKeys, key_id: bytes) -> bool:
    return keys.reserve(key_id, RESERVED, USES_MAX)


def fetched_by(keys: DataKeys, fetching: Fetching) -> Found:
    """Run a generator to its end with a key store that this thread can ask."""
    answer: Any = None
    while True:
        try:
            step = fetching.send(answer)
        except StopIteration as end:
            found: Found = end.value
            return found
        answer = step.of(keys) if isinstance(step, Ask) else step.act()
