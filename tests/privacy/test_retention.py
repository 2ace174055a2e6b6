"""Threads in which nothing happened for long, and whole tenants, are erased or purged."""

import os
import shutil
import signal
from datetime import timedelta
from typing import Any

import pytest

from eventstore import ConversationStore, Environment, InvalidInput, TenantNotFound
from eventstore.read_models import MessageSearch
from eventstore.testing.faults import Faults, die
from tests.concurrency.schedules import Child
from tests.privacy.test_erased_bytes import WORDS, found_in
from tests.privacy.test_erasing_persons import lived
from tests.storage.lives import NOON, ask

DAY = timedelta(days=1)


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self):
        self.now = NOON

    def __call__(self):
        return self.now

    def wait(self, days):
        self.now += days * 86_400_000_000


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(path, clock):
    environment = Environment(clock, os.urandom)
    with ConversationStore.open(f"sqlite:///{path}", environment=environment) as opened:
        yield opened
        assert opened.projections.compare().findings == ()
        assert opened.audit.verify().findings == ()


def said(store, words=WORDS, **options):
    thread = store.threads.create(title=words, **options).id
    store.messages.create(thread, role="user", content=words)
    return thread


def outcomes(report):
    return {one.thread_id: one.outcome if one.why is None else one.why for one in report.threads}


def test_threads_are_due_by_their_last_activity(store, clock, path):
    old, archived, deleted, used = (said(store) for _ in range(4))
    store.threads.archive(archived)
    store.threads.delete(deleted)
    clock.wait(80)
    young = said(store, "young")
    store.messages.create(used, role="user", content="used again")
    clock.wait(20)
    ninety: dict[str, Any] = {"older_than": 90 * DAY}
    ahead = store.privacy.retain(**ninety, dry_run=True)
    assert outcomes(ahead) == {old: "due", archived: "due", deleted: "due"}
    assert outcomes(store.privacy.retain(**ninety, archived=True, dry_run=True)) == {
        archived: "due"
    }
    events = len(list(store.events.read_all()))
    done = store.privacy.retain(**ninety, actor="cron", reason="ninety days")
    assert outcomes(done) == dict.fromkeys((old, archived, deleted), "erased")
    assert (done.pending, done.remains) == (False, ())
    last = list(store.events.read_all())[-1]
    assert (last.content, last.metadata["actor"]) == ({"reason": "ninety days"}, "cron")
    assert store.privacy.retain(**ninety).threads == ()
    assert len(list(store.events.read_all())) == events + 3
    clock.wait(100)
    found = outcomes(store.privacy.retain(**ninety, dry_run=True))
    assert found == {young: "due", used: "due"}, "what was erased is not due again"
    assert outcomes(store.privacy.retain(**ninety, action="purge")) == {
        young: "purged",
        used: "purged",
    }
    assert found_in(path) == []


def test_metadata_choose_among_them(store, clock):
    support = said(store, metadata={"channel": "support", "level": 2})
    said(store, metadata={"channel": "sales"})
    clock.wait(2)
    for wanted in ({"channel": "support"}, {"channel": "support", "level": 2}):
        report = store.privacy.retain(older_than=DAY, metadata=wanted, dry_run=True)
        assert outcomes(report) == {support: "due"}


def test_a_thread_stays_while_a_fork_of_it_is_in_use(store, clock):
    source = said(store, "the source")
    clock.wait(5)
    fork = store.threads.fork(source).id
    clock.wait(5)
    young = store.threads.fork(fork).id
    week = {"older_than": 7 * DAY}
    for action in ("erase", "purge"):
        kept = store.privacy.retain(**week, action=action)
        assert outcomes(kept) == {source: "fork_in_use"}
    assert [one.text for one in store.messages.list(young)] == ["the source"]
    clock.wait(30)
    assert set(outcomes(store.privacy.retain(**week, action="purge")).values()) == {"purged"}
    assert list(store.threads.list(include_deleted=True)) == []


def test_old_forks_go_together_with_their_source(store, clock):
    """The erasure of a fork is young, and is no use of the fork."""
    source = said(store, "the source")
    clock.wait(1)
    fork = store.threads.fork(source).id
    second = store.threads.fork(fork).id
    clock.wait(30)
    done = store.privacy.retain(older_than=7 * DAY)
    assert outcomes(done) == dict.fromkeys((source, fork, second), "erased")
    assert [one.text for one in store.messages.list(second)] == [""]
    store.messages.create(second, role="user", content="it goes on")
    clock.wait(6)
    assert store.privacy.retain(older_than=7 * DAY).threads == ()


def test_a_busy_thread_is_not_purged(store, clock):
    thread = said(store)
    run = store.runs.create(thread)
    clock.wait(2)
    assert outcomes(store.privacy.retain(older_than=DAY, action="purge")) == {thread: "thread_busy"}
    store.runs.cancel(thread, run.id)


def test_mistakes_of_retention_are_named(store):
    wrong: dict[str, dict[str, Any]] = {
        "older_than": {"older_than": 90},
        "action": {"older_than": DAY, "action": "hide"},
        "metadata": {"older_than": DAY, "metadata": {"a": []}},
        "dry_run": {"older_than": DAY, "dry_run": 1},
    }
    for field, given in wrong.items():
        with pytest.raises(InvalidInput) as refused:
            store.privacy.retain(**given)
        assert refused.value.field == field
    with pytest.raises(InvalidInput, match="0 or more"):
        store.privacy.retain(older_than=-DAY)


def test_a_tenant_is_erased_and_keeps_its_skeleton(store, path):
    acme, other = store.tenant("acme"), store.tenant("other")
    thread, fork, _ = lived(acme)
    kept = said(other, "kept")
    made = store.tenants.erase("acme", reason="contract ended", actor="officer")
    store.projections.catch_up()
    again = store.tenants.erase("acme")
    assert again == made.model_copy(update={"remains": (), "pending": False})
    assert (made.tenant, made.purged, made.actor) == ("acme", False, "officer")
    assert found_in(path) == []
    assert all(one.erased for one in acme.messages.list(fork))
    assert acme.threads.get(thread).title is None
    assert [one.text for one in other.messages.list(kept)] == ["kept"]
    assert acme.audit.verify().findings == ()
    assert acme.projections.compare().findings == ()
    record = [one for one in acme.events.read_all() if one.type == "TenantErased"][-1]
    assert record.content == {"reason": "contract ended"}
    said(acme)
    assert store.tenants.erase("acme").version > made.version
    assert found_in(path) == []


def test_a_tenant_is_purged_and_leaves_tombstones(store, path):
    acme = store.tenant("acme")
    thread, _, _ = lived(acme)
    busy = said(acme)
    acme.runs.create(busy)
    kept = said(store.tenant("other"), "kept")
    made = store.tenants.purge("acme", reason="contract ended", actor="officer")
    store.projections.catch_up()
    again = store.tenants.purge("acme")
    assert again == made.model_copy(update={"remains": (), "pending": False})
    assert (made.purged, made.streams) == (True, 6)
    assert found_in(path) == []
    [size] = [one for one in store.tenants.list() if one.name == "acme"]
    assert (size.threads, size.streams) == (0, 1)
    assert ask(path, "SELECT count(*) FROM assistants") == [(0,)]
    types = [one.type for one in acme.events.read_all()]
    assert types.count("ThreadPurged") == 4
    assert types[-1] == "TenantErased"
    assert store.privacy is not None
    assert acme.privacy.purge(thread).actor == "officer"
    assert acme.audit.verify().findings == ()
    assert [one.text for one in store.tenant("other").messages.list(kept)] == ["kept"]


def test_a_purged_tenant_is_no_finding_against_a_signed_head(store):
    key = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = key.Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    lived(store.tenant("acme"))
    head = store.audit.sign_tree_head(private)
    store.tenants.purge("acme")
    for one in (store.tenant("acme"), store):
        assert one.audit.verify(tree_head=head, public_key=public).findings == ()


def test_only_the_store_of_all_or_its_own_may_erase_a_tenant(store):
    acme = store.tenant("acme")
    said(acme)
    with pytest.raises(TenantNotFound):
        store.tenants.erase("nobody")
    with pytest.raises(InvalidInput):
        acme.tenants.purge("other")
    assert acme.tenants.purge("acme").streams == 1
    junk: list[Any] = [None, 5, b"acme", "\ud800", "x" * 256, [], object()]
    for name in junk:
        with pytest.raises(InvalidInput) as refused:
            store.tenants.erase(name)
        assert refused.value.field == "name"


@pytest.mark.parametrize("act", ["retain", "erase", "purge"])
def test_killed_after_a_commit_a_repeat_finishes(tmp_path, act):
    begun = tmp_path / "begun.db"
    with ConversationStore.open(f"sqlite:///{begun}") as store:
        lived(store)

    def perform(store):
        store.projections.register(MessageSearch())
        if act == "retain":
            return store.privacy.retain(older_than=0 * DAY)
        return getattr(store.tenants, act)("")

    path, faults = tmp_path / "whole.db", Faults()
    shutil.copy(begun, path)
    with (
        ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args) as store,
        faults.watched() as calls,
    ):
        perform(store)
    commits = [n for n, call in enumerate(calls, 1) if call == "COMMIT"]
    few = commits if os.environ.get("LAWS") == "long" else commits[1::4]
    for n in few:
        path, faults = tmp_path / f"{n}.db", Faults()
        shutil.copy(begun, path)

        def dies(path=path, faults=faults, n=n):
            with (
                ConversationStore.open(
                    f"sqlite:///{path}", connect_args=faults.connect_args
                ) as store,
                faults.at(n, die, when="after"),
            ):
                perform(store)

        assert Child(dies).wait() == -signal.SIGKILL
        with ConversationStore.open(f"sqlite:///{path}") as store:
            perform(store)
            store.projections.catch_up()
            assert perform(store).pending is False
            assert store.projections.compare().findings == ()
            assert store.audit.verify().findings == ()
            if act != "retain":
                assert found_in(path) == []
