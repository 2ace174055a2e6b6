"""``store.messages``, reading: one message, a page of a path, the wordings of an amended one.

A listing selects a part of a path (:class:`_Bounds`): the path, the messages at its bounds, and the
order. Its cursor pins the path's last message, so one listing is one path even if another is
selected meanwhile.
"""

from __future__ import annotations

from datetime import datetime

from eventstore.api.operations.inputs import (
    checked_flag,
    checked_order,
    message_key,
    optional_id,
    optional_name,
)
from eventstore.api.operations.loaders import (
    Moment,
    live_thread,
    past_thread,
    thread_key,
    thread_row,
)
from eventstore.api.operations.operation import Read, Scope
from eventstore.conversation import present, tree
from eventstore.conversation.commands import branches as branch_rules
from eventstore.conversation.commands.checks import hidden_above, placed_message
from eventstore.conversation.rows import MessageRow, Place
from eventstore.conversation.values import Message, Revision
from eventstore.core import ids
from eventstore.core.pages import (
    Count,
    Order,
    PageOf,
    check_limit,
    decode_cursor,
    encode_cursor,
    listing_key,
)
from eventstore.errors import InvalidInput, MessageNotFound
from eventstore.storage.interning import find_tenant
from eventstore.storage.transaction import Transaction
from eventstore.threads import paths
from eventstore.threads.indexes import find_external_id
from eventstore.threads.stored_thread import StoredThread

_Messages = PageOf[Message]  # once: pydantic looks for it each time


def get(
    scope: Scope,
    thread_id: str,
    message_id: str | None = None,
    *,
    external_id: str | None = None,
    include_deleted: bool = False,
) -> Read[Message]:
    """Return one message, by its id or by its external id.

    Args:
        thread_id: The thread.
        message_id: The message.
        external_id: External id of the message, in place of ``message_id``.
        include_deleted: Also find a removed message, or one of a deleted thread.

    Raises:
        InvalidInput: both ids were given, or neither.
        ThreadNotFound, MessageNotFound: there is no such message, or it is removed.
    """
    key = thread_key(scope, thread_id)
    if (message_id is None) == (external_id is None):
        raise InvalidInput(
            "message_id",
            "neither or both of message_id and external_id were given",
            "Give exactly one.",
        )
    given = None if message_id is None else message_key(message_id)
    optional_name(external_id, "external_id")
    checked_flag(include_deleted, "include_deleted")

    def look(tx: Transaction) -> Message:
        view = live_thread(tx, scope, key, include_deleted=include_deleted)
        wanted = [given] if given is not None else _named(tx, scope, view, external_id or "")
        for row in map(view.message, wanted):
            if row is not None and (include_deleted or not _hidden(view, row)):
                return present.message_value(view, row)
        raise MessageNotFound(message_id, key.text, "with this external id")

    return Read(look)


def _named(tx: Transaction, scope: Scope, view: StoredThread, external_id: str) -> list[bytes]:
    """Return the messages with an external id in a thread or, for a fork, in its sources."""
    tenant = find_tenant(tx, scope.tenant) or 0
    return find_external_id(tx, tenant, [view.thread_id, *view.ancestors()], external_id)


def _hidden(view: StoredThread, row: MessageRow) -> bool:
    return row.removed is not None or (row.place is not None and hidden_above(view, row.place))


def list_(
    scope: Scope,
    thread_id: str,
    *,
    branch: str | None = None,
    until: str | None = None,
    at_version: int | None = None,
    at_time: datetime | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int | None = None,
    order: Order = "asc",
) -> Read[PageOf[Message]]:
    """Return messages of a path, oldest first: the active path, or that of ``branch``.

    A cursor pins the path, so one listing shows one path even if another is selected
    meanwhile. Messages are shown as they are when their page is read; one that was removed
    since has ``removed`` set. ``at_version`` and ``at_time`` read the past, and all pages of
    such a listing show one version. The cost of a past page depends on its size, unless a
    message is named: then the path above it is scanned, and ``branch`` replays the thread
    up to then.

    Args:
        thread_id: The thread.
        branch: Message id or label that the path leads through; it goes on to the last message
            below.
        until: Message where the path stops. Without ``branch``, the path that ends there.
        at_version: Read the thread as it was at this version.
        at_time: Read the thread as it was at this time; with a time zone.
        after: Message id, or a page's ``next_cursor``, to begin behind.
        before: Message id to stop in front of.
        limit: Most messages on the page; None is all of them.
        order: ``"asc"`` is oldest first, ``"desc"`` newest first.

    Raises:
        InvalidInput: a value is malformed, or a cursor belongs to another listing.
        ThreadNotFound: there is no such thread.
        MomentNotFound: it did not exist yet then, or has not come so far.
        MessageNotFound: ``branch``, ``until``, ``after`` or ``before`` is not on the path.
    """
    key = thread_key(scope, thread_id)
    size = check_limit(limit, scope.log.limits.page_size_max)
    newest = checked_order(order)
    moment = Moment(at_version, at_time)
    path = _branch_key(branch), optional_id(ids.MESSAGE, until, "until")
    asked = [str(one) for one in (*path, at_version, at_time)]
    listing = listing_key("messages", scope.tenant, key.id, newest, asked)
    bounds = _Bounds(*path, after, before, newest, listing=listing)

    def look(tx: Transaction) -> PageOf[Message]:
        pinned = bounds.pinned_version
        then = moment if pinned is None else Moment(pinned, None)
        view = live_thread(tx, scope, key)
        if not then.is_now:
            view = past_thread(tx, scope, key, then)
        return _page(view, bounds, size, None if then.is_now else thread_row(view).version)

    return Read(look)


def _branch_key(branch: str | None) -> bytes | str | None:
    if isinstance(branch, str) and branch.startswith(f"{ids.MESSAGE}_"):
        return message_key(branch, "branch")
    return optional_name(branch, "branch")


class _Bounds:
    """The part of a path that a listing selects."""

    def __init__(
        self,
        branch: bytes | str | None,
        until: bytes | None,
        after: str | None,
        before: str | None,
        newest_first: bool,  # noqa: FBT001 (private)
        *,
        listing: bytes,
    ) -> None:
        self.newest_first = newest_first
        self._listing = listing
        self._branch = branch
        self._until = until
        self._end: bytes | None = None
        self._seen_depth: int | None = None
        self.pinned_version: int | None = None
        if isinstance(after, str) and after.startswith("c_"):
            place = decode_cursor(listing, after, tuple[bytes, Count, Count | None])
            self._end, self._seen_depth, self.pinned_version = place
            after = None
        self._after = optional_id(ids.MESSAGE, after, "after")
        self._before = optional_id(ids.MESSAGE, before, "before")

    def end(self, view: paths.View) -> MessageRow | None:
        """Return the last message of the path."""
        if self._end is not None:
            return view.message(self._end)
        if self._until is not None and self._branch is None:
            return placed_message(view, self._until)[0]
        if self._branch is not None:
            leaf = branch_rules.resolve(view, self._branch)
            return leaf if self._until is None else self._stopped(view, leaf)
        head = thread_row(view).head
        return None if head is None else view.message(head)

    def _stopped(self, view: paths.View, leaf: MessageRow) -> MessageRow:
        row, place = placed_message(view, self._until or b"")
        if leaf.place is None or not tree.on_path(view, place, leaf.place):
            raise InvalidInput("until", "is not on the branch", "Name a message of its path.")
        return row

    def depths(self, view: paths.View, end: Place) -> paths.Window:
        """Return the selected depths of the path."""
        first, last = 1, end.depth
        lower, upper = self._after, self._before
        if self.newest_first:
            lower, upper = upper, lower
        if lower is not None:
            first = self._depth(view, end, lower) + 1
        if upper is not None:
            last = self._depth(view, end, upper) - 1
        if self._seen_depth is not None:
            if self.newest_first:
                last = min(last, self._seen_depth - 1)
            else:
                first = max(first, self._seen_depth + 1)
        return paths.Window(first, last)

    def _depth(self, view: paths.View, end: Place, message_id: bytes) -> int:
        _, place = placed_message(view, message_id)
        if not tree.on_path(view, place, end):
            field = "after" if message_id == self._after else "before"
            raise InvalidInput(field, "is not on the path", "Name a message of the path.")
        return place.depth

    def cursor(self, end: MessageRow, depth: int, version: int | None) -> str:
        """Return the cursor of the next page."""
        return encode_cursor(self._listing, end.message_id, depth, version)


def _page(
    view: paths.View, bounds: _Bounds, size: int | None, version: int | None
) -> PageOf[Message]:
    end = bounds.end(view)
    if end is None or end.place is None:
        return _Messages.model_construct(data=())
    wanted = bounds.depths(view, end.place)
    shown = wanted.page(size, newest_first=bounds.newest_first)
    messages = paths.messages(view, end.place, shown)
    if bounds.newest_first:
        messages = messages[::-1]
    more = shown.first > wanted.first if bounds.newest_first else shown.last < wanted.last
    depth = shown.first if bounds.newest_first else shown.last
    cursor = bounds.cursor(end, depth, version) if more and messages else None
    return _Messages.model_construct(data=messages, next_cursor=cursor)


def revisions(scope: Scope, thread_id: str, message_id: str) -> Read[list[Revision]]:
    """Return every wording of a message, the first one first.

    Args:
        thread_id: The thread.
        message_id: The message.

    Raises:
        ThreadNotFound, MessageNotFound: there is no such message.
    """
    key, wanted = thread_key(scope, thread_id), message_key(message_id)

    def look(tx: Transaction) -> list[Revision]:
        view = live_thread(tx, scope, key)
        row = view.message(wanted)
        if row is None:
            raise MessageNotFound(message_id, key.text)
        return present.revisions(view, row)

    return Read(look)


def queued(scope: Scope, thread_id: str) -> Read[list[Message]]:
    """Return the messages that wait for a run to end, in the order they were sent.

    Args:
        thread_id: The thread.

    Raises:
        ThreadNotFound: there is none, or it was deleted.
    """
    key = thread_key(scope, thread_id)

    def look(tx: Transaction) -> list[Message]:
        view = live_thread(tx, scope, key)
        return [present.message_value(view, row) for row in view.queued_messages()]

    return Read(look)
