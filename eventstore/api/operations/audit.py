"""``store.audit``: prove that the log is what was written."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import (
    Collected,
    Maintenance,
    Paged,
    Read,
    Scope,
    Write,
)
from eventstore.audit import merkle
from eventstore.audit.evidence import evidence_of
from eventstore.audit.findings import VerifyReport
from eventstore.audit.proofs import ConsistencyProof, InclusionProof, inclusion_of
from eventstore.audit.signing import PrivateKey, Signer, signer_of
from eventstore.audit.tree import issue_head, node_of
from eventstore.audit.tree import tree_head as as_tree_head
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
from eventstore.core.events import StreamKey
from eventstore.core.pages import check_limit
from eventstore.errors import InvalidInput, ThreadNotFound
from eventstore.storage.chain_pages import stream_exists
from eventstore.storage.stream_heads import head_version, place_of
from eventstore.storage.transaction import Transaction
from eventstore.storage.tree_log import stored_heads, tree_size

_Place: TypeAlias = Verifying | VerifyingChanged | TreePlace


def verify(
    scope: Scope,
    thread_id: str | None = None,
    *,
    tree_head: TreeHead | str | None = None,
    public_key: str | bytes | None = None,
    changed_only: bool = False,
) -> Collected[VerifyReport]:
    """Recompute the hash chain, and compare the tables with the events. Writes nothing.

    It checks hashes and commitments, gaps and order, the ends of streams, that content went only by
    an erasure, that forks still stand on the events that they were made from, that purged threads
    are gone, and that decision tables hold what the events say.

    Nothing inside a database can show that an older copy was put in its place, that an end was cut
    off together with every trace of it, or that all hashes were computed anew. A signed tree head
    that was kept elsewhere shows this.

    Args:
        thread_id: The thread, with the threads that it was forked from; the whole tenant if left
            out.
        tree_head: A head that was signed earlier: the tree has to go on from it.
        public_key: The key that signed it, 32 bytes or 64 hex digits. Stored heads of this key are
            verified as well.
        changed_only: Recompute only streams that went on since ``tree_head``: that the others end
            where it says is verified all the same. An alteration of an older event is then found
            only if the end of its stream differs, too.

    Raises:
        InvalidInput: an argument is malformed, or the signature of the head does not hold.
        ThreadNotFound: there is none.
    """
    signed = _signed(tree_head, public_key)
    key = None if thread_id is None else thread_key(scope, thread_id)
    if changed_only and (signed.head is None or key is not None):
        raise InvalidInput(
            "changed_only", "needs a tree_head, and no thread_id", "Give the head to go on from."
        )
    with_tree = signed.head is not None or (key is None and not scope.is_tenants)

    def page(place: _Place) -> Read[Any]:
        return Read(partial(look, place=place))

    def look(tx: Transaction, place: _Place) -> tuple[list[Verified], Any]:
        following: Any
        if isinstance(place, TreePlace):
            findings, next_leaves = check_tree_page(tx, place, signed)
            return [Verified(findings=findings)], next_leaves
        if isinstance(place, VerifyingChanged):
            found, following = verify_changed_page(tx, scope.log, scope.tenant, place)
        elif key is None:
            found, following = verify_page(tx, scope.log, scope.tenant, place)
        else:
            found, following = _thread_page(tx, scope, key, place)
        if following is None and with_tree:
            return found, TreePlace()
        return found, following

    first: _Place = Verifying() if key is None else thread_place(key.id)
    if changed_only and signed.head is not None:
        first = VerifyingChanged(signed.head.size)
    return _verifying(Paged(first, page))


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


def _thread_page(
    tx: Transaction, scope: Scope, key: StreamKey, place: Verifying
) -> tuple[list[Verified], Verifying | None]:
    found = place_of(tx, key)
    if found is None or not stream_exists(tx, found):
        raise ThreadNotFound(key.text)
    return verify_thread_page(tx, scope.log, scope.tenant, place)


def _verifying(walk: Paged[Verified]) -> Collected[VerifyReport]:
    def report(pages: Sequence[Verified]) -> VerifyReport:
        streams = sum(one.streams for one in pages)
        every = sum(one.streams_at_the_end for one in pages)
        return VerifyReport(
            streams=streams,
            unchanged=max(every - streams, 0),
            events=sum(one.events for one in pages),
            threads_compared=sum(one.compared for one in pages),
            threads_not_compared=sum(one.not_compared for one in pages),
            findings=tuple(dict.fromkeys(found for one in pages for found in one.findings)),
        )

    return Collected(walk, report)


def sign_tree_head(scope: Scope, private_key: PrivateKey) -> Write[TreeHead]:
    """Sign a head over the whole store, all tenants included, and return it.

    It covers the end of every stream, and its cost grows with what changed since the last one. If
    nothing did, the last one is returned. Keep it where nobody who can write to the database can.

    Args:
        private_key: An ``Ed25519PrivateKey`` of ``cryptography``, its PEM text, or anything that
            signs like one.

    Raises:
        InvalidInput: it is no such key, or ``cryptography`` is not installed.
        BrokenChain: a stream does not end where its head says; nothing was signed.
        Refused: ``"distributed_schema"``; such a store has no order over all streams.
    """
    return _issuing(scope, signer_of(private_key))


def _issuing(scope: Scope, signer: Signer) -> Write[TreeHead]:
    def act(tx: Transaction) -> TreeHead:
        return issue_head(tx, scope.log, signer)

    return Write(Maintenance(act, keeps_rows=True, alone=True))


def tree_heads(scope: Scope, *, limit: int = 100) -> Read[list[TreeHead]]:
    """Return the heads that were signed, the newest first.

    Args:
        limit: How many, at most.

    Raises:
        InvalidInput: the limit is not allowed.
    """
    del scope
    check_limit(limit, _LIMIT_MAX)

    def look(tx: Transaction) -> list[TreeHead]:
        return [as_tree_head(tx, one) for one in stored_heads(tx, _EVERY, limit)]

    return Read(look)


_EVERY: Final = 2**62
_LIMIT_MAX: Final = 10_000


def inclusion_proof(
    scope: Scope, thread_id: str, *, tree_head: TreeHead | str | None = None
) -> Read[InclusionProof]:
    """Return the proof that a tree head covers a thread (RFC 9162).

    Args:
        thread_id: The thread.
        tree_head: The head; the newest one if left out.

    Raises:
        InvalidInput: an argument is malformed, or the store has no such head.
        ThreadNotFound: the head covers no such thread.
    """
    key = thread_key(scope, thread_id)
    head = None if tree_head is None else TreeHead.parse(tree_head)

    def look(tx: Transaction) -> InclusionProof:
        return inclusion_of(tx, key, _checked_size(tx, None if head is None else head.size))

    return Read(look)


def consistency_proof(
    scope: Scope, first: int, second: int | None = None
) -> Read[ConsistencyProof]:
    """Return the proof that a tree begins with a smaller one (RFC 9162).

    Args:
        first: The number of leaves of the smaller tree: ``size`` of its head.
        second: That of the larger one; the present tree if left out.

    Raises:
        InvalidInput: a number is not that of a tree here.
    """
    del scope

    def look(tx: Transaction) -> ConsistencyProof:
        size = _checked_size(tx, second, "second")
        smaller = _checked_size(tx, first, "first")
        if smaller > size:
            raise InvalidInput("first", "is larger than second", "Give the smaller tree first.")
        path = merkle.consistency_proof(node_of(tx), smaller, size)
        return ConsistencyProof(first=smaller, second=size, path=tuple(node.hex() for node in path))

    return Read(look)


def _checked_size(tx: Transaction, size: int | None, field: str = "tree_head") -> int:
    known = tree_size(tx)
    if size is None:
        return known
    if not isinstance(size, int) or not 0 <= size <= known:  # type: ignore[redundant-expr]
        raise InvalidInput(field, "is not of a tree here", f"The tree has {known} leaves.")
    return size


def export(scope: Scope, thread_id: str, private_key: PrivateKey) -> Collected[bytes]:
    """Sign a tree head, and return evidence of a thread: one file that proves itself.

    It holds the events, a signed head that covers the last of them, the proof of that, and a
    readable transcript of the active path. Erased content stays erased in it. The program that
    verifies it needs nothing but Python: ``eventstore audit verifier`` prints it.

    Args:
        thread_id: The thread.
        private_key: As :meth:`sign_tree_head` takes it.

    Raises:
        InvalidInput: an argument is malformed, or ``cryptography`` is not installed.
        ThreadNotFound: there is none.
        BrokenChain: a stream does not end where its head says; nothing was signed.
    """
    key, signer = thread_key(scope, thread_id), signer_of(private_key)

    def page(place: Any) -> Any:  # noqa: ANN401 (a Write or a Read)
        if isinstance(place, TreeHead):
            return Read(lambda tx: ([evidence_of(tx, key, place)], None))
        return Write(Maintenance(act, keeps_rows=True, alone=True))

    def act(tx: Transaction) -> tuple[list[bytes], TreeHead]:
        if head_version(tx, key) == 0:
            raise ThreadNotFound(key.text)
        return [], issue_head(tx, scope.log, signer)

    return Collected(Paged("head", page), lambda made: made[0])
