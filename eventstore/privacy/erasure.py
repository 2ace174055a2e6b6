"""Erase content of a message or a thread, there and in the forks that inherit it.

``api/operations/erasing.py`` calls it. ``privacy/planning.py`` first plans the content to erase.
Then each thread gets one event that erases it there, all in one transaction, and from then on no
reader sees that content (``write_path/thread_streams.py``). The **certificate** is made of the plan
and the log, so a repeated erasure gives the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from msgspec.structs import replace

from eventstore.conversation.commands import EraseAll
from eventstore.conversation.commands.erasable_content import Copy
from eventstore.core import ids
from eventstore.core.events import Position, instant
from eventstore.core.values import Value
from eventstore.errors import BrokenChain
from eventstore.privacy.planning import ErasureRequest, Planned, confirmed, plan
from eventstore.privacy.remains import projections_behind
from eventstore.storage import read, stream_heads
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.describing import describe_forks
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import Appended, Failed
from eventstore.write_path.thread_session import Guards

__all__ = [
    "ContentCopy",
    "Erased",
    "ErasedEvent",
    "Erasure",
    "Foreseen",
    "certificate",
    "erase",
    "erase_as_planned",
    "foresee",
    "shown_copies",
]


class ErasedEvent(Value):
    """An event that lost its content."""

    stream_id: str
    """The stream of the event."""
    version: int
    """The version of the event."""


class ContentCopy(Value):
    """An object that may hold a copy of the words, and was not erased."""

    kind: Literal["edit", "run", "source"]
    """``"edit"``: a message made by editing or regenerating, or the one it was made from;
    ``"run"``: the records of a run that wrote or saw it; ``"source"``: messages that an erased fork
    shows, up to this one, which stand in its source."""
    thread_id: str
    """The thread that holds it."""
    id: str
    """The id of the message or the run."""


class Erasure(Value):
    """The certificate of an erasure: what is erased, and what may remain.

    It is made from the log, so erasing again returns it again, with the state of that moment.
    """

    thread_id: str | None
    """The thread of the message, or the erased thread; None if a person was erased."""
    message_id: str | None
    """The erased message, if it was one."""
    subject_id: str | None = None
    """The erased person, if it was one: ``subject_`` and 32 hex digits that follow from the name
    and the tenant."""
    version: int
    """The version of the thread after the erasure; for a person that of the tenant's stream of the
    category ``store``."""
    erased_at: datetime
    """The time when content of it was last erased."""
    actor: str | None
    """Opaque id of the user or service that asked for it."""
    erased: tuple[ErasedEvent, ...]
    """Every event whose content is erased, in the thread and in its forks."""
    copies: tuple[ContentCopy, ...]
    """Objects that may also hold the words; ``include=`` erases them, too."""
    remains: tuple[str, ...] = ()
    """Places on disk that may still hold the bytes; empty: the database's files hold none."""
    pending: bool = False
    """True if something still has to be erased: erase the same message again to finish it."""


class Erased(NamedTuple):
    """The result of an erasure, from which its certificate is made."""

    planned: Sequence[Planned]
    now: Sequence[bool]
    """For each thread, whether this erasure wrote an event for it."""
    said: Sequence[read.StoredEvent]
    """The last erasing event of each thread in which anything was erased."""
    version: int
    """The version of the message's own thread."""
    behind: tuple[str, ...]
    """Projections that may still hold the words."""


def erase(
    tx: Transaction, log: Log, request: ErasureRequest, before: Sequence[Planned] = ()
) -> Appended[Erased]:
    """Plan and perform the request for an erasure in one transaction; ``before`` is an older plan.

    Raises:
        ConversationStoreError: why it was turned away; then the transaction must be rolled back.
    """
    return _erase(tx, log, plan(tx, log, request, before=before, holding=True))


def erase_as_planned(
    tx: Transaction, log: Log, planned: Sequence[Planned]
) -> Appended[Erased] | None:
    """Perform a request that was planned before; None if later events change the plan.

    Raises:
        ConversationStoreError: as :func:`erase`.
    """
    return _erase(tx, log, planned) if confirmed(tx, log, planned) else None


def _erase(tx: Transaction, log: Log, planned: Sequence[Planned]) -> Appended[Erased]:
    outcomes = append_many(tx, [_with_plan(one) for one in planned], log)
    now: list[bool] = []
    said: list[read.StoredEvent] = []
    positions: list[Position] = []
    for one, outcome in zip(planned, outcomes, strict=True):
        if isinstance(outcome, Failed):
            raise outcome.error
        assert isinstance(outcome, Appended)  # noqa: S101 (nobody was left waiting)
        now.append(bool(outcome.positions))
        positions += outcome.positions
        stream, found = one.request.stream, one.erasing.found
        told = max((found.recorded, *found.gone.values()))
        if outcome.positions or told:
            told = outcome.version if outcome.positions else told
            said.append(read.event_at(tx, stream, told))
    source = planned[0].request.stream
    version = stream_heads.head_version(tx, source)
    for one, erased in zip(planned, now, strict=True):
        if erased and one.erasing.found.renamed:
            describe_forks(tx, log, one.request.stream)
    if not said and not _of_a_person(planned):
        raise BrokenChain(source.text, version, "its content is missing, but no event erased it")
    behind = projections_behind(tx, max(event.position for event in said)) if said else ()
    done = Erased(planned, now, said, version, behind)
    return Appended(done, version, tuple(positions))


def _of_a_person(planned: Sequence[Planned]) -> bool:
    """Return whether threads may hold nothing to erase: events without content name a person."""
    command = planned[0].request.commands[0]
    return isinstance(command, EraseAll) and not command.whole


def _with_plan(planned: Planned) -> ErasureRequest:
    guards = planned.request.options or Guards()
    return replace(planned.request, options=guards._replace(erasing=planned.erasing))


class Foreseen(NamedTuple):
    """The effects that an erasure would have now."""

    events: tuple[ErasedEvent, ...]
    """Events that would lose their content."""
    copies: tuple[ContentCopy, ...]


def foresee(tx: Transaction, log: Log, request: ErasureRequest) -> Foreseen:
    """Return the effects of :func:`erase` without performing it.

    Raises:
        ThreadNotFound, MessageNotFound, Refused: as an erasure would be refused.
    """
    events, copies = [], []
    for one in plan(tx, log, request):
        found = one.erasing.found
        events += [
            ErasedEvent(stream_id=one.request.stream.text, version=version)
            for version in found.versions
        ]
        copies += shown_copies(found.left)
    return Foreseen(tuple(events), tuple(dict.fromkeys(copies)))


# -- the certificate -------------------------------------------------------------------------------


def certificate(done: Erased) -> Erasure:
    """Make the certificate of an erasure, of any length, after the locks are released."""
    erased, copies = [], []
    for one, now in zip(done.planned, done.now, strict=True):
        stream, found = one.request.stream, one.erasing.found
        lost = sorted({*found.gone, *(found.versions if now else ())})
        erased += [ErasedEvent(stream_id=stream.text, version=version) for version in lost]
        copies += shown_copies(found.left)
    first = done.planned[0].request
    command = first.commands[0]
    newest = max(done.said, key=lambda event: event.position)
    own = next((event for event in done.said if event.stream == first.stream), newest)
    return Erasure(
        thread_id=first.stream.text,
        message_id=None
        if isinstance(command, EraseAll)
        else ids.show(ids.MESSAGE, command.targets[0]),
        version=done.version,
        erased_at=instant(own.recorded_at_us),
        actor=read.actor_of(own.metadata),
        erased=tuple(erased),
        copies=tuple(dict.fromkeys(copies)),
        remains=done.behind,
        pending=bool(done.behind),
    )


def shown_copies(copies: Iterable[Copy]) -> list[ContentCopy]:
    return [
        ContentCopy(
            kind=copy.kind,
            thread_id=ids.show(ids.THREAD, copy.owner),
            id=ids.show(ids.RUN if copy.kind == "run" else ids.MESSAGE, copy.id),
        )
        for copy in copies
    ]
