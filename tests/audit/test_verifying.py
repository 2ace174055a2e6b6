"""``store.audit.verify``: page by page beside writers, one thread or all, and nothing at all."""

import gc
import tracemalloc

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from eventstore import ConversationStore, InvalidInput, ThreadNotFound
from eventstore.api.operations import verification
from eventstore.audit import verifying
from tests.audit.world import hand_on_file
from tests.storage.lives import environment, full_life


@pytest.fixture
def store(tmp_path):
    with ConversationStore.open(
        f"sqlite:///{tmp_path / 'chat.db'}", environment=environment()
    ) as opened:
        yield opened


@pytest.fixture
def hand(store, tmp_path):
    del store
    made, close = hand_on_file(tmp_path / "chat.db")
    yield made
    close()


@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_a_page_may_end_anywhere(store, monkeypatch, size):
    full_life(store)
    whole = store.audit.verify()
    monkeypatch.setattr(verifying, "_PAGE_EVENTS", size)
    assert store.audit.verify() == whole
    assert whole.ok


def test_memory_holds_a_page_however_many_threads_there_are(store, monkeypatch):
    monkeypatch.setattr(verifying, "_PAGE_EVENTS", 40)
    messages = [{"role": "user", "content": "x" * 2_000}]
    peaks = []
    for more in (1_100, 1_100):  # a page has 1,000 streams
        for _ in range(more):
            store.threads.create(messages=messages)
        assert store.audit.verify().ok
        peaks.append(peak(store))
    assert peaks[1] < 1.2 * peaks[0], peaks


def peak(store):
    """Return the most memory that verifying holds at a time."""
    gc.collect()
    tracemalloc.start()
    try:
        assert store.audit.verify().ok
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_who_writes_between_two_pages_causes_no_finding(store, monkeypatch):
    monkeypatch.setattr(verifying, "_PAGE_EVENTS", 3)
    write_between_pages(store)


def write_between_pages(store):
    """Let every event of a full life happen between pages, erasures and purges included."""
    full_life(store)
    thread = store.threads.create().id
    said = [store.messages.create(thread, role="user", content=f"{n}").id for n in range(8)]
    gone = store.threads.create().id
    store.messages.create(gone, role="user", content="soon gone")
    steps = iter(
        [
            *(lambda one=one: store.privacy.erase(thread, one) for one in said[:4]),
            *(lambda: store.messages.create(thread, role="user", content="later"),) * 12,
            lambda: store.privacy.purge(gone),
            lambda: full_life(store.tenant("other")),
            *(lambda one=one: store.messages.amend(thread, one, content="!") for one in said[4:]),
            *(lambda one=one: store.privacy.erase(thread, one) for one in said[4:]),
        ]
    )
    work = verification.verify(store.scope)
    found = []
    for one in store._runner.each(work.walk):  # noqa: SLF001 (no public method pauses)
        found.append(one)
        next(steps, lambda: None)()
    report = work.report(found)
    assert report.findings == ()
    assert next(steps, None) is None, "not everything was written between pages"
    assert store.audit.verify().ok


def test_one_thread_is_verified_with_those_it_was_forked_from(store, hand):
    one, fork, second = full_life(store)
    report = store.audit.verify(second)
    assert report.ok
    assert report.streams == report.threads_compared == 3
    assert store.audit.verify(one).streams == 1
    key = bytes.fromhex(one.removeprefix("thread_"))
    hand.run("UPDATE events SET recorded_at = 1 WHERE stream = ? AND version = 3", key)
    for thread in (one, fork, second):
        [finding] = store.audit.verify(thread).findings
        assert (finding.stream_id, finding.version, finding.kind) == (one, 3, "altered")
    other = store.threads.create().id
    assert store.audit.verify(other).ok


def test_nothing_verified_is_not_well(store):
    report = store.audit.verify()
    assert report.empty
    assert not report.ok
    assert report.findings == ()
    store.threads.create()
    assert store.audit.verify().ok
    assert store.tenant("nobody").audit.verify().empty


def test_threads_that_do_not_exist(store):
    thread = store.threads.create().id
    for store_of, name in ((store, "thread_" + "0" * 32), (store.tenant("other"), thread)):
        with pytest.raises(ThreadNotFound):
            store_of.audit.verify(name)
    with pytest.raises(InvalidInput):
        store.audit.verify("thread_1")


def test_a_thread_whose_every_event_is_lost_is_named_also_by_its_id(store, hand):
    thread = store.threads.create().id
    hand.run("DELETE FROM events")
    [finding] = store.audit.verify(thread).findings
    assert (finding.stream_id, finding.version, finding.kind) == (thread, 1, "cut_off")


def test_findings_hold_no_words(store, hand):
    thread = store.threads.create(title="sesame", metadata={"sesame": "sesame"}).id
    store.messages.create(thread, role="user", content="sesame", external_id="sesame")
    hand.run("UPDATE thread_metadata SET value = 's:open'")
    hand.run("UPDATE external_ids SET external_id = 'open'")
    report = store.audit.verify()
    assert {one.kind for one in report.findings} == {"projection_differs"}
    assert len(report.findings) == 3
    assert "sesame" not in repr(report) + report.model_dump_json()
    store.projections.rebuild()
    assert store.audit.verify().ok


def test_many_findings_of_one_stream_are_told_in_one(store, hand):
    thread = store.threads.create().id
    with store.threads.batch(thread) as batch:
        for n in range(150):
            batch.messages.create(role="user", content=f"{n}")
    hand.run("UPDATE events SET event_id = zeroblob(16) WHERE version > 10")
    findings = store.audit.verify().findings
    assert len(findings) <= 4
    assert findings[0].version == 11
    assert "up to" in findings[0].message
    hand.run("UPDATE tenants SET name = 'else' WHERE name = ''")
    assert len(store.tenant("else").audit.verify().findings) <= 4


GONE = [("tenants", "acme"), *(("categories", one) for one in ("invoice", "thread", "store"))]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("gone", GONE, ids=lambda gone: gone[1])
def test_a_name_that_is_gone_is_found_by_every_tenant_that_remains(
    store, tmp_path, hand, gone, signed
):
    """Without its row nobody would look at the streams at all."""
    full_life(store)
    if signed:
        store.audit.sign_tree_head(Ed25519PrivateKey.generate())
    table, name = gone
    [(number,)] = hand.all(f"SELECT id FROM {table} WHERE name = ?", name)
    change = "DELETE FROM {0}" if signed else "UPDATE {0} SET id = 77"
    hand.run(f"{change.format(table)} WHERE id = ?", number)
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as fresh:
        report = fresh.audit.verify()
        assert (table, number, "missing") in {
            (one.stream_id, one.version, one.kind) for one in report.findings
        }
        assert not report.ok
        if table == "tenants":
            assert fresh.tenant("acme").audit.verify().empty
