"""Reads what a run did behind a reader's place: from the log, and from the text being written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from eventstore.conversation.rows import RunStatus
from eventstore.conversation.run_events import RunEvent
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.conversation.run_telling import Cursor, Reached, tell, tell_shown
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.errors import RunNotFound, StoreUnavailable
from eventstore.storage.folding_pages import decoded_events
from eventstore.storage.log import Log
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction
from eventstore.subscriptions.subscription_state import PageOutcome
from eventstore.threads import run_chunks
from eventstore.threads.run_rows import RUN_STATUSES

__all__ = ["RESTING", "RunKey", "RunPage", "RunReader", "RunStands", "stands_of"]

RESTING: Final = TERMINAL | {"requires_action"}
"""Statuses in which nothing more comes unless somebody outside acts."""

_STANDS: Final = (
    "SELECT run.tenant, run.thread, run.run, run.status, run.version, head.version, run.writing,"
    " (SELECT ends"
    " FROM {{run_chunks}} AS one WHERE one.tenant = run.tenant AND one.thread = run.thread"
    " AND one.message = run.writing ORDER BY begins DESC LIMIT 1)"
    " FROM {{runs}} AS run JOIN {{streams}} AS head ON head.tenant = run.tenant"
    " AND head.category = ? AND head.stream = run.thread WHERE {}"
)
_ONE: Final = "run.tenant = ? AND run.thread = ? AND run.run = ?"
_AT_ONCE: Final = 64
_PAGE_EVENTS: Final = 500
_PAGE_CHARACTERS: Final = 1_000_000


class RunStands(NamedTuple):
    """The state of a run, read in one statement; it differs if there may be something new."""

    status: RunStatus
    begins: int
    """Version of the event that created it."""
    version: int
    """Version of its thread."""
    writing: bytes | None
    shown: int
    """Length of the text that is being written."""


class RunKey(NamedTuple):
    """A run of a thread."""

    stream: StreamKey
    run_id: bytes


def stands_of(tx: Transaction, keys: Sequence[RunKey]) -> dict[RunKey, RunStands]:
    """Return the states of those of several runs that exist, many of them in a statement."""
    known = {}
    for key in keys:
        place = place_of(tx, key.stream)
        if place is not None:
            tenant, category, thread = place
            known[tenant, bytes(thread), key.run_id] = (category, key)
    found = {}
    asked = list(known)
    for start in range(0, len(asked), _AT_ONCE):
        some = asked[start : start + _AT_ONCE]
        some += [some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))  # few texts
        category = known[some[0]][0]
        given = [category, *(value for each in some for value in each)]
        for row in tx.all(_STANDS.format(" OR ".join([f"({_ONE})"] * len(some))), given):
            tenant, thread, run, status, begins, version, writing, shown = row
            writes = None if writing is None else bytes(writing)
            key = known[tenant, bytes(thread), bytes(run)][1]
            found[key] = RunStands(RUN_STATUSES[status], begins, version, writes, shown or 0)
    return found


class RunPage(NamedTuple):
    """The next events of a run."""

    found: PageOutcome
    stands: RunStands
    events: list[RunEvent]
    reached: Reached


class RunReader(NamedTuple):
    """Reads one run."""

    log: Log
    stream: StreamKey
    run_id: bytes
    cursor: Cursor

    def stand(self, tx: Transaction) -> RunStands:
        """Return the state of the run.

        Raises:
            RunNotFound: the thread has none of this id, or was purged.
        """
        found = stands_of(tx, [self.key]).get(self.key)
        if found is None:
            raise RunNotFound(ids.show(ids.RUN, self.run_id), self.stream.text)
        return found

    @property
    def key(self) -> RunKey:
        """The run, among those of all threads."""
        return RunKey(self.stream, self.run_id)

    def next_page(self, tx: Transaction, reached: Reached) -> RunPage:
        """Return the events behind a place, on one snapshot.

        Raises:
            StoreUnavailable: ``"restored"``; the thread went back behind the place.
        """
        stands = self.stand(tx)
        self._check_not_ahead(reached, stands)
        events: list[RunEvent] = []
        if reached.over:
            return RunPage(PageOutcome.SHORT, stands, events, reached)
        size = count = 0
        after = max(reached.version, stands.begins - 1)
        log, stream = self.log, self.stream
        for event in decoded_events(tx, log, stream, after=after, until=stands.version):
            for made, behind in tell(reached, event, self.run_id, self.cursor):
                events.append(made)
                size, reached = size + behind.text - reached.text, behind
            if reached.over:
                return RunPage(PageOutcome.SHORT, stands, events, reached)
            reached, count = reached._replace(version=event.version), count + 1
            if count == _PAGE_EVENTS or size > _PAGE_CHARACTERS:
                return RunPage(PageOutcome.FULL, stands, events, reached)
        return self._with_shown(tx, RunPage(PageOutcome.SHORT, stands, events, reached))

    def _check_not_ahead(self, reached: Reached, stands: RunStands) -> None:
        if reached.version > stands.version:
            raise StoreUnavailable(
                "restored",
                f"a reader of {ids.show(ids.RUN, self.run_id)} had reached version"
                f" {reached.version}, but {self.stream.text} ends at {stands.version}: an older"
                " backup was restored",
                "Read the run again from its start.",
            )

    def _with_shown(self, tx: Transaction, page: RunPage) -> RunPage:
        """Add the new piece of the text that is being written."""
        message_id, reached = page.stands.writing, page.reached
        if message_id is None:
            return page
        text = run_chunks.text(tx, self.stream, message_id, reached.told_of(message_id))
        for made, behind in tell_shown(reached, self.run_id, message_id, text, self.cursor):
            page.events.append(made)
            reached = behind
        return page._replace(reached=reached)
