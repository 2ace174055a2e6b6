"""``store.keys``: the data keys of a store with encryption, and what wraps them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from eventstore.api.operations.operation import (
    Collected,
    Maintenance,
    Page,
    Paged,
    Read,
    Scope,
    Write,
    WriteOptions,
    write,
)
from eventstore.conversation.store_events import RotateKey
from eventstore.core.values import Value
from eventstore.encryption.data_keys import DataKeys, WrappedKey
from eventstore.encryption.sealed_codec import SealedCodec
from eventstore.errors import InvalidInput, KeyUnavailable
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Appended, AppendRequest
from eventstore.write_path.store_streams import store_stream

__all__ = ["KeyStatus", "Rotation", "rotate", "status"]

_PAGE: Final = 256


class KeyStatus(Value):
    """The data keys of a store, or of its tenant if it is bound to one."""

    master_key: str
    """Id of the master key that wraps new data keys."""
    keys: dict[str, int]
    """Number of data keys by the id of the master key that wraps them. A master key without one is
    not needed any more, except for backups of the key store."""
    problem: str | None
    """Why no data key can be had, for example that the key store is gone."""


class Rotation(Value):
    """The result of a rotation."""

    master_key: str
    """Id of the master key that wraps all data keys now."""
    former_master_keys: tuple[str, ...]
    """Ids of those that wrapped some of them before."""
    keys: int
    """Number of data keys that were wrapped again."""


def status(scope: Scope) -> Collected[KeyStatus]:
    """Return which master keys wrap the data keys.

    Raises:
        InvalidInput: the store was opened without encryption.
        KeyUnavailable: the key store cannot be used.
    """
    codec = _codec(scope)

    def page(after: bytes) -> Page[WrappedKey]:
        return Read(lambda tx: _page(codec, scope, tx, after))

    def report(found: list[WrappedKey]) -> KeyStatus:
        counted = Counter(key.master for key in found)
        return KeyStatus(
            master_key=codec.ring.master_id,
            keys=dict(sorted(counted.items())),
            problem=codec.ring.problem,
        )

    return Collected(Paged(b"", page), report)


def rotate(
    scope: Scope, *, actor: str | None = None, reason: str | None = None
) -> Collected[Rotation]:
    """Wrap every data key by the store's present master key; no content is written again.

    The former master keys have to be given to ``Encryption(former_master_keys=…)``. It may be
    interrupted and called again: keys that are done are left alone. Other processes may read and
    write meanwhile, once they know both master keys. A ``KeyRotated`` in the tenant's stream of the
    category ``store`` records it.

    Args:
        actor: Opaque id of the user or service that acts.
        reason: The reason, in the writer's words; erasable.

    Raises:
        InvalidInput: the store was opened without encryption.
        KeyUnavailable: a master key that wraps one of the keys is not known, or cannot be used.
    """
    codec = _codec(scope)
    if codec.ring.problem is not None:
        raise KeyUnavailable("the store", codec.ring.problem)
    walk = _Rotating(scope, codec, WriteOptions(actor=actor, reason=reason))

    def report(found: list[str]) -> Rotation:
        return Rotation(
            master_key=codec.ring.master_id,
            former_master_keys=tuple(sorted({*found})),
            keys=len(found),
        )

    return Collected(Paged(b"", walk), report)


class _Rewrapped(NamedTuple):
    """Keys to exchange, and the place behind them."""

    pairs: Sequence[tuple[WrappedKey, WrappedKey]]
    behind: bytes | str


class _Rotating:
    """The steps of a rotation: look at a page of keys, wrap them again, exchange them."""

    def __init__(self, scope: Scope, codec: SealedCodec, options: WriteOptions) -> None:
        self._scope = scope
        self._codec = codec
        self._options = options
        self._done: list[str] = []

    def __call__(self, place: object) -> Page[str]:
        if isinstance(place, bytes):
            return Read(lambda tx: self._look(tx, place))
        if isinstance(place, _Rewrapped):
            if self._codec.keys is not None:
                return Read(lambda tx: self._exchange(tx, place))
            return Write(Maintenance(lambda tx: self._exchange(tx, place), keeps_rows=True))
        return self._record()

    def _look(self, tx: Transaction, after: bytes) -> tuple[tuple[()], object]:
        found, behind = _page(self._codec, self._scope, tx, after)
        ring = self._codec.ring
        stale = [key for key in found if key.master != ring.master_id]
        pairs = self._codec.thought(lambda: [(key, ring.wrapped_again(key)) for key in stale])
        return (), _Rewrapped(pairs, "record" if behind is None else behind)

    def _exchange(self, tx: Transaction, place: _Rewrapped) -> tuple[list[str], object]:
        codec, pairs = self._codec, place.pairs
        done = [
            old.master for old, new in pairs if codec.asked(tx, partial(_replace, old=old, new=new))
        ]
        self._done += done
        if place.behind == "record" and not self._done:
            return done, None
        return done, place.behind

    def _record(self) -> Write[Any]:
        command = RotateKey(
            master=self._codec.ring.master_id,
            formers=tuple(sorted({*self._done})),
            keys=len(self._done),
        )
        made = write(self._scope, store_stream(self._scope.tenant), (command,), self._options)
        assert isinstance(made.request, AppendRequest)  # noqa: S101 (what write() makes)
        return Write(made.request, answer=_nothing_follows)


def _replace(keys: DataKeys, old: WrappedKey, new: WrappedKey) -> bool:
    return keys.replace(old, new)


def _nothing_follows(_: Appended) -> tuple[tuple[()], None]:
    return (), None


def _page(
    codec: SealedCodec, scope: Scope, tx: Transaction, after: bytes
) -> tuple[list[WrappedKey], bytes | None]:
    """Return the next keys of the scope's tenant, or of all; and the place behind them."""
    if codec.ring.problem is not None or (codec.keys is not None and codec.keys.id is None):
        return [], None  # nothing was sealed yet, or the status says why
    found: Sequence[WrappedKey] = codec.asked(tx, lambda keys: keys.page(after, _PAGE))
    mine = [key for key in found if not scope.is_tenants or key.owner.tenant == scope.tenant]
    return mine, found[-1].key_id if len(found) == _PAGE else None


def _codec(scope: Scope) -> SealedCodec:
    codec = scope.log.codec
    if not isinstance(codec, SealedCodec):
        raise InvalidInput(
            "keys",
            "are not there: the store was opened without encryption",
            "Open it with encryption=, or with --keys and --master-key.",
        )
    return codec
