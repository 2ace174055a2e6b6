"""Erase listed content and wipe the files after the transaction of an erasure or a purge.

Listed content is erased part by part, each in its own transaction. After that the files are wiped:
overwritten or deleted bytes still stand in a write-ahead log until it is truncated. The result of
the operation names what remains.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from eventstore.api.operations.operation import Maintenance, Page, Read, Wipe, Write
from eventstore.api.operations.routine import Routine
from eventstore.core.codec import ContentCodec
from eventstore.errors import ConversationStoreError
from eventstore.execution.database import Left
from eventstore.storage.erasing import Part, erase_part, next_part
from eventstore.storage.transaction import Transaction

__all__ = ["erase_listed", "finish_interrupted", "finishing", "uncommitted", "with_remains"]

R = TypeVar("R", bound=BaseModel)

_log: Final = logging.getLogger("eventstore.erasing")

_FILES: Final[Left] = ("the database's files, until your transaction has committed", True)
_KEY: Final[Left] = ("the key that goes with it, until you call again after your commit", True)


def uncommitted(codec: ContentCodec) -> list[Left]:
    """Return the places that hold what is erased in a transaction of the application.

    No key is destroyed there: if the transaction rolled back, its content would be lost.
    """
    return [_FILES, _KEY] if codec.seals else [_FILES]


def finishing(place: object) -> Page[Left]:
    """Return the page of a walk from ``"parts"`` on, to the end: its items name what is left."""
    if place == "parts":
        return Read(lambda tx: ((), next_part(tx) or "files"))
    if place == "files":
        return Wipe(lambda left: (list(left), None))

    assert isinstance(place, Part)  # noqa: S101 (no other place is left)

    def act(tx: Transaction) -> tuple[tuple[()], str]:
        erase_part(tx, place)
        return (), "parts"

    return Write(Maintenance(act, keeps_rows=True, alone=True))


def finish_interrupted() -> Routine[None]:
    """Finish the listed erasures of a process that died or lost its database.

    Listed content cannot be read, so a process that cannot finish now may leave it to another.
    """
    try:
        place = (yield Read(next_part)) and "parts"
        while place is not None:
            _, place = yield finishing(place)
    except ConversationStoreError as error:
        _log.warning("an interrupted erasure could not be finished: %s", error)


def erase_listed(tx: Transaction) -> None:
    """Erase all listed content in this transaction."""
    while (part := next_part(tx)) is not None:
        erase_part(tx, part)


def with_remains(made: R, left: Sequence[Left]) -> R:
    """Return a certificate or tombstone that also names what is left in the files."""
    said: dict[str, Any] = {
        "remains": (*made.remains, *(where for where, _ in left)),  # type: ignore[attr-defined]
        "pending": made.pending or any(again for _, again in left),  # type: ignore[attr-defined]
    }
    return made.model_copy(update=said)
