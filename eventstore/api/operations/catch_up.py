"""Run projections: catch up with the log, follow it, rebuild and swap.

One step reads the checkpoint and the events after it, on a reader's snapshot; the next writes the
rows and the checkpoint, in one short transaction. Reading and decoding thus hold no lock. The write
compares the checkpoint, so events in between do no harm.

**Where a batch is written.** SQLite always has one writer at a time, so a batch goes through the
store's own writer and shares a transaction with the appends that wait; it is kept small. On
PostgreSQL it is performed alone on a separate connection (``Maintenance.alone``): it waits for the
row of its projection and for nothing else, and appends neither wait for it nor share its fate. Like
every writing transaction, it holds back events from readers of the whole log, which is the other
reason to keep it small.

**Who works.** A worker takes the lease of a generation when nobody has it or when its holder let it
run out (``read_models/catch_up/leases.py`` judges that). It renews the lease while it works or
waits, by a clock of its own that is never set, and gives it back at the end, also when the store is
closed under it. The token refuses a late write; see ``read_models/catch_up/generations.py``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import partial
from time import monotonic
from typing import Final

from eventstore.api.operations.catch_up_terms import Terms, changing
from eventstore.api.operations.operation import Read, Scope
from eventstore.api.operations.recorded import recorded
from eventstore.api.operations.routine import Routine, Wait
from eventstore.core.events import Position
from eventstore.errors import (
    ConversationStoreError,
    LeaseLost,
    OutcomeUnknown,
    StoreBusy,
    StoreUnavailable,
    UndecodableEvent,
)
from eventstore.read_models.catch_up.applying import Batch, Poisoned, TenantEvent
from eventstore.read_models.catch_up.definition import Definition
from eventstore.read_models.catch_up.failing import Failure, failure_at
from eventstore.read_models.catch_up.generations import (
    Generation,
    Unmade,
    begin,
    cannot_begin,
    drop_retired,
    generations,
    needs_beginning,
)
from eventstore.read_models.catch_up.held import Lease
from eventstore.read_models.catch_up.holding import fail, release, renew, swap, take
from eventstore.read_models.catch_up.pages import Page, last_position, next_page
from eventstore.storage.read import StoredEvent

__all__ = ["catching_up", "closing", "running"]

_log = logging.getLogger("eventstore.threads")


_PASSING: Final = (StoreBusy, OutcomeUnknown, StoreUnavailable, ConnectionError, TimeoutError)
"""Errors that a following worker waits out."""


_MISSING: Final = "missing"
"""The recorded type of a missing event."""


class _Worker:
    """The leases of one worker, and its next step."""

    def __init__(self, scope: Scope, terms: Terms) -> None:
        self._scope = scope
        self._terms = terms
        random_bytes = scope.log.environment.random_bytes
        self._holder = terms.holder or f"{os.getpid()}-{random_bytes(4).hex()}"
        self._held: dict[tuple[str, int], int] = {}
        """Tokens, by generation."""
        self._lease_us = int(terms.lease_seconds * 1_000_000)
        self._renewed: dict[tuple[str, int], float] = {}
        """The time when each lease was last renewed, at the latest."""

    def turn(self, definition: Definition) -> Routine[bool]:
        """Do at most one batch for each generation; return whether there was anything to do."""
        known: list[Generation] = yield Read(partial(generations, name=definition.name))
        if needs_beginning(known, definition):
            yield from self._begin(definition)
            return True
        busy = False
        for one in known:
            if one.status == "retired":
                busy |= yield from self._clear_away(one)
            elif one.version == definition.version and one.failure is None:
                try:
                    busy |= yield from self._serve(definition, one)
                except StoreUnavailable as error:
                    if error.reason != "restored" or one is known[-1]:
                        raise  # else another set of tables is built, to replace it
        return busy

    def _begin(self, definition: Definition) -> Routine[None]:
        try:
            yield changing(partial(begin, definition=definition, anew=False))
        except Unmade as error:
            _log.error("%s", error)
            yield changing(partial(cannot_begin, definition=definition, error=error.error))

    def _clear_away(self, one: Generation) -> Routine[bool]:
        if one.ran_out is False:
            return False
        dropped: bool = yield changing(partial(drop_retired, name=one.name))
        return dropped

    def _serve(self, definition: Definition, one: Generation) -> Routine[bool]:
        """Hold the lease and apply the next batch, if there is one."""
        if self._held.get(one.key) != one.token:
            if self._held.pop(one.key, None) is not None:
                _log.warning("the lease on %s went to another worker: %s", one.name, one.holder)
            taken = yield from self._taken(one)
            if taken is None:
                return False
            one = taken
        size = self._terms.batch_events_max
        try:
            page: Page = yield Read(
                partial(next_page, definition=definition, after=one.position, limit=size)
            )
            if page.end == one.position and page.broken is None:
                return (yield from self._at_the_end(one))
            yield from self._apply(definition, one, page)
        except LeaseLost as error:
            self._held.pop(one.key, None)
            _log.warning("%s", error)
            return False
        return True

    def _taken(self, one: Generation) -> Routine[Generation | None]:
        if not self._scope.registry.watched.is_free(one):
            return None
        taking = partial(take, one=one, holder=self._holder, lease_us=self._lease_us)
        self._renewed[one.key] = monotonic()
        taken: Generation | None = yield changing(lambda tx: self._noted(taking(tx)))
        return taken

    def _noted(self, taken: Generation | None) -> Generation | None:
        """Record a lease before it is committed: this worker may be ended in between."""
        if taken is not None:
            self._held[taken.key] = taken.token
            self._scope.registry.held.add((*taken.key, taken.token))
        return taken

    def _at_the_end(self, one: Generation) -> Routine[bool]:
        """At the end of the log, make the generation active, or keep the lease."""
        if one.status == "building":
            swapped: bool = yield changing(partial(swap, one=one))
            return swapped
        now = monotonic()
        if now - self._renewed[one.key] > self._terms.lease_seconds / 2:
            yield changing(partial(renew, one=one, lease_us=self._lease_us))
            self._renewed[one.key] = now
        return False

    # -- a batch -------------------------------------------------------------------------------

    def _apply(self, definition: Definition, one: Generation, page: Page) -> Routine[None]:
        """Apply a page; stop at an event that cannot be applied, if there is one."""
        events, failure = self._decoded(page.events)
        if failure is None and (gap := page.broken) is not None:
            failure = failure_at(gap.stream_id, gap.version, _MISSING, gap)
        end = page.end
        while True:
            if failure is not None and events:
                end = events[-1][1].position
            if events or failure is None:
                batch = Batch(definition, one, events, end, self._lease_us)
                now = monotonic()
                try:
                    yield changing(batch)
                    self._renewed[one.key] = now
                except Poisoned as poisoned:
                    events, failure = events[: poisoned.index], poisoned.failure
                    continue
            break
        if failure is not None:
            yield from self._stop_at(one, failure)

    def _decoded(self, found: Sequence[StoredEvent]) -> tuple[list[TenantEvent], Failure | None]:
        events: list[TenantEvent] = []
        for stored in found:
            try:
                events.append((stored.stream.tenant, recorded(self._scope.log, stored)))
            except UndecodableEvent as error:
                return events, failure_at(stored.stream.text, stored.version, stored.type, error)
        return events, None

    def _stop_at(self, one: Generation, failure: Failure) -> Routine[None]:
        _log.error(
            "projection %s stopped at event %d of %s (%s): %s",
            *(one.name, failure.version, failure.stream_id, failure.type, failure.error),
        )
        yield changing(partial(fail, one=one, failure=failure))
        self._held.pop(one.key, None)

    def leave(self) -> Routine[None]:
        """Give back every lease, so that other workers need not wait for them to run out."""
        held, self._held = self._held, {}
        if not self._scope.registry.held.closed:
            yield from _giving_back([(*key, token) for key, token in held.items()])


def _giving_back(leases: Sequence[Lease]) -> Routine[None]:
    if not leases:
        return
    try:
        yield changing(partial(release, leases=leases))
    except ConversationStoreError as error:  # they run out in time
        names = ", ".join(name for name, _, __ in leases)
        _log.info("the lease on %s was not given back: %s", names, error)


def closing(scope: Scope) -> Routine[None]:
    """Give back the leases of a store's workers before the store is closed."""
    yield from _giving_back(scope.registry.held.close())


def running(scope: Scope, names: Sequence[str] | None, terms: Terms) -> Routine[None]:
    """Follow the log until stopped."""
    worker = _Worker(scope, terms)
    try:
        while True:
            busy = False
            for definition in scope.registry.named(names):
                try:
                    busy |= yield from worker.turn(definition)
                except _PASSING as error:
                    if isinstance(error, StoreUnavailable) and error.reason == "restored":
                        raise
                    _log.warning("projection %s waits: %s", definition.name, error)
            stop = yield Wait(0 if busy else terms.poll_seconds)
            if stop:
                return
    finally:
        yield from worker.leave()


def catching_up(scope: Scope, names: Sequence[str] | None, terms: Terms) -> Routine[None]:
    """Apply every present event, and finish generations that are being built."""
    worker = _Worker(scope, terms)
    target: Position = yield Read(last_position)
    try:
        for definition in scope.registry.named(names):
            while True:
                busy = yield from worker.turn(definition)
                known = yield Read(partial(generations, name=definition.name))
                if _arrived(known, definition, target):
                    break
                if not busy:  # another worker has the lease
                    yield Wait(terms.poll_seconds)
    finally:
        yield from worker.leave()


def _arrived(known: Sequence[Generation], definition: Definition, target: Position) -> bool:
    """Return whether a projection has reached a position, or cannot proceed."""
    ours = [one for one in known if one.version == definition.version and one.failure is None]
    behind = [one for one in ours if one.status == "active" and one.position < target]
    return not behind and all(one.status != "building" for one in ours)
