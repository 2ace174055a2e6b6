"""Verification of Ed25519 in the stand-alone verifier: the vectors of RFC 8032, and a peer."""

import random

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventstore.audit.evidence_verifier import signature_holds

# Section 7.1: the public key, the message, the signature.
VECTORS = {
    "TEST 1": (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST SHA(abc)": (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}
L = 2**252 + 27742317777372353535851937790883648493


@pytest.mark.parametrize("name", VECTORS)
def test_the_vectors_of_the_rfc(name):
    key, message, signature = map(bytes.fromhex, VECTORS[name])
    assert signature_holds(key, message, signature)
    assert not signature_holds(key, message + b"\0", signature)


def test_what_cryptography_signs_holds_and_nothing_that_differs_by_a_bit():
    chosen = random.Random(5)
    for size in range(12):
        key, message = Ed25519PrivateKey.from_private_bytes(chosen.randbytes(32)), b"m" * size
        public, signature = key.public_key().public_bytes_raw(), key.sign(message)
        assert signature_holds(public, message, signature)
        for at in chosen.sample(range(512), 8):
            wrong = bytearray(signature)
            wrong[at // 8] ^= 1 << at % 8
            assert not signature_holds(public, message, bytes(wrong))
        wrong = bytearray(public)
        wrong[size] ^= 1
        assert not signature_holds(bytes(wrong), message, signature)


def test_a_second_signature_made_from_a_first_is_refused():
    """S + L signs the same to those who forget to check its size."""
    key, message, signature = map(bytes.fromhex, VECTORS["TEST 3"])
    larger = int.from_bytes(signature[32:], "little") + L
    assert not signature_holds(key, message, signature[:32] + larger.to_bytes(32, "little"))


@pytest.mark.parametrize("point", [1, 0, 2**255 - 20])
def test_a_key_of_small_order_signs_nothing(point):
    """For some of them a signature of zeros would hold for any message."""
    key = point.to_bytes(32, "little")
    for start in (key, (1).to_bytes(32, "little")):
        assert not signature_holds(key, b"anything", start + bytes(32))


@pytest.mark.parametrize("wrong", [b"", b"short", bytes(63), bytes(65)])
def test_bytes_that_are_no_signature(wrong):
    key, message, signature = map(bytes.fromhex, VECTORS["TEST 1"])
    assert not signature_holds(key, message, wrong)
    assert not signature_holds(wrong, message, signature)
    assert not signature_holds(b"\xff" * 32, message, signature)
