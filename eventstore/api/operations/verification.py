"""``store.audit.verify``: recompute everything, or what came since, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple, TypeAlias

from eventstore.api.operations.inputs import checked_flag
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Collected,
    Maintenance,
    Page,
    Paged,
    Read,
    Scope,
    Write,
    write,
)
from eventstore.api.operations.recorded import recorded
from eventstore.audit.findings import AuditFinding, VerifyReport, finding
from eventstore.audit.marks import (
    Mark,
    ends_differ,
    last_mark,
    position_to_mark,
    streams_behind,
)
from eventstore.audit.marks import mark as leave_mark
from eventstore.audit.read_models import ModelCheck
from eventstore.audit.tree_checks import Signed, TreePlace, check_tree_page
from eventstore.audit.tree_heads import TreeHead, public_key_of
from eventstore.audit.verifying import (
    Verified,
    Verifying,
    VerifyingChanged,
    thread_place,
    verify_changed_page,
    verify_page,
    verify_thread_page,
)
from eventstore.core.events import Position, StreamKey
from eventstore.errors import InvalidInput, ThreadNotFound
from eventstore.storage.chain_pages import stream_exists
from eventstore.storage.not_text import is_not_text
from eventstore.storage.stream_heads import place_of
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Appended, AppendRequest
from eventstore.write_path.store_streams import store_stream

__all__ = ["verify"]


def verify(
    scope: Scope,
    thread_id: str | None = None,
    *,
    tree_head: TreeHead | str | None = None,
    public_key: str | bytes | None = None,
    changed_only: bool = False,
    read_models: bool = False,
    mark: bool = False,
) -> Collected[VerifyReport]:
    """Recompute the hash chain, and compare the tables with the events.

    It checks hashes and commitments, gaps and order, the ends of streams, that content went only by
    an erasure, that forks still stand on the events that they were made from, that purged threads
    are gone, and that decision tables hold what the events say. It writes nothing but a ``mark``.

    Nothing inside a database can show that an older copy was put in its place, that an end was cut
    off together with every trace of it, or that all hashes were computed anew. A signed tree head
    that was kept elsewhere shows this.

    Args:
        thread_id: The thread, with the threads that it was forked from; the whole tenant if left
            out.
        tree_head: A head that was signed earlier: the tree has to go on from it.
        public_key: The key that signed it, 32 bytes or 64 hex digits. Stored heads of this key are
            verified as well.
        changed_only: Recompute only streams that went on since ``tree_head``, or without one since
            the last mark: that the others end where it says is verified all the same. An alteration
            of an older event is then found only if the end of its stream differs, too.
        read_models: Also build the registered projections that offer ``contents`` anew, in memory,
            and compare. It reads all events once more for each.
        mark: If nothing is found, append a mark to the tenant's stream of the category ``store``,
            from which ``changed_only`` goes on.

    Raises:
        InvalidInput: an argument is malformed, or the signature of the head does not hold.
        ThreadNotFound: there is none.
        Refused: with a mark, if the tables are distributed over several nodes, which have no
            common order.
    """
    signed = _signed(tree_head, public_key)
    key = None if thread_id is None else thread_key(scope, thread_id)
    for name, given in (
        ("changed_only", changed_only),
        ("read_models", read_models),
        ("mark", mark),
    ):
        if checked_flag(given, name) and key is not None:
            raise InvalidInput(name, "is about a whole tenant", "Leave out thread_id.")
    if read_models and scope.is_tenants:
        raise InvalidInput(
            "read_models",
            "is about tables of all tenants",
            "Call it on the store as it was opened, bound to no tenant.",
        )
    chosen = _Chosen(changed_only=changed_only, read_models=read_models, mark=mark)
    verification = _Verification(scope, key, signed, chosen)
    first: _Place = "begin" if key is None else thread_place(key.id)
    return Collected(Paged(first, verification), _report)


def _signed(tree_head: TreeHead | str | None, public_key: str | bytes | None) -> Signed:
    key = None if public_key is None else public_key_of(public_key)
    if tree_head is None:
        return Signed(None, key)
    if key is None:
        raise InvalidInput(
            "public_key",
            "is needed with a tree head",
            "Give the public key of whoever signed it; it is never taken from the head itself.",
        )
    head = TreeHead.parse(tree_head)
    head.check(key)
    return Signed(head, key)


def _report(pages: Sequence[Verified]) -> VerifyReport:
    streams = sum(one.streams for one in pages)
    every = sum(one.streams_at_the_end for one in pages)
    return VerifyReport(
        streams=streams,
        unchanged=max(every - streams, 0),
        events=sum(one.events for one in pages),
        threads_compared=sum(one.compared for one in pages),
        threads_not_compared=sum(one.not_compared for one in pages),
        read_models=tuple(one.read_model for one in pages if one.read_model is not None),
        since=next((one.since for one in pages if one.since is not None), None),
        marked=next((one.marked for one in pages if one.marked is not None), None),
        findings=tuple(dict.fromkeys(found for one in pages for found in one.findings)),
    )


class _Chosen(NamedTuple):
    """The parts of a verification that were asked for."""

    changed_only: bool
    read_models: bool
    mark: bool


class _Models(NamedTuple):
    """The read models that are left to compare."""

    left: tuple[ModelCheck, ...]


_Place: TypeAlias = Literal["begin"] | Verifying | VerifyingChanged | TreePlace | _Models
"""A place in a verification at which something is looked at."""

_Looked: TypeAlias = tuple[list[Verified], _Place | Literal["mark"] | None]
"""The findings at a place, and the next place."""


class _Verification:
    """The pages of one verification, with what it has to know at its end."""

    def __init__(
        self, scope: Scope, key: StreamKey | None, signed: Signed, chosen: _Chosen
    ) -> None:
        self._scope = scope
        self._key = key
        self._signed = signed
        self._chosen = chosen
        self._with_tree = signed.head is not None or (key is None and not scope.is_tenants)
        self._position: Position | None = None
        """The position up to which a mark of this verification will say that it looked."""
        self._doubted: Mark | None = None
        """The mark that it should have gone on from, if the ends of streams differ from it."""
        self._found = False

    def __call__(self, place: _Place | Literal["mark"]) -> Page[Verified]:
        if place == "mark":
            return Write(Maintenance(self._mark, alone=True, stream=self._store))
        return Read(partial(self._look, place=place))

    @property
    def _store(self) -> StreamKey:
        return store_stream(self._scope.tenant)

    def _look(self, tx: Transaction, place: _Place) -> _Looked:
        try:
            found, following = self._page(tx, place)
        except Exception as error:
            if not is_not_text(error):
                raise
            found, following = [Verified(findings=[_not_text()])], None
        self._found = self._found or any(one.findings for one in found)
        return found, following

    def _page(self, tx: Transaction, place: _Place) -> _Looked:
        scope = self._scope
        found: list[Verified]
        following: Verifying | VerifyingChanged | TreePlace | None
        if place == "begin":
            return self._begin(tx)
        if isinstance(place, _Models):
            return self._model(tx, place)
        if isinstance(place, TreePlace):
            findings, following = check_tree_page(tx, place, self._signed)
            found = [Verified(findings=findings)]
            return (found, following) if following is not None else self._after(found)
        if isinstance(place, VerifyingChanged):
            found, following = verify_changed_page(tx, scope.log, scope.tenant, place)
        elif self._key is None:
            found, following = verify_page(tx, scope.log, scope.tenant, place)
        else:
            found, following = _thread_page(tx, scope, self._key, place)
        if following is not None:
            return found, following
        return (found, TreePlace()) if self._with_tree else self._after(found)

    # -- the beginning -------------------------------------------------------------------------

    def _begin(self, tx: Transaction) -> _Looked:
        if self._chosen.mark:
            self._position = position_to_mark(tx)
        if not self._chosen.changed_only:
            return [], Verifying()
        if self._signed.head is not None:
            return [], VerifyingChanged(self._signed.head.size)
        tenant = self._scope.tenant
        known = last_mark(tx, self._scope.log, tenant)
        differ, purged = ends_differ(tx, self._scope.log, tenant, known)
        if differ:  # everything is verified, to name what it is
            self._doubted = None if purged else known
            return [], Verifying()
        changed = tuple(streams_behind(tx, tenant, known))
        return [Verified(since=known.version)], VerifyingChanged(0, changed)

    # -- the end -------------------------------------------------------------------------------

    def _after(self, found: list[Verified]) -> _Looked:
        """Return the place behind the log and the tree."""
        known = [one for one in self._scope.registry.named(None) if one.contents is not None]
        if self._chosen.read_models and not self._scope.is_tenants and known:
            present = partial(recorded, self._scope.log)
            return found, _Models(tuple(ModelCheck(one, present) for one in known))
        return self._finished(found)

    def _model(self, tx: Transaction, place: _Models) -> _Looked:
        check, *others = place.left
        findings, done = check.page(tx)
        if not done:
            return [], place
        found = [] if findings is None else [Verified(findings=findings, read_model=check.name)]
        check.close()
        return (found, _Models(tuple(others))) if others else self._finished(found)

    def _finished(self, found: list[Verified]) -> _Looked:
        nothing = not self._found and not any(one.findings for one in found)
        if self._doubted is not None and nothing:
            said = "ends of streams that did not go on since this mark are not those that it says"
            doubt = finding(self._store.text, self._doubted.version, "altered", said)
            return [*found, Verified(findings=[doubt])], None
        return found, "mark" if self._chosen.mark and nothing else None

    def _mark(self, tx: Transaction) -> Appended[_Looked]:
        request = write(self._scope, self._store, (), NO_OPTIONS).request
        assert isinstance(request, AppendRequest)  # noqa: S101 (what write() makes)
        assert self._position is not None  # noqa: S101 (read at the beginning)
        made = leave_mark(tx, self._scope.log, request, self._position)
        page = [Verified(marked=made.version)], None
        return made.with_result(page)


def _thread_page(
    tx: Transaction, scope: Scope, key: StreamKey, place: Verifying
) -> tuple[list[Verified], Verifying | None]:
    found = place_of(tx, key)
    if found is None or not stream_exists(tx, found):
        raise ThreadNotFound(key.text)
    return verify_thread_page(tx, scope.log, scope.tenant, place)


def _not_text() -> AuditFinding:
    return finding(
        "store",
        0,
        "unreadable",
        "a column of text holds bytes that are no text; what follows was not verified",
        "Find it in the tables of names (tenants, categories), of assistants or of tree heads, and"
        " correct it by hand or from a backup.",
    )
