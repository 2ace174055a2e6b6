"""Bind a store to the key store that holds its data keys.

The database names its key store, so that another one, or a missing one, is noticed before a new key
would stand in for the old ones.
"""

from __future__ import annotations

import logging
from typing import Final

from eventstore.api.operations.operation import Maintenance, Read, Write
from eventstore.api.operations.routine import Routine
from eventstore.core.codec import ContentCodec, PlainCodec
from eventstore.encryption.sealed_codec import SealedCodec
from eventstore.errors import ConversationStoreError, KeyUnavailable
from eventstore.storage.key_stores import known_key_stores, note_key_store

__all__ = ["bind", "note"]

_log: Final = logging.getLogger("eventstore.encryption")

_IN_DATABASE: Final = b"in the database."
"""Stands for the id of a key store that is the table ``data_keys``."""


def bind(codec: ContentCodec) -> Routine[None]:
    """Look, when a store is opened, whether its keys are where the database says."""
    try:
        known: list[bytes] = yield Read(known_key_stores)
    except ConversationStoreError as error:
        _log.warning("it is not known whether the database holds sealed content: %s", error)
        return
    if isinstance(codec, PlainCodec):
        if known:
            codec.refuse()
    elif isinstance(codec, SealedCodec) and known:
        codec.ring.problem = _problem(codec, known)
        codec.ring.bound = codec.ring.problem is None


def _problem(codec: SealedCodec, known: list[bytes]) -> str | None:
    """Return why the given key store is not the one of the database; None if it is."""
    try:
        given = _id_of(codec)
    except KeyUnavailable as error:
        return error.problem
    if given in known:
        return None
    if given is None:
        return "the key store is gone: there is nothing at the place given"
    return "the key store given is not the one that this database's keys are in"


def _id_of(codec: SealedCodec) -> bytes | None:
    return _IN_DATABASE if codec.keys is None else codec.keys.id


def note(codec: SealedCodec) -> Write[None]:
    """Return the write that names the key store in the database, before its first key is made.

    Raises:
        KeyUnavailable: there is none, and it cannot be made.
    """
    make = getattr(codec.keys, "make", None)
    if make is not None:
        make()
    given = _id_of(codec)
    if given is None:
        raise KeyUnavailable("the store", "the key store does not exist")
    return Write(Maintenance(lambda tx: note_key_store(tx, given), keeps_rows=True))
