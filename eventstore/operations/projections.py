"""``store.projections``: rebuilding the decision tables from the events, and comparing the two."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import ThreadNotFound
from eventstore.operations.lookups import thread_key
from eventstore.operations.operation import Gathered, Maintenance, Read, Scope, Walk, Write
from eventstore.projections.rebuild import (
    Finding,
    compare_thread,
    next_thread,
    rebuild_thread,
)
from eventstore.storage.read import head_version
from eventstore.storage.transaction import Transaction


class RebuildReport(BaseModel):
    """What a rebuild did."""

    model_config = ConfigDict(frozen=True)

    threads: int
    rows: int


class CompareReport(BaseModel):
    """What a comparison found; ``ok`` means the tables say what the events say."""

    model_config = ConfigDict(frozen=True)

    threads: int
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings


def rebuild(scope: Scope, thread_id: str | None = None) -> Gathered[RebuildReport]:
    """Drop and fold again the decision tables of one thread, or of all, one transaction each.

    Other threads go on meanwhile; an interrupted rebuild of all can simply be run again.
    """

    def act(tx: Transaction, stream: StreamKey) -> int:
        return rebuild_thread(tx, scope.log, stream)

    def report(counts: list[int]) -> RebuildReport:
        return RebuildReport(threads=len(counts), rows=sum(counts))

    def one(act_on: Any) -> Write[Any]:  # noqa: ANN401 (a function of the transaction)
        return Write(Maintenance(act_on))

    return Gathered(_each_thread(scope, thread_id, act, one), report)


def compare(scope: Scope, thread_id: str | None = None) -> Gathered[CompareReport]:
    """Compare the decision tables of one thread, or of all, with the events. Writes nothing."""

    def act(tx: Transaction, stream: StreamKey) -> list[Finding]:
        return compare_thread(tx, scope.log, stream)

    def report(found: list[list[Finding]]) -> CompareReport:
        return CompareReport(
            threads=len(found), findings=tuple(one for each in found for one in each)
        )

    return Gathered(_each_thread(scope, thread_id, act, Read), report)


def _each_thread(scope: Scope, thread_id: str | None, act: Any, how: Any) -> Walk[Any]:  # noqa: ANN401
    """Walk over one thread or all: find the next and act on it, in one transaction."""
    only = None if thread_id is None else thread_key(scope, thread_id)

    def page(after: bytes) -> Any:  # noqa: ANN401 (a Read or a Write)
        return how(lambda tx: look(tx, after))

    def look(tx: Transaction, after: bytes) -> tuple[list[Any], Any]:
        if only is not None:
            if head_version(tx, only) == 0:
                raise ThreadNotFound(only.text)
            return [act(tx, only)], None
        found = next_thread(tx, scope.tenant, after)
        if found is None:
            return [], None
        return [act(tx, StreamKey(scope.tenant, ids.THREAD, found))], found

    return Walk(b"", page)
