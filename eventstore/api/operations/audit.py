"""``store.audit``: prove that the log is what was written."""

from __future__ import annotations

from typing import Final

from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import (
    Collected,
    Maintenance,
    Page,
    Paged,
    Read,
    Scope,
    Write,
)
from eventstore.audit import merkle
from eventstore.audit.evidence import evidence_of
from eventstore.audit.proofs import ConsistencyProof, InclusionProof, inclusion_of
from eventstore.audit.signing import PrivateKey, Signer, signer_of
from eventstore.audit.tree import issue_head, node_of
from eventstore.audit.tree import tree_head as as_tree_head
from eventstore.audit.tree_heads import TreeHead
from eventstore.core.pages import check_limit
from eventstore.errors import InvalidInput, ThreadNotFound
from eventstore.storage.stream_heads import head_version
from eventstore.storage.transaction import Transaction
from eventstore.storage.tree_log import stored_heads, tree_size


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

    def page(place: object) -> Page[bytes]:
        if isinstance(place, TreeHead):
            return Read(lambda tx: ([evidence_of(tx, key, place)], None))
        return Write(Maintenance(act, keeps_rows=True, alone=True))

    def act(tx: Transaction) -> tuple[list[bytes], TreeHead]:
        if head_version(tx, key) == 0:
            raise ThreadNotFound(key.text)
        return [], issue_head(tx, scope.log, signer)

    return Collected(Paged("head", page), lambda made: made[0])
