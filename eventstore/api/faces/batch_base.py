"""The base of every part of a batch: it collects commands."""

from __future__ import annotations

from typing import Protocol, TypeVar

from eventstore.api.faces.handles import Handle
from eventstore.api.operations.operation import Scope, Write

__all__ = ["BatchPart"]

T = TypeVar("T")


class _Batch(Protocol):
    scope: Scope
    thread_id: str

    def collect(self, one: Write[T]) -> Handle[T]:
        """Add one call's command."""


class BatchPart:
    """One attribute of a batch."""

    def __init__(self, batch: _Batch) -> None:
        self._batch = batch
