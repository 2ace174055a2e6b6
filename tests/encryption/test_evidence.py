"""Evidence of sealed content proves the ciphertext, and shows no words."""

import base64
import json
import random

import pytest

from eventstore import ConversationStore
from eventstore.audit import evidence_verifier
from eventstore.audit.signing import new_private_key, signer_of
from tests.encryption.vaults import in_a_file

KEY = new_private_key()
PUBLIC = signer_of(KEY).public_key


@pytest.fixture
def exported(tmp_path):
    """Evidence of a fork with plain, sealed, amended and erased messages."""
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url) as store:
        thread = store.threads.create(title="t").id
        store.messages.create(thread, role="user", content="in plain")
        amended = store.messages.create(thread, role="user", content="to be amended")
    with ConversationStore.open(url, encryption=in_a_file(tmp_path)) as store:
        store.messages.amend(thread, amended.id, content="amended under seal")
        store.messages.create(thread, role="user", content="under seal", metadata={"a": "b"})
        erased = store.messages.create(thread, role="user", content="gone")
        fork = store.threads.fork(thread).id
        store.messages.create(fork, role="assistant", content="sealed in the fork")
        store.privacy.erase(thread, erased.id)
        sealed = store.audit.export(fork, KEY)
    with ConversationStore.open(url) as store:  # nobody needs a key to export, or to verify
        assert store.audit.export(fork, KEY).startswith(b"{")
    return sealed


def test_it_is_verified_without_a_key_and_shows_what_is_sealed(exported):
    told = evidence_verifier.verify(exported, PUBLIC)["transcript"]
    assert [(one["parts"], one["sealed"], one["erased"]) for one in told] == [
        (["in plain"], False, False),
        ([], True, False),
        ([], True, False),
        ([], False, True),
        ([], True, False),
    ]
    assert told[2]["metadata"] == {}
    for word in ("under seal", "sealed in", "gone"):
        assert word.encode() not in exported
        assert base64.b64encode(word.encode()).rstrip(b"=")[:-2] not in exported


def test_a_change_of_sealed_bytes_or_of_the_mark_is_rejected(exported):
    dice = random.Random(7)
    for _ in range(30):
        given = json.loads(exported)
        events = [e for s in given["streams"] for e in s["events"] if e["content"] is not None]
        event = dice.choice(events)
        raw = bytearray(base64.b64decode(event["content"]))
        raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)
        event["content"] = base64.b64encode(raw).decode()
        with pytest.raises(evidence_verifier.Rejected):
            evidence_verifier.verify(evidence_verifier.as_bytes(given), PUBLIC)
    given = json.loads(exported)
    given["transcript"][1].update(sealed=False, parts=["to be amended"])
    with pytest.raises(evidence_verifier.Rejected):
        evidence_verifier.verify(evidence_verifier.as_bytes(given), PUBLIC)
