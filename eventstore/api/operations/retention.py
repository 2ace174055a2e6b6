"""``store.privacy.retain``: erase or purge threads in which nothing happened for long.

One thread after another, the newest first, each as ``erase`` and ``purge`` do it. What is done is
not found again, so a call that was interrupted is simply made again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from eventstore.api.operations.erasing_pages import FIRST_PLAN, ErasingPages, Plan
from eventstore.api.operations.inputs import checked_flag
from eventstore.api.operations.operation import (
    NO_RETENTION_OPTIONS,
    Collected,
    Maintenance,
    Page,
    PageActed,
    Paged,
    PageDone,
    Read,
    RetentionOptions,
    Scope,
    Write,
    write,
)
from eventstore.api.operations.shredding import shredding
from eventstore.api.operations.thread_pages import checked_filters
from eventstore.api.operations.walking import then
from eventstore.api.operations.wiping import finishing
from eventstore.conversation.commands import EraseAll
from eventstore.conversation.store_events import PurgeThread
from eventstore.core import ids
from eventstore.core.events import StreamKey, instant
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput, Refused, ThreadNotFound
from eventstore.execution.database import Left
from eventstore.privacy.erasure import Erased
from eventstore.privacy.purge import purge as purge_in
from eventstore.privacy.retention import (
    Due,
    RetainedThread,
    RetentionReport,
    Which,
    due_page,
    retained,
    why_kept,
)
from eventstore.storage.erasing import hold
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import AppendRequest
from eventstore.write_path.store_streams import store_stream

__all__ = ["retain"]

_Found: TypeAlias = RetainedThread | Left
"""An item of a walk: a thread that was looked at, or a place that still holds its bytes."""

_ACTIONS: Final = ("erase", "purge")


def retain(
    scope: Scope,
    *,
    older_than: timedelta,
    metadata: Mapping[str, object] | None = None,
    archived: bool | None = None,
    action: Literal["erase", "purge"] = "erase",
    dry_run: bool = False,
    options: RetentionOptions = NO_RETENTION_OPTIONS,
) -> Collected[RetentionReport]:
    """Erase or purge every thread in which nothing happened for some time; deleted ones, too.

    Each takes transactions of its own, so others write meanwhile. A call that was interrupted is
    made again: it goes on with what is left. A thread stays as long as a fork of it is in use.

    Args:
        older_than: The time since the last event of a thread.
        metadata: Top-level values that a thread's metadata must have.
        archived: True for archived threads alone, False for the others alone, None for both.
        action: ``"erase"`` takes the content and keeps the skeleton; ``"purge"`` leaves a
            tombstone.
        dry_run: Only list what is due.

    Raises:
        InvalidInput: a value is malformed.
    """
    cutoff = scope.log.environment.clock() - _microseconds(older_than)
    if action not in _ACTIONS:
        raise InvalidInput("action", f"{quoted(action)} is not allowed", "Use 'erase' or 'purge'.")
    checked_flag(dry_run, "dry_run")
    if archived is not None:
        checked_flag(archived, "archived")
    which = Which(cutoff, tuple(checked_filters(scope, metadata)), archived)
    pages = _Retention(scope, which, action="look" if dry_run else action, options=options)

    def report(found: list[Any]) -> RetentionReport:
        threads = tuple(one for one in found if isinstance(one, RetainedThread))
        left = dict.fromkeys(one for one in found if not isinstance(one, RetainedThread))
        return RetentionReport(
            cutoff=instant(cutoff),
            threads=threads,
            remains=tuple(dict.fromkeys(where for where, _ in left)),
            pending=any(again for _, again in left),
        )

    return Collected(Paged(_Scan(None), pages), report)


def _microseconds(older_than: timedelta) -> int:
    given: object = older_than
    if isinstance(given, timedelta) and given >= timedelta(0):
        return given // timedelta(microseconds=1)
    problem = f"expected a timedelta of 0 or more, got {type(given).__name__}"
    raise InvalidInput("older_than", problem, "Give a timedelta, such as timedelta(days=90).")


class _Scan(NamedTuple):
    """Look for threads from a place on."""

    start: tuple[int] | None


class _Queue(NamedTuple):
    """Threads that were found, and the place to look further; None at the end."""

    due: tuple[Due, ...]
    following: tuple[int] | None
    within: Any = None
    """The place in the erasure of the first of them, if it has begun."""


class _Retention:
    """The steps of a retention."""

    def __init__(
        self, scope: Scope, which: Which, *, action: str, options: RetentionOptions
    ) -> None:
        self._scope = scope
        self._which = which
        self._action = action
        self._options = options

    def __call__(self, place: object) -> Page[Any]:
        if isinstance(place, _Scan):
            return Read(partial(self._scan, place=place))
        if isinstance(place, _Queue):
            return self._erase(place) if self._action == "erase" else self._purge(place)
        return finishing(place)

    def _scan(self, tx: Transaction, place: _Scan) -> tuple[list[RetainedThread], Any]:
        found, following = due_page(
            tx,
            self._scope.log,
            self._scope.tenant,
            self._which,
            place.start,
        )
        if self._action != "look":
            return [], self._next(_Queue(tuple(found), following))
        seen = []
        for due in found:
            why = why_kept(tx, self._scope.log, self._scope.tenant, due, self._which.cutoff_us)
            seen.append(retained(due, "due" if why is None else "kept", why))
        return seen, None if following is None else _Scan(following)

    def _next(self, queue: _Queue) -> object:
        if queue.due:
            return queue
        return "parts" if queue.following is None else _Scan(queue.following)

    def _erase(self, queue: _Queue) -> Page[Any]:
        due = queue.due[0]
        stream = StreamKey(self._scope.tenant, ids.THREAD, due.thread_id)
        command = EraseAll(whole=True, keeper=store_stream(self._scope.tenant).id)
        made = write(self._scope, stream, (command,), self._options.as_write())
        assert isinstance(made.request, AppendRequest)  # noqa: S101 (what write() makes)

        def follow(page: PageDone[Any]) -> PageDone[Any]:
            items, following = page
            told = [found for one in items for found in _told(due, one)]
            if isinstance(following, str | None) and following in {"files", None}:
                return told, self._next(_Queue(queue.due[1:], queue.following))
            return told, queue._replace(within=following)

        def report(_: list[Any]) -> None:
            """Report nothing: the pages are part of this walk."""

        kept = partial(
            why_kept,
            log=self._scope.log,
            tenant=self._scope.tenant,
            due=due,
            cutoff_us=self._which.cutoff_us,
        )
        pages = _DuePages(self._scope.log, made.request, kept)
        erasure = Collected(Paged(FIRST_PLAN, pages), report)
        walk = shredding(self._scope.log.codec, lambda _: [stream], erasure, last=["files"]).walk
        return then(walk.page(queue.within or walk.first), follow)

    def _purge(self, queue: _Queue) -> Page[Any]:
        due = queue.due[0]
        store = store_stream(self._scope.tenant)
        command = PurgeThread(thread_id=due.thread_id)
        request = write(self._scope, store, (command,), self._options.as_write()).request
        stream = StreamKey(self._scope.tenant, ids.THREAD, due.thread_id)

        def act(tx: Transaction) -> PageActed[_Found]:
            assert isinstance(request, AppendRequest)  # noqa: S101 (what write() makes)
            hold(tx, stream)
            why = why_kept(tx, self._scope.log, self._scope.tenant, due, self._which.cutoff_us)
            if why is not None:
                return [retained(due, "kept", why)], None
            try:
                purged = purge_in(tx, self._scope.log, request)
            except Refused as error:  # before anything was written
                return [retained(due, "kept", error.reason)], None
            left = [(where, True) for where in purged.result.remains]
            return purged.with_result(([retained(due, "purged"), *left], None))

        def follow(page: PageDone[Any]) -> PageDone[Any]:
            items, following = page
            if following is None:
                return [*items], self._next(_Queue(queue.due[1:], queue.following))
            return [*items], queue._replace(within=following)

        def report(_: list[Any]) -> None:
            """Report nothing: the page is part of this walk."""

        page: Page[Any] = Write(Maintenance(act, alone=True, stream=store))
        purge = Collected(Paged("purge", lambda _: page), report)
        walk = shredding(self._scope.log.codec, lambda _: [stream], purge).walk
        return then(walk.page(queue.within or walk.first), follow)


class _DuePages(ErasingPages):
    """The steps in one thread, which has to be as it was found."""

    def __init__(
        self, log: Log, request: AppendRequest, kept: Callable[[Transaction], str | None]
    ) -> None:
        super().__init__(log, request, None)
        self._kept = kept

    def _act(self, tx: Transaction, plan: Plan) -> PageActed[object]:
        hold(tx, self._request.stream)
        why = self._kept(tx)
        return ([why], None) if why is not None else super()._act(tx, plan)

    def _at_once(self, tx: Transaction) -> PageActed[object]:
        hold(tx, self._request.stream)
        why = self._kept(tx)
        try:
            return ([why], None) if why is not None else super()._at_once(tx)
        except ThreadNotFound:
            return ["changed"], None


def _told(due: Due, one: object) -> list[_Found]:
    if isinstance(one, Erased):
        return [retained(due, "erased"), *((where, True) for where in one.behind)]
    return [retained(due, "kept", one)] if isinstance(one, str) else []
