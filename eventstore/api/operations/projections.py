"""``store.projections``: the tables that are made from the events.

The decision tables of threads are kept by each append: they can be rebuilt and compared. An
application's own projections follow the log (``api/operations/catch_up.py`` runs them): they can be
read, looked after, built anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from eventstore.api.operations.catch_up_terms import changing
from eventstore.api.operations.inputs import checked_sequence
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import (
    Collected,
    Maintenance,
    Page,
    Paged,
    Read,
    Scope,
    Write,
)
from eventstore.core.events import StreamKey
from eventstore.core.json_values import check_json, check_name, check_text
from eventstore.core.values import Value
from eventstore.errors import InvalidInput, ThreadNotFound
from eventstore.execution.doors import calling_out
from eventstore.read_models.catch_up.generations import (
    active,
    begin,
)
from eventstore.read_models.catch_up.tables import Tables
from eventstore.storage.stream_heads import head_version
from eventstore.storage.transaction import Transaction
from eventstore.threads.comparing import Finding
from eventstore.threads.log_findings import compare_with_log, losses_elsewhere
from eventstore.threads.mending import Again, Mending
from eventstore.threads.mending_slices import look_over, mend_slice
from eventstore.threads.rebuild import next_threads, rebuild_thread

T = TypeVar("T")


class RebuildReport(Value):
    """Result of a rebuild."""

    threads: int
    """Threads whose events were folded again."""
    rows: int
    """Rows that were written anew."""
    begun: bool = False
    """True if new tables of a projection were begun; False where another process had just begun
    them."""


class CompareReport(Value):
    """Result of a comparison; ``ok`` means that the tables match the events."""

    threads: int
    """Threads that were compared."""
    findings: tuple[Finding, ...]
    """Everything that differs."""

    @property
    def empty(self) -> bool:
        """There was nothing to compare: the tenant has no threads. Then ``ok`` says little."""
        return self.threads == 0

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings


def rebuild(
    scope: Scope, thread_id: str | None = None, *, projection: str | None = None
) -> Collected[RebuildReport]:
    """Make tables anew from the events: the store's own, or those of a projection.

    ``rebuild()`` mends the decision tables of all threads, ``rebuild(thread_id)`` those of one.
    Threads are compared with their events while others write. Only rows that differ are written
    anew, some hundred in a transaction. An append to a thread with more differences rebuilds it
    first, and takes as long. An interrupted rebuild can simply be run again.

    ``rebuild(projection="search")`` begins new tables for a projection, beside those that are read.
    The worker that runs the projection, or ``catch_up("search")``, fills and swaps them. Until then
    the old tables are read and kept current.

    Args:
        thread_id: Thread whose decision tables are mended; all of them if left out.
        projection: Name of the projection whose tables are made anew, instead of decision
            tables.

    Raises:
        InvalidInput: both were given, or the projection is not registered in this process.
        ThreadNotFound: there is none.
        Refused: the projection's tables cannot be made; nothing was.
    """
    if projection is None:
        return _mending(scope, None if thread_id is None else thread_key(scope, thread_id))
    if thread_id is not None:
        raise InvalidInput(
            "projection",
            "was given together with a thread_id",
            "Give thread_id to rebuild its decision tables, or projection to rebuild its tables.",
        )
    definition = scope.registry.get(projection)

    def begun(tx: Transaction) -> tuple[list[bool], None]:
        return [begin(tx, definition, anew=True)], None

    return Collected(
        Paged(b"", lambda _: changing(begun)),
        lambda told: RebuildReport(threads=0, rows=0, begun=any(told)),
    )


def _mending(scope: Scope, only: StreamKey | None) -> Collected[RebuildReport]:
    """Mend the decision tables of one thread, or of all."""

    def page(place: _Rebuilding) -> Page[int]:
        if place.wrong:
            return Write(Maintenance(lambda tx: mended(tx, place), alone=True))
        if place.again and place.again[0].tries >= _TRIES_MAX:
            return Write(Maintenance(lambda tx: rebuilt(tx, place), alone=True))
        return Read(lambda tx: _looked(tx, scope, only, place))

    def mended(tx: Transaction, place: _Rebuilding) -> tuple[list[int], _Rebuilding | None]:
        done, left, again = mend_slice(tx, scope.log, place.wrong)
        tx.interned.remade.last = object()  # while the heads are locked; see write_path.heads
        return done, _next(place.after, left, (*place.again, *again))

    def rebuilt(tx: Transaction, place: _Rebuilding) -> tuple[list[int], _Rebuilding | None]:
        (stream, _), *others = place.again
        rows = rebuild_thread(tx, scope.log, stream)
        tx.interned.remade.last = object()
        return [rows], _next(place.after, (), others)

    def report(counts: list[int]) -> RebuildReport:
        return RebuildReport(threads=len(counts), rows=sum(counts))

    return Collected(Paged(_Rebuilding(b""), page), report)


class _Rebuilding(NamedTuple):
    """The progress of a rebuild."""

    after: bytes | None
    """The last thread that was compared; None once all were."""
    wrong: Sequence[Mending] = ()
    """Threads to mend before others are compared."""
    again: Sequence[Again] = ()


_TRIES_MAX: Final = 4
"""Number of times a thread is compared while others append to it; then it is rebuilt at once, and
appends wait."""


def _looked(
    tx: Transaction, scope: Scope, only: StreamKey | None, place: _Rebuilding
) -> tuple[list[int], _Rebuilding | None]:
    """Compare the next threads, or one again; return the right rows and the progress."""
    after, others, tries = place.after, place.again[1:], 0
    if place.again:
        streams, tries = [place.again[0].stream], place.again[0].tries
    elif only is None:
        streams = next_threads(tx, scope.tenant, after or b"")
        after = streams[-1].id if streams else None
    elif head_version(tx, only):
        streams, after = [only], None
    else:
        raise ThreadNotFound(only.text)
    found = look_over(tx, scope.log, streams, tries + 1)
    return found.right, _next(after, found.wrong, others)


def _next(
    after: bytes | None, wrong: Sequence[Mending], again: Sequence[Again]
) -> _Rebuilding | None:
    done = after is None and not wrong and not again
    return None if done else _Rebuilding(after, wrong, again)


def compare(scope: Scope, thread_id: str | None = None) -> Collected[CompareReport]:
    """Compare the decision tables of one thread, or of all, with the events. Writes nothing.

    It also finds missing events, missing large contents, and large contents that a manual erasure
    left behind.

    Args:
        thread_id: The thread; all of them if left out.

    Raises:
        ThreadNotFound: there is none.
    """

    def act(tx: Transaction, streams: Sequence[StreamKey]) -> list[_Compared]:
        return [_Compared(1, compare_with_log(tx, scope.log, one)) for one in streams]

    def at_last(tx: Transaction) -> list[_Compared]:
        return [_Compared(0, found)] if (found := losses_elsewhere(tx, scope.tenant)) else []

    def report(found: list[_Compared]) -> CompareReport:
        findings = dict.fromkeys(one for each in found for one in each.findings)
        return CompareReport(threads=sum(each.threads for each in found), findings=tuple(findings))

    return Collected(_each_thread(scope, thread_id, act, at_last), report)


class _Compared(NamedTuple):
    threads: int
    findings: list[Finding]


def _each_thread(
    scope: Scope,
    thread_id: str | None,
    act: Callable[[Transaction, Sequence[StreamKey]], list[Any]],
    at_last: Callable[[Transaction], list[Any]],
) -> Paged[Any]:
    """Walk over one thread or all: find the next few and process them, in one transaction.

    ``at_last`` follows once, after all.
    """
    only = None if thread_id is None else thread_key(scope, thread_id)

    def page(after: bytes) -> Read[Any]:
        return Read(lambda tx: look(tx, after))

    def look(tx: Transaction, after: bytes) -> tuple[list[Any], Any]:
        if only is not None:
            if head_version(tx, only) == 0:
                raise ThreadNotFound(only.text)
            return act(tx, [only]), None
        found = next_threads(tx, scope.tenant, after)
        return (act(tx, found), found[-1].id) if found else (at_last(tx), None)

    return Paged(b"", page)


# -- projections that follow the log ---------------------------------------------------------------


_PLAIN: Final = (str, int)
"""Parameter types that cause a driver's own Python errors on some databases."""


def read(scope: Scope, name: str, look: Callable[[Tables], T]) -> Read[T]:
    """Call a function with the tables of a projection, on one snapshot.

    Args:
        name: Name of the projection, or the projection itself.
        look: Takes the tables; its result is returned.

    Raises:
        InvalidInput: the projection has no tables yet.
    """
    check_name(name, "name")
    if not callable(look):
        raise InvalidInput(
            "look",
            f"expected a function, got {type(look).__name__}",
            "Give one that takes the tables, or use query().",
        )

    def looking(tx: Transaction) -> T:
        return calling_out(look, active(tx, name, scope.tenant))

    return Read(looking)


def query(
    scope: Scope, name: str, sql: str, parameters: Sequence[Any] = ()
) -> Read[list[tuple[Any, ...]]]:
    """Return the rows of a SELECT over a projection's tables.

    Args:
        name: Name of the projection.
        sql: SELECT in which a table stands as ``{table}`` and a parameter as ``?``.
        parameters: Values of the parameters.

    Raises:
        InvalidInput: the projection has no tables yet, or no table of that name.
        StoreUnavailable: the database does not take the statement, or a parameter.
    """
    check_text(sql, "sql")
    remedy = "Give a list of values, one for each ? of the SQL."
    given = [
        check_json(value, f"parameters[{index}]", 0) if isinstance(value, _PLAIN) else value
        for index, value in enumerate(checked_sequence(parameters, "parameters", remedy))
    ]
    return read(scope, name, lambda tables: tables.all(sql, given))
