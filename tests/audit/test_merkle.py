"""The tree of RFC 9162, against the definitions of the RFC written down as they stand there."""

from hashlib import sha256

import pytest

from eventstore.audit import evidence_verifier, merkle

LEAVES = [b"%d" % n for n in range(40)]


def split(count):
    return 1 << ((count - 1).bit_length() - 1)


def mth(leaves):
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = split(len(leaves))
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m, leaves, whole):
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], whole=False), mth(leaves[:k])]


@pytest.fixture(scope="module")
def read():
    """The nodes of a tree that grew by one, two, three … leaves."""
    nodes: dict[merkle.Node, bytes] = {}
    size, step = 0, 1
    while size < len(LEAVES):
        peaks = [nodes[peak] for peak in merkle.peaks_of(size)]
        hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES[size : size + step]]
        made = dict(merkle.appended(peaks, size, hashes))
        assert not made.keys() & nodes.keys()
        nodes |= made
        size, step = size + len(hashes), step + 1
    return lambda level, number: nodes[level, number]


@pytest.mark.parametrize("size", range(len(LEAVES) + 1))
def test_roots_and_proofs_of_every_size(read, size):
    leaves = LEAVES[:size]
    root = mth(leaves)
    assert merkle.root_of(read, size) == root
    for number, leaf in enumerate(leaves):
        proof = merkle.inclusion_proof(read, number, size)
        assert proof == path(number, leaves)
        for other in range(size):
            reached = evidence_verifier.root_from(leaf, other, size, proof)
            assert (reached == root) == (other == number)
    for first in range(1, size + 1):
        proof = merkle.consistency_proof(read, first, size)
        assert proof == subproof(first, leaves, whole=True)
        roots = mth(leaves[:first]), root
        assert merkle.verify_consistency(first, size, roots, proof)
        if first < size:
            forged = mth([*leaves[: first - 1], b"forged"]), root
            assert not merkle.verify_consistency(first, size, forged, proof)
            assert not merkle.verify_consistency(first, size, roots, proof[:-1])
            assert not merkle.verify_consistency(first, size, roots, [*proof, root])
