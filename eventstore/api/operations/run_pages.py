"""``store.runs``, reading: one run, the runs of a thread, and those of all threads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, get_args

from msgspec import UNSET, UnsetType

from eventstore.api.operations.inputs import (
    checked_flag,
    checked_sequence,
    optional_name,
    run_key,
)
from eventstore.api.operations.loaders import existing_run, live_thread, thread_key
from eventstore.api.operations.operation import Read, Scope
from eventstore.conversation.present_runs import run_value
from eventstore.conversation.rows import RunStatus
from eventstore.conversation.run_lifecycle import HELD, TERMINAL
from eventstore.conversation.run_values import Run
from eventstore.core.events import microseconds
from eventstore.core.pages import (
    EVERYTHING,
    Count,
    PageOf,
    check_limit,
    decode_cursor,
    encode_cursor,
    listing_key,
)
from eventstore.core.quoting import quoted
from eventstore.errors import InvalidInput
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction
from eventstore.threads.run_facts import views_of
from eventstore.threads.run_lists import RunsAsked, find_runs

_STATUSES: Final[tuple[RunStatus, ...]] = get_args(RunStatus)
_OPEN: Final = tuple(status for status in _STATUSES if status not in TERMINAL)
_Runs = PageOf[Run]  # once: pydantic looks for it each time


def get(scope: Scope, thread_id: str, run_id: str) -> Read[Run]:
    """Return a run.

    Args:
        thread_id: The thread.
        run_id: The run.

    Raises:
        ThreadNotFound, RunNotFound: there is no such run.
    """
    key, wanted = thread_key(scope, thread_id), run_key(run_id)

    def look(tx: Transaction) -> Run:
        view = live_thread(tx, scope, key)
        return run_value(view, existing_run(view, wanted))

    return Read(look)


def list_(
    scope: Scope,
    thread_id: str | None = None,
    *,
    status: RunStatus | Sequence[RunStatus] | None = None,
    holder: str | None = None,
    queue: str | UnsetType | None = UNSET,
    lease_ended: bool | None = None,
    updated_before: datetime | None = None,
    after: str | None = None,
    limit: int | None = 100,
) -> Read[PageOf[Run]]:
    """Return a page of the runs of a thread or of all threads, in the order they were created.

    Without a thread, and without ``status``, runs that ended are left out: among very many of them
    the others cost the same to find. ``runs.list(lease_ended=True)`` finds those whose worker
    died.

    Args:
        thread_id: The thread; None is all threads of the tenant that are not deleted.
        status: A status, or several. None is every status in a thread, and every one that is not
            final among all threads.
        holder: Worker that executes them, or executed them last.
        queue: Name of their queue; None for those without one, all if left out.
        lease_ended: True for runs in progress, or being cancelled, whose holder did not renew
            its lease in time, by the database's clock; False for those whose holder did.
        updated_before: Time after which nothing moved them; with a time zone. Their messages and
            steps do not count.
        after: A page's ``next_cursor``, to begin behind it.
        limit: Most runs on the page; None is all of them.

    Raises:
        InvalidInput: a value is malformed, or the cursor belongs to another listing.
        ThreadNotFound: there is none, or it was deleted.
    """
    key = None if thread_id is None else thread_key(scope, thread_id)
    size = check_limit(limit, scope.log.limits.page_size_max)
    statuses = _statuses(status, _OPEN if key is None else _STATUSES)
    if lease_ended is not None:
        checked_flag(lease_ended, "lease_ended")
        statuses = tuple(one for one in statuses if one in HELD)
    asked = RunsAsked(
        statuses,
        start=0,
        most=EVERYTHING if size is None else size + 1,
        holder=optional_name(holder, "holder"),
        queue=queue if isinstance(queue, UnsetType) else optional_name(queue, "queue"),
        lease_ended=lease_ended,
        updated_before_us=None
        if updated_before is None
        else microseconds(updated_before, "updated_before"),
    )
    filters = [None if value is UNSET else [value] for value in (*asked._replace(start=0, most=0),)]
    listing = listing_key("runs", scope.tenant, None if key is None else key.id, filters)
    if after is not None:
        asked = asked._replace(start=decode_cursor(listing, after, tuple[Count])[0])

    def look(tx: Transaction) -> PageOf[Run]:
        if key is not None:
            live_thread(tx, scope, key)
        tenant = find_tenant(tx, scope.tenant)
        found = []
        if tenant is not None:
            found = find_runs(tx, tenant, None if key is None else key.id, asked)
        more = size is not None and len(found) > size
        shown = found[:size] if more else found
        last = shown[-1].place(in_thread=key is not None) if more else 0
        views = views_of(tx, scope.log, scope.tenant, tenant or 0, shown)
        return _Runs(
            data=tuple(run_value(views[one.thread_id], one.row) for one in shown),
            next_cursor=encode_cursor(listing, last) if more else None,
        )

    return Read(look)


def _statuses(status: object, default: tuple[RunStatus, ...]) -> tuple[RunStatus, ...]:
    """Return the statuses that a caller named."""
    if status is None:
        return default
    remedy = f"Use some of: {', '.join(_STATUSES)}."
    given = [status] if isinstance(status, str) else checked_sequence(status, "status", remedy)
    for one in given:
        if one not in _STATUSES:
            raise InvalidInput("status", f"{quoted(one)} is unknown", remedy)
    return tuple(one for one in _STATUSES if one in given)
