"""Turn a write's outcome into the caller's result, on either face."""

from __future__ import annotations

from typing import TypeVar

from eventstore.api.operations.events import Receipt
from eventstore.api.operations.operation import Write
from eventstore.write_path.requests import AppendRequest, Failed, Outcome

__all__ = ["value_of"]

T = TypeVar("T")


def value_of(write: Write[T], outcome: Outcome) -> T:
    """Return the caller's result of a write, or raise the error that refused it."""
    if isinstance(outcome, Failed):
        raise outcome.error
    if write.receipt:
        assert isinstance(write.request, AppendRequest)  # noqa: S101 (only appends have receipts)
        return Receipt(write.request.stream.text, outcome.version, outcome.positions)  # type: ignore[return-value]
    if write.alone_in_list:
        return [outcome.result]  # type: ignore[return-value]
    if write.last_of_list:
        return outcome.result[-1]  # type: ignore[no-any-return]
    return outcome.result  # type: ignore[no-any-return]
