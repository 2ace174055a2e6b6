"""What erasing and purging do once their transaction has committed: the files.

What was overwritten or deleted still stands in a write-ahead log until that is cut off. So such an
operation has two parts, and what it gives back says what remains of the bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from msgspec.structs import replace
from pydantic import BaseModel
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from eventstore.operations.operation import Gathered, Maintenance, Walk, Wipe, Write
from eventstore.storage.requests import Appended
from eventstore.storage.transaction import Transaction

__all__ = ["then_wipe"]

R = TypeVar("R", bound=BaseModel)

_UNCOMMITTED: Final = ("the database's files, until your transaction has committed", True)


def then_wipe(
    act: Callable[[Transaction], Appended], connection: Connection | AsyncConnection | None
) -> Gathered[Any]:
    """Perform a transaction whose result has ``remains`` and ``pending``, then wipe the files.

    Within an application's own transaction nothing can be wiped, and the result says so.
    """

    def do(tx: Transaction) -> Appended:
        made = act(tx)
        return replace(made, result=([made.result], None if connection is not None else "files"))

    def page(place: str) -> Any:  # noqa: ANN401 (a Write or a Wipe)
        if place == "files":
            return Wipe(lambda left: (list(left), None))
        return Write(Maintenance(do, alone=True), connection)

    def report(found: list[Any]) -> Any:  # noqa: ANN401 (the result)
        made, *left = found
        left = left if connection is None else [_UNCOMMITTED]
        return made.model_copy(
            update={
                "remains": (*made.remains, *(where for where, _ in left)),
                "pending": made.pending or any(again for _, again in left),
            }
        )

    return Gathered(Walk("transaction", page), report)
