"""One write from top to bottom: the only code that appends events.

:func:`append_many` takes the requests of many waiting callers into one transaction:

1. **take heads**: lock the heads of all streams that the batch decides on (``heads.py``); then for
   each request, in the order sent:
2. **check guards**: an idempotency key (``repeats.py``), the expected version, and those of the
   stream's category, for example an expected head;
3. **decide**: the category's handler turns each command into events. It reads the view of its
   stream, which shows the rows as the commands before left them;
4. **number and chain**: each event gets its version, position, id and hash;
5. **evolve**: the events change the rows of the view, for later commands of the batch;
6. **result**: the value for the caller, as of this command;
7. **insert**: at the end heads, events, changed rows and keys, one statement a table for all; and
   before a request that reads rows which the batch has not inserted yet.

The handlers of categories are listed in ``categories.py``; that of threads is in
``thread_streams.py``, and ``thread_session.py`` has its steps 2 to 6.

A refused request leaves before its own step 7, and nothing of it is written. Versions are numbered
from the heads, so they have no gaps and no duplicates. ``recorded_at`` is one reading of the clock
per transaction, never below the stream's last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from eventstore.core import chain, codec, expectations, ids
from eventstore.core.environment import RandomBuffer
from eventstore.core.events import Decided, Event, Position, StreamKey, made
from eventstore.core.json_values import too_large
from eventstore.errors import ConversationStoreError
from eventstore.execution.database import POSTPONED, Postponed
from eventstore.storage import blobs
from eventstore.storage.interning import intern_category, intern_tenant
from eventstore.storage.log import Log
from eventstore.storage.ordering import HeadRow
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Landmark, Transaction
from eventstore.write_path.categories import CATEGORY_HANDLERS
from eventstore.write_path.heads import (
    HEADS_MAX,
    StreamHead,
    TakenHeads,
    Watched,
    confirm_absent,
    take_heads,
    write_heads,
)
from eventstore.write_path.repeats import Repeats
from eventstore.write_path.requests import (
    Appended,
    AppendRequest,
    CategoryHandler,
    Failed,
    Outcome,
    StreamSession,
)
from eventstore.write_path.retired_keys import check_keys

__all__ = ["append_many"]

_RANDOM_BYTES: Final = 64
"""Random bytes of a message: its id, its event's id, and the salt of its content."""
_NOT_INTERNED: Final = (None, None, b"")

_INSERT: Final = Insert(
    "events",
    (
        *("position", "epoch", "xid", "tenant", "category", "stream", "version"),
        *("event_id", "type", "schema_version", "recorded_at", "data", "content"),
        *("salt", "commitment", "subject", "metadata", "hash"),
    ),
)


def append_many(
    tx: Transaction, requests: Sequence[AppendRequest], log: Log, *, patient: bool = True
) -> list[Outcome | Postponed]:
    """Append the events of many requests; return one outcome for each request, in order.

    Requests to a stream that another transaction has locked wait, or are :data:`POSTPONED` if not
    ``patient``.

    An error that it raises, from the database or for an unreadable stream, belongs to no single
    request. The whole transaction must then be rolled back, and each request may be tried
    separately.
    """
    if log.codec.seals:
        check_keys(tx, requests)
    batch = _Batch(tx, log, requests)
    watched = list(map(batch.watched, requests))
    taken = take_heads(tx, requests, watched, patient=patient)
    batch.taken, locked = taken, taken.locked
    outcomes: list[Outcome | Postponed] = []
    for request, streams in zip(requests, watched, strict=True):
        if locked and not locked.isdisjoint((request.stream, *(streams or ()))):
            outcomes.append(POSTPONED)
        else:
            outcomes.append(batch.perform(request, streams))
    if taken.absent:
        confirm_absent(tx, taken)
    batch.insert()
    if len(taken.heads) > HEADS_MAX:
        taken.heads.clear()
    return outcomes


class _Batch:
    """The requests of one transaction: heads that move, and rows to be inserted."""

    taken: TakenHeads

    def __init__(self, tx: Transaction, log: Log, requests: Sequence[AppendRequest]) -> None:
        self._tx = tx
        self._log = log
        clock, random_bytes = log.environment
        self._now_us = clock()
        self._seal = None if log.codec.as_is else log.codec.seal
        self._random = RandomBuffer(random_bytes, self._now_us, _RANDOM_BYTES * len(requests))
        self._handlers: dict[str, CategoryHandler] = {}
        self._moved: dict[StreamKey, tuple[StreamHead, StreamSession[Any, Any]]] = {}
        self._event_rows: list[tuple[Any, ...]] = []
        self._positions: list[Position] = []
        self._any_large = False
        """True once a content is too large for its event's row."""
        self._repeats: Repeats | None = None
        """The idempotency keys; made with the first one."""
        self._order = (0, 0)
        """Order key of the events of the current request: not below that of the transaction, nor
        below those of the streams that it looks at."""

    # -- 1: the streams to lock ----------------------------------------------------------------

    def watched(self, request: AppendRequest) -> Watched:
        """Return the other streams that a request is decided by; None if by its own alone."""
        category = request.stream.category
        handler = self._handlers.get(category)
        if handler is None:
            made = CATEGORY_HANDLERS.get(category) or CATEGORY_HANDLERS[""]
            handler = self._handlers[category] = made(self._tx, self._log, self._random.new_id)
        for command in request.commands:
            if type(command) in handler.watching:
                return tuple(handler.watched(request))
        return None

    # -- 2 to 6: one request -------------------------------------------------------------------

    def perform(self, request: AppendRequest, watched: Watched) -> Outcome:
        """Decide one request; nothing of it is written if it is refused."""
        if watched is not None:
            self.insert()  # the request may read rows decided in this very batch
        stream = request.stream
        head, session = self.taken.heads[stream], self._handlers[stream.category].session(stream)
        if not self._tx.ordering.single_writer:
            self._order = self._order_behind(stream, *(watched or ()))
        if request.key is not None and (kept := self._keys().find(request, head)) is not None:
            self.insert()  # the first try may be in this very batch, and is read back
            return self._keys().answer(request, session, kept)
        before, rows = head.row, len(self._event_rows)
        many = len(request.commands) > 1
        savepoint = session.savepoint() if many else None
        try:
            results, ends = self._perform_commands(request, head, session)
        except ConversationStoreError as error:
            if len(self._event_rows) > rows and not many:
                raise  # the event was folded already, and only a rollback undoes that
            head.row = before
            del self._event_rows[rows:], self._positions[rows:]
            if many:
                session.rollback_to(savepoint)
            return Failed(error)
        if head.row is not before:
            if head.place is None:
                self._intern(head, rows)
            self._moved[stream] = head, session
        if request.key is not None:
            self._keys().keep(request, head, before.version + 1, ends)
        positions = tuple(self._positions[rows:])
        waking = not positions and self._wakes_readers(request)
        return Appended(results if many else results[0], head.row.version, positions, waking)

    def _keys(self) -> Repeats:
        if self._repeats is None:
            self._repeats = Repeats(self._tx, self._log, self._random)
        return self._repeats

    def _wakes_readers(self, request: AppendRequest) -> bool:
        """Return whether a request wrote something beside the log that readers wait for."""
        waking = self._handlers[request.stream.category].waking
        return any(type(command) in waking for command in request.commands)

    def _perform_commands(
        self, request: AppendRequest, head: StreamHead, session: StreamSession[Any, Any]
    ) -> tuple[list[object], list[int]]:
        """Return the result of each command, and the version at which it ended."""
        if request.options is not None or request.expected != expectations.ANY:
            expectations.check(request.expected, head.row.version, request.stream)
            session.check(request)
        results: list[object] = []
        ends: list[int] = []
        for command in request.commands:
            events: list[Event] = []
            for decided in session.decide(request, command):
                events.append(self._chain(request, head, decided))  # noqa: PERF401 (a frame fewer)
            for event in events:
                session.evolve(event)
            results.append(session.result(command, events))
            ends.append(head.row.version)
        return results, ends

    def _order_behind(self, *streams: StreamKey) -> tuple[int, int]:
        """Return an order key that is below neither the transaction's nor that of any stream."""
        seen = [self.taken.heads[key].row.order for key in streams]
        return max((self.taken.placing.epoch, self.taken.placing.xid), *seen)

    # -- 4: number and chain -------------------------------------------------------------------

    def _chain(self, request: AppendRequest, head: StreamHead, decided: Decided) -> Event:
        """Number, encode and chain one event."""
        log, last, random = self._log, head.row, self._random
        version, now = last.version + 1, max(self._now_us, last.recorded_at_us)
        subject = request.subject if decided.subject is None else decided.subject or None
        data = codec.encode(decided.data)
        content = salt = commitment = None
        if decided.content is not None:
            plain = codec.encode(decided.content)
            if len(plain) > log.limits.content_bytes_max:
                raise too_large("content", len(plain), log.limits.content_bytes_max)
            content = plain
            if self._seal is not None:
                content = self._seal(plain, head.key, subject, head.prefix, version)
            salt = random(chain.SALT_BYTES)
            commitment = chain.commitment(salt, content)
            if len(content) > blobs.IN_ROW_BYTES_MAX:
                self._any_large = True
        catalogue = log.catalogues.get(head.key.category)
        schema_version = 1 if catalogue is None else catalogue.schema_versions[decided.type]
        event_id = decided.event_id or (
            random.new_id() if now == self._now_us else ids.uuid7(now, random(ids.RANDOM_BYTES))
        )
        hashed = chain.event_hash(
            head.prefix,
            last.hash,
            version=version,
            event_id=event_id,
            event_type=decided.type,
            schema_version=schema_version,
            recorded_at_us=now,
            metadata=request.metadata,
            data=data,
            content_commitment=commitment,
        )
        epoch, xid = self._order
        tenant, category, stream = head.place or _NOT_INTERNED
        position = self.taken.placing.next()
        self._positions.append(made(Position, (epoch, xid, position)))
        # The commitment is stored on erasure; until then content and salt give it.
        row = (
            position, epoch, xid, tenant, category, stream, version,
            event_id, decided.type, schema_version, now, data, content,
            salt, None, subject, request.metadata, hashed,
        )  # fmt: skip
        self._event_rows.append(row)
        head.row = HeadRow(version, now, hashed, epoch, xid)
        return Event(
            decided.type,
            version,
            now,
            position,
            decided.data,
            decided.content,
            request.actor,
            subject,
        )

    def _intern(self, head: StreamHead, rows: int) -> None:
        """Intern the names of a tenant's first stream, once its request was accepted."""
        tenant = intern_tenant(self._tx, head.key.tenant)
        category = intern_category(self._tx, head.key.category)
        place = head.place = tenant, category, head.key.id
        self._event_rows[rows:] = [(*r[:3], *place, *r[6:]) for r in self._event_rows[rows:]]

    # -- 7: insert -----------------------------------------------------------------------------

    def insert(self) -> None:
        """Write everything decided so far, one statement a table."""
        tx, rows = self._tx, self._event_rows
        if rows:
            write_heads(tx, self._moved.values())
            whole = blobs.set_apart(tx, _INSERT.columns, rows) if self._any_large else rows
            tx.write(_INSERT, whole)
            tx.newest = Landmark(self._positions[-1], rows[-1][-1], rows[-1][3], rows[-1][5])
            self._event_rows, self._positions, self._moved = [], [], {}
        for handler in self._handlers.values():
            handler.write()
        if self._repeats is not None:
            self._repeats.write()
