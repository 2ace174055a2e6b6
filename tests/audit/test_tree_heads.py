"""Signed tree heads: what they find, what they cost, and that they never fork."""

import threading

import pytest

from eventstore import ConversationStore, InvalidInput, ThreadNotFound, TreeHead
from eventstore.audit import merkle
from eventstore.audit.signing import new_private_key, signer_of
from eventstore.audit.tree_checks import TREE
from tests.audit.mutations import Scene
from tests.audit.test_mutations import SEEDS
from tests.audit.tree_mutations import TREE_MUTATIONS
from tests.audit.world import fill, hand_on_file
from tests.effort import assert_flat
from tests.storage.lives import environment

KEY = new_private_key()
PUBLIC = signer_of(KEY).public_key


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("trees") / "chat.db"


@pytest.fixture(scope="module")
def store(path):
    with ConversationStore.open(f"sqlite:///{path}", environment=environment()) as opened:
        fill(opened, 8)
        yield opened


@pytest.fixture(scope="module")
def heads(store):
    """Three heads; between them some threads went on."""
    return signed_heads(store)


@pytest.fixture(scope="module")
def hand(heads, path):
    del heads
    made, close = hand_on_file(path)
    yield made
    close()


def signed_heads(store):
    signed = [store.audit.sign_tree_head(KEY)]
    for _ in range(2):
        for thread in list(store.threads.list(limit=3)):
            if not thread.archived:
                store.threads.update(thread.id, title="goes on")
        signed.append(store.audit.sign_tree_head(KEY))
    return signed


def check_found(store, hand, head, mutation, seed):
    scene = Scene(hand, seed)
    try:
        expected = mutation(store, scene)
        report = store.audit.verify(tree_head=head, public_key=PUBLIC)
    finally:
        hand.undo()
    named = [
        one
        for one in report.findings
        if expected.stream in (None, one.stream_id)
        and expected.version in (None, one.version)
        and one.kind in expected.kinds
    ]
    assert named, (expected, report.findings)


def test_an_untouched_store_goes_on_from_every_head(store, heads):
    for head in heads:
        assert store.audit.verify(tree_head=head, public_key=PUBLIC).ok
        assert store.audit.verify(tree_head=head.as_json(), public_key=PUBLIC.hex()).ok
    assert store.audit.tree_heads() == heads[::-1]
    assert store.tenant("acme").audit.verify(tree_head=heads[0], public_key=PUBLIC).ok


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TREE_MUTATIONS)
def test_a_mutation_is_found_against_a_tree_head(store, heads, hand, name, seed):
    check_found(store, hand, heads[-1], TREE_MUTATIONS[name], seed)


def test_an_old_database_put_back_is_found(tmp_path):
    """The old one is whole, with heads of its own: only the later head shows that it is old."""
    path = tmp_path / "chat.db"
    with ConversationStore.open(f"sqlite:///{path}") as store:
        thread = store.threads.create().id
        store.audit.sign_tree_head(KEY)
    old = path.read_bytes()
    with ConversationStore.open(f"sqlite:///{path}") as store:
        store.messages.create(thread, role="user", content="never said")
        head = store.audit.sign_tree_head(KEY)
    path.write_bytes(old)
    with ConversationStore.open(f"sqlite:///{path}") as store:
        assert store.audit.verify().ok
        [finding] = store.audit.verify(tree_head=head, public_key=PUBLIC).findings
        assert (finding.stream_id, finding.version, finding.kind) == (TREE, 2, "cut_off")
        store.messages.create(thread, role="user", content="said instead")
        store.audit.sign_tree_head(KEY)
        [finding] = store.audit.verify(tree_head=head, public_key=PUBLIC).findings
        assert (finding.stream_id, finding.version, finding.kind) == (TREE, 2, "altered")


def test_only_what_went_on_since_a_head_is_recomputed(tmp_path):
    path = tmp_path / "chat.db"
    with ConversationStore.open(f"sqlite:///{path}") as store:
        threads = [store.threads.create().id for _ in range(5)]
        head = store.audit.sign_tree_head(KEY)

        def verified():
            return store.audit.verify(tree_head=head, public_key=PUBLIC, changed_only=True)

        assert (verified().streams, verified().unchanged) == (0, 5)
        assert verified().ok
        with store.threads.batch(threads[1]) as batch:
            for n in range(5):
                batch.messages.create(role="user", content=f"{n}")
        store.threads.create()
        report = verified()
        assert (report.streams, report.events, report.threads_compared) == (2, 7, 2)
        assert report.ok
        made, close = hand_on_file(path)
        for version, thread in ((3, threads[1]), (1, threads[0])):
            key = bytes.fromhex(thread.removeprefix("thread_"))
            sql = "UPDATE events SET hash = zeroblob(32) WHERE stream = ? AND version = ?"
            made.run(sql, key, version)
            assert (thread, version) in [(f.stream_id, f.version) for f in verified().findings]
            made.undo()
        close()
        with pytest.raises(InvalidInput, match="changed_only"):
            store.audit.verify(changed_only=True)


def test_purges_and_erasures_leave_a_signed_store_whole(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        gone, kept = store.threads.create().id, store.threads.create().id
        said = store.messages.create(kept, role="user", content="to be erased").id
        fork = store.threads.fork(kept).id
        head = store.audit.sign_tree_head(KEY)
        store.privacy.erase(kept, said)
        store.privacy.purge(gone)
        store.privacy.purge(kept, forks="purge")
        assert store.audit.verify(tree_head=head, public_key=PUBLIC).ok
        later = store.audit.sign_tree_head(KEY)
        assert store.audit.verify(tree_head=later, public_key=PUBLIC).ok
        for thread in (gone, kept, fork):
            assert store.audit.inclusion_proof(thread).size == later.size


def test_proofs_lead_to_the_roots_of_the_heads(store, heads):
    first, second, third = heads
    for head in heads:
        for thread in store.threads.list(include_deleted=True, limit=5):
            proof = store.audit.inclusion_proof(thread.id, tree_head=head)
            stream = [event.hash for event in store.events.read(thread.id)]
            assert stream[proof.version - 1] == proof.hash
    for low, high in ((first, second), (first, third), (second, third), (third, third)):
        proof = store.audit.consistency_proof(low.size, high.size)
        roots = bytes.fromhex(low.root), bytes.fromhex(high.root)
        path = [bytes.fromhex(node) for node in proof.path]
        assert merkle.verify_consistency(low.size, high.size, roots, path)
    with pytest.raises(InvalidInput):
        store.audit.consistency_proof(third.size, first.size)
    with pytest.raises(ThreadNotFound):
        store.audit.inclusion_proof("thread_" + "0" * 32)


def test_without_changes_the_last_head_is_returned_but_not_that_of_another_key(store, heads, hand):
    assert store.audit.sign_tree_head(KEY) == heads[-1]
    other = new_private_key()
    try:
        theirs = store.audit.sign_tree_head(other)
        assert (theirs.size, theirs.root) == (heads[-1].size, heads[-1].root)
        assert theirs.key_id != heads[-1].key_id
    finally:
        hand.run("DELETE FROM tree_heads")
        hand.undo()


def test_a_head_costs_what_changed(tmp_path, effort):
    costs = []
    for threads in (20, 320):
        with ConversationStore.open(f"sqlite:///{tmp_path / f'{threads}.db'}") as store:
            made = [store.threads.create().id for _ in range(threads)]
            store.audit.sign_tree_head(KEY)
            for thread in made[:10]:
                store.threads.update(thread, title="changed")
            costs.append(effort(store.audit.sign_tree_head, KEY))
    assert_flat(*costs, searches=1)


def test_of_many_issuers_at_once_heads_never_fork(tmp_path):
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    with ConversationStore.open(url) as one, ConversationStore.open(url) as other:
        race(one, other)


def race(store, other):
    """Sign on two stores while both write; every head must begin with each before it."""

    def write(on):
        for _ in range(6):
            on.threads.create()

    def sign(on):
        for _ in range(4):
            on.audit.sign_tree_head(KEY)

    workers = [
        threading.Thread(target=work, args=(on,)) for work in (write, sign) for on in (store, other)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    store.audit.sign_tree_head(KEY)
    heads = store.audit.tree_heads()
    assert [one.size for one in heads] == sorted((one.size for one in heads), reverse=True)
    report = store.audit.verify(tree_head=heads[0], public_key=PUBLIC)
    assert report.ok, report.findings
    assert store.audit.verify(tree_head=heads[-1], public_key=PUBLIC).ok


@pytest.mark.parametrize(
    "given",
    ["", "{}", "[]", "nonsense", 5, '{"format": "eventstore/tree-head/2"}'],
)
def test_what_is_no_tree_head(store, given):
    with pytest.raises(InvalidInput, match="tree_head"):
        store.audit.verify(tree_head=given, public_key=PUBLIC)


def test_heads_and_keys_that_do_not_fit(store, heads):
    head = heads[0]
    for changed in (
        {"size": head.size + 1},
        {"root": "00" * 32},
        {"store_id": "00" * 16},
        {"issued_at_us": head.issued_at_us + 1},
        {"signature": "00" * 64},
        {"key_id": "00" * 8},
    ):
        with pytest.raises(InvalidInput, match="tree_head"):
            store.audit.verify(tree_head=head.model_copy(update=changed), public_key=PUBLIC)
    with pytest.raises(InvalidInput, match="public_key"):
        store.audit.verify(tree_head=head)
    for key in ("", "00", b"short", bytes(32), new_private_key()):
        with pytest.raises(InvalidInput):
            store.audit.verify(tree_head=head, public_key=key)
    assert TreeHead.parse(head.as_json()) == head


@pytest.mark.parametrize("given", ["", "no PEM", b"\xff", None, 5, bytes(32)])
def test_keys_that_sign_nothing(store, given):
    with pytest.raises(InvalidInput, match="private_key"):
        store.audit.sign_tree_head(given)


def test_a_head_of_another_store_is_found(heads, tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as other:
        other.threads.create()
        found = other.audit.verify(tree_head=heads[0], public_key=PUBLIC).findings
        assert any("another store" in one.message for one in found)


def test_a_broken_end_is_not_signed(store, heads, hand):
    from eventstore import BrokenChain  # noqa: PLC0415

    del heads
    try:
        thread = store.threads.create().id
        key = bytes.fromhex(thread.removeprefix("thread_"))
        hand.run("UPDATE streams SET hash = ? WHERE stream = ?", bytes(32), key)
        with pytest.raises(BrokenChain):
            store.audit.sign_tree_head(KEY)
    finally:
        hand.run("DELETE FROM threads")
        hand.run("DELETE FROM events")
        hand.undo()
