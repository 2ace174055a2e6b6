"""Append events: the only code that writes them.

:func:`append_many` takes the requests of many waiting callers into one transaction. It reads each
stream's head once, decides the requests in the order they were sent, and writes one statement per
table for all of them. A refused request leaves before anything is written and disturbs no other. A
``CategoryHandler`` per category (``requests.py``) decides and projects.

Versions are numbered from the heads, which the transaction locks before it decides anything (see
:mod:`~eventstore.storage.ordering`), so they have no gaps and no duplicates. Where a head is
remembered instead of read, moving it compares it with the database's own. ``recorded_at`` is one
reading of the clock per transaction, never below the stream's last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from eventstore.core import chain, codec, expectations, ids
from eventstore.core.environment import Environment, RandomBuffer
from eventstore.core.events import Decided, Event, Position, StreamKey
from eventstore.errors import ConversationStoreError, InvalidInput
from eventstore.storage import blobs
from eventstore.storage.idempotency import IdempotencyKeys, KeptKey
from eventstore.storage.interning import (
    find_category,
    find_tenant,
    intern_category,
    intern_tenant,
)
from eventstore.storage.ordering import HeadRow, Moved, Place, Placing
from eventstore.storage.requests import (
    Appended,
    AppendRequest,
    CategoryHandler,
    Failed,
    Log,
    Outcome,
    Postponed,
    StreamSession,
)
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Landmark, Transaction

__all__ = ["append_many", "taken_head"]


class _Head:
    """A stream's head, as this transaction moves it."""

    __slots__ = ("category", "key", "prefix", "row", "stored", "tenant")

    def __init__(self, key: StreamKey, place: Place | None, row: HeadRow | None) -> None:
        self.key = key
        self.tenant: int | None = None
        self.category: int | None = None
        if place is not None:
            self.tenant, self.category, _ = place
        self.prefix = chain.stream_prefix(key.tenant, key.text)
        self.stored = self.row = row or _NO_EVENTS
        """The head in the database, and the head after the decided events are written."""

    @property
    def new(self) -> bool:
        """True while the database does not have the stream yet."""
        return self.stored is _NO_EVENTS


_NO_EVENTS = HeadRow(0, 0, chain.GENESIS, 0, 0)


_RANDOM_BYTES = 64
"""Random bytes of a message: its id, its event's id, and the salt of its content."""

_KEPT = "heads of streams"
_MADE = "rows were made"
_HEADS_KEPT = 16_384
"""Heads the writer keeps from one transaction to the next, about 500 bytes each."""

_KEY = ("tenant", "category", "stream")
_HEAD = ("version", "recorded_at", "hash", "epoch", "xid")
_INSERT_EVENT = Insert(
    "events",
    (
        "position",
        "epoch",
        "xid",
        *_KEY,
        "version",
        "event_id",
        "type",
        "schema_version",
        "recorded_at",
        "data",
        "content",
        "salt",
        "commitment",
        "subject",
        "metadata",
        "hash",
    ),
)
_INSERT_HEAD = Insert("streams", (*_HEAD, "summary", *_KEY))


def append_many(
    tx: Transaction, requests: Sequence[AppendRequest], log: Log, *, patient: bool = True
) -> list[Outcome | Postponed]:
    """Append the events of many requests; return one outcome for each request, in order.

    Requests to a stream that another transaction has locked wait, or come back as
    :class:`Postponed` if not ``patient``.

    An error that it raises, from the database or for an unreadable stream, belongs to no single
    request. The whole transaction must then be rolled back, and each request may be tried
    separately.
    """
    return _Batch(tx, log, requests).take_all(patient=patient)


def taken_head(tx: Transaction, stream: StreamKey) -> HeadRow | None:
    """Return the locked head of a stream; None if the stream has no event yet.

    Valid only for the stream of a request and the streams it looks at: heads of other streams may
    be outdated.
    """
    head: _Head | None = tx.cache[_KEPT].get(stream)
    return None if head is None or not head.row.version else head.row


_Looked: TypeAlias = tuple[StreamKey, ...] | None
"""The other streams that a request is decided by; None if it is decided by its own alone."""


class _Batch:
    """The state of one :func:`append_many`: moving heads and rows to be written."""

    def __init__(self, tx: Transaction, log: Log, requests: Sequence[AppendRequest]) -> None:
        self._requests = requests
        self._tx = tx
        self._now = now = log.environment.clock()
        dice = RandomBuffer(log.environment.random_bytes, _RANDOM_BYTES * len(requests))
        self._log = Log(Environment(lambda: now, dice), *log[1:])
        self._heads: dict[StreamKey, _Head] = tx.cache.setdefault(_KEPT, {})
        self._moved: dict[StreamKey, tuple[_Head, StreamSession]] = {}
        self._handlers: dict[str, CategoryHandler] = {}
        self._event_rows: list[tuple[Any, ...]] = []
        self._keys = IdempotencyKeys(tx)
        self._placing: Placing
        self._absent: list[StreamKey] = []
        self._order = (0, 0)
        """Order key of the events of the current request: not below that of the transaction, nor
        below those of the streams that it looks at."""

    def take_all(self, *, patient: bool) -> list[Outcome | Postponed]:
        looked = list(map(self._looked_at, self._requests))
        held = self._take_heads(looked, patient=patient)
        outcomes: list[Outcome | Postponed] = []
        for request, others in zip(self._requests, looked, strict=True):
            waited = _waits_for(request, others, held) if held else None
            outcomes.append(self._take(request, others) if waited is None else Postponed(waited))
        if self._absent:
            self._confirm_absent()
        self._write()
        if len(self._heads) > _HEADS_KEPT:
            self._heads.clear()
        return outcomes

    def _take(self, request: AppendRequest, looked: _Looked) -> Outcome:
        if looked is not None:
            self._write()  # the request may read rows decided in this very batch
        stream, many = request.stream, len(request.commands) > 1
        head = self._heads[stream]
        if not self._tx.ordering.single_writer:
            self._order = self._order_behind(stream, *(looked or ()))
        before, rows = head.row, len(self._event_rows)
        decider = self._deciding(stream.category).session(stream)
        mark = decider.mark() if many else None
        try:
            if request.key is not None and (kept := self._keys.find(request, head)) is not None:
                return self._repeat(request, decider, kept)
            if request.options is not None or request.expected != expectations.ANY:
                expectations.check(request.expected, before.version, stream)
                decider.check(request)
            results, ends = [], []
            for command in request.commands:
                results.append(self._perform(request, decider, head, command))
                ends.append(head.row.version)
        except ConversationStoreError as error:
            if len(self._event_rows) > rows and not many:
                raise  # the event was folded already, and only a rollback undoes that
            head.row = before
            del self._event_rows[rows:]
            return _refused(decider, mark, error)
        self._intern(head, rows)
        if request.key is not None:
            self._keep_key(request, head, before.version + 1, ends)
        positions = tuple([Position(*self._order, row[0]) for row in self._event_rows[rows:]])
        result = results if many else results[0]
        if positions:
            self._moved[stream] = head, decider
            return Appended(result, head.row.version, positions)
        tells = self._deciding(stream.category).tells
        return Appended(
            result, head.row.version, (), any(type(c) in tells for c in request.commands)
        )

    def _keep_key(
        self, request: AppendRequest, head: _Head, first: int, ends: Sequence[int]
    ) -> None:
        if head.tenant is not None:
            salt = self._log.environment.random_bytes(chain.SALT_BYTES)
            self._keys.keep(request, head, KeptKey.of(request, salt, first, ends))

    def _order_behind(self, *streams: StreamKey) -> tuple[int, int]:
        """Return an order key that is below neither the transaction's nor that of any stream."""
        seen = [self._heads[key].row.order for key in streams]
        return max((self._placing.epoch, self._placing.xid), *seen)

    def _perform(
        self,
        request: AppendRequest,
        decider: StreamSession,
        head: _Head,
        command: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Decide, record, evolve: a refusal comes before anything of the command is folded in."""
        events: list[Event] = []
        for decided in decider.decide(request, command):
            events.append(self._record(request, head, decided))  # noqa: PERF401 (a frame fewer)
        for event in events:
            decider.evolve(event)
        return decider.result(command, events)

    # -- recording -----------------------------------------------------------------------------

    def _record(self, request: AppendRequest, head: _Head, decided: Decided) -> Event:
        """Number, encode and chain one event."""
        log = self._log
        last = head.row
        version = last.version + 1
        now = max(self._now, last.recorded_at_us)
        subject = decided.subject or request.subject
        data = codec.encode(decided.data)
        content = salt = promise = None
        random = log.environment.random_bytes(chain.SALT_BYTES + ids.RANDOM_BYTES)
        if decided.content is not None:
            plain = codec.encode(decided.content)
            limit = log.limits.content_bytes_max
            if len(plain) > limit:
                raise InvalidInput(
                    "content",
                    f"{len(plain)} bytes encoded, {limit} allowed",
                    "Shorten it, or keep large data elsewhere and refer to it.",
                )
            content = log.content_codec.seal(plain, subject)
            salt = random[: chain.SALT_BYTES]
            promise = chain.commitment(salt, content)
        catalogue = log.catalogues.get(request.stream.category)
        schema_version = 1 if catalogue is None else catalogue.schema_version(decided.type)
        event_id = decided.event_id or ids.uuid7(now, random[chain.SALT_BYTES :])
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
            content_commitment=promise,
        )
        epoch, xid = self._order
        position = self._placing.next()
        self._event_rows.append(
            (
                position,
                epoch,
                xid,
                head.tenant,
                head.category,
                head.key.id,
                version,
                event_id,
                decided.type,
                schema_version,
                now,
                data,
                content,
                salt,
                None,  # the commitment is stored on erasure; until then both give it
                subject,
                request.metadata,
                hashed,
            )
        )
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

    def _intern(self, head: _Head, rows: int) -> None:
        """Intern the names of a tenant's first stream, once its request was accepted."""
        if head.tenant is not None or len(self._event_rows) == rows:
            return
        head.tenant = intern_tenant(self._tx, head.key.tenant)
        head.category = intern_category(self._tx, head.key.category)
        place = head.tenant, head.category
        self._event_rows[rows:] = [(*r[:3], *place, *r[5:]) for r in self._event_rows[rows:]]

    # -- repeats -------------------------------------------------------------------------------

    def _repeat(self, request: AppendRequest, decider: StreamSession, kept: KeptKey) -> Outcome:
        kept.check(request)
        self._write()  # the first try may be in this very batch, and is read back
        results, first = [], kept.first
        for command, end in zip(request.commands, kept.ends, strict=True):
            results.append(decider.repeated(request, command, first, end))
            first = end + 1
        return Appended(results if len(results) > 1 else results[0], kept.ends[-1], ())

    # -- reading and writing -------------------------------------------------------------------

    def _deciding(self, category: str) -> CategoryHandler:
        deciding = self._handlers.get(category)
        if deciding is None:
            factories = self._log.handlers
            factory = factories.get(category) or factories[""]
            deciding = self._handlers[category] = factory(self._tx, self._log)
        return deciding

    def _take_heads(self, looked: Sequence[_Looked], *, patient: bool) -> set[StreamKey]:
        """Lock every head of the batch before anything is decided; return those locked elsewhere.

        Facts kept of a stream from an earlier transaction hold if its head has not moved.
        """
        tx, heads = self._tx, self._heads
        alone, events = tx.ordering.single_writer, 0
        wanted: dict[StreamKey, Place | None] = {}
        for request, others in zip(self._requests, looked, strict=True):
            events += len(request.commands)
            for key in (request.stream, *(others or ())):
                if key not in wanted and not (alone and key in heads):
                    wanted[key] = self._place(key)
        places = [place for place in wanted.values() if place is not None] if wanted else []
        taken = tx.ordering.take(tx, places, events, patient=patient)
        if not alone:
            _forget_rows_made_again(tx)
        self._placing = taken.placing
        for key, place in wanted.items():
            row = None if place is None else taken.rows.get(place)
            if key not in heads or heads[key].row != (row or _NO_EVENTS):
                for known in tx.cache.values():
                    known.pop(key, None)
                heads[key] = _Head(key, place, row)
            if row is None and not alone and place not in taken.held:
                self._absent.append(key)
        return {key for key, place in wanted.items() if place in taken.held} if wanted else set()

    def _confirm_absent(self) -> None:
        """Check again that missing streams which were not made here are still missing.

        A missing row cannot be locked: another transaction may have made the stream since, after a
        request was refused because of its absence. (A stream that is made here meets its own key.)
        """
        heads = self._heads
        doubtful = [key for key in self._absent if heads[key].new and key not in self._moved]
        places = [place for key in doubtful if (place := self._place(key)) is not None]
        if places:
            self._tx.ordering.confirm_absent(self._tx, places)

    def _looked_at(self, request: AppendRequest) -> _Looked:
        """Return the other streams that decide a request; None if only its own does."""
        deciding = self._deciding(request.stream.category)
        for command in request.commands:
            if type(command) in deciding.looks_elsewhere:
                return tuple(deciding.looks_at(request))
        return None

    def _place(self, key: StreamKey) -> Place | None:
        tenant = find_tenant(self._tx, key.tenant)
        category = find_category(self._tx, key.category)
        return None if tenant is None or category is None else (tenant, category, key.id)

    def _write(self) -> None:
        """Write everything decided so far, one statement a table."""
        tx, rows = self._tx, self._event_rows
        if rows:
            begun: list[tuple[Any, ...]] = []
            moved: list[Moved] = []
            for head, decider in self._moved.values():
                if head.stored is _NO_EVENTS:
                    begun.append(_head_row(head, decider))
                else:
                    place: Any = head.tenant, head.category, head.key.id  # made when it began
                    moved.append(Moved(head.stored, head.row, decider.summary(), place))
                head.stored = head.row
            if begun:
                tx.write(_INSERT_HEAD, begun)
            if moved:
                tx.ordering.move(tx, moved)
            tx.write(_INSERT_EVENT, blobs.set_apart(tx, _INSERT_EVENT.columns, rows))
            epoch, xid, tenant, _, stream = rows[-1][1:6]
            tx.newest = Landmark(Position(epoch, xid, rows[-1][0]), rows[-1][-1], tenant, stream)
            self._event_rows, self._moved = [], {}
            for deciding in self._handlers.values():
                deciding.write()
        self._keys.write()


def _refused(decider: StreamSession, mark: object, error: ConversationStoreError) -> Failed:
    """Undo the changes of a request's first commands, and return why it was refused."""
    if mark is not None:
        decider.rollback_to(mark)
    return Failed(error)


def _forget_rows_made_again(tx: Transaction) -> None:
    """Drop everything kept of streams if another connection of this store rebuilt rows.

    A rebuild moves no head. It is announced before its heads are released, so a transaction that
    has locked them sees it.
    """
    made: dict[None, object] = tx.cache.setdefault(_MADE, {})
    last = tx.interned.remade.last
    if made.get(None) is not last:
        for known in tx.cache.values():
            known.clear()
        made[None] = last


def _head_row(head: _Head, decider: StreamSession) -> tuple[Any, ...]:
    row, key = head.row, head.key
    moved = row.version, row.recorded_at_us, row.hash, row.epoch, row.xid
    return (*moved, decider.summary(), head.tenant, head.category, key.id)


def _waits_for(request: AppendRequest, looked: _Looked, held: set[StreamKey]) -> StreamKey | None:
    """Return the locked stream for which a request has to wait, if there is one."""
    return next((key for key in (request.stream, *(looked or ())) if key in held), None)
