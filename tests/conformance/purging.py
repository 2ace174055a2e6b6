"""What purging a thread means, in every way of running a store."""

from itertools import pairwise

import pytest

from eventstore import (
    IdempotencyConflict,
    InvalidInput,
    Refused,
    ThreadNotFound,
    WrongExpectedHead,
    WrongExpectedVersion,
)
from tests.concurrency.schedules import outcome
from tests.laws.purging import everything, known_in, purge_them_all

SEEDS = [3, 14, 15]


def talk(store, *words, **details):
    thread = store.threads.create(**details).id
    said = [
        store.messages.create(
            thread, role="user", content=one, external_id=f"name of {one}"[:99]
        ).id
        for one in words
    ]
    return thread, said


def texts(store, thread):
    return [message.text for message in store.messages.list(thread)]


def types(store, thread):
    return [event.type for event in store.events.read(thread)]


def reason(act):
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.reason


WRITES = {
    "create a message": lambda s, t, _: s.messages.create(t, role="user", content="x"),
    "edit": lambda s, t, m: s.messages.edit(t, m, content="x"),
    "amend": lambda s, t, m: s.messages.amend(t, m, content="x"),
    "remove": lambda s, t, m: s.messages.remove(t, m),
    "select": lambda s, t, m: s.branches.select(t, m),
    "label": lambda s, t, m: s.branches.label(t, m, "x"),
    "update": lambda s, t, _: s.threads.update(t, title="x"),
    "delete": lambda s, t, _: s.threads.delete(t),
    "restore": lambda s, t, _: s.threads.restore(t),
    "begin a run": lambda s, t, _: s.runs.create(t),
    "fork": lambda s, t, m: s.threads.fork(t, at_message=m),
}
READS = {
    "get": lambda s, t, _: s.threads.get(t, include_deleted=True),
    "list": lambda s, t, _: s.messages.list(t),
    "list the past": lambda s, t, _: s.messages.list(t, at_version=1),
    "get a message": lambda s, t, m: s.messages.get(t, m),
    "revisions": lambda s, t, m: s.messages.revisions(t, m),
    "tree": lambda s, t, _: s.branches.tree(t),
    "siblings": lambda s, t, m: s.branches.siblings(t, m),
    "runs": lambda s, t, _: s.runs.list(t),
    "replay": lambda s, t, _: s.replay.state(t),
    "steps": lambda s, t, _: list(s.replay.steps(t)),
    "compare": lambda s, t, _: s.projections.compare(t),
    "rebuild": lambda s, t, _: s.projections.rebuild(t),
}


class Purging:
    """Needs ``opened(place, **options)``, as ``ConformanceSuite`` does."""

    writes = 25
    """How long a random life is."""

    def opened(self, place, **options):
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path):
        with self.opened(tmp_path) as store:
            yield store
            report = store.projections.compare()
            assert report.findings == ()

    # -- what is gone, and what stays --------------------------------------------------------------

    def test_a_tombstone_is_what_stays(self, store):
        thread, _ = talk(store, "one", "two")
        last = list(store.events.read(thread))[-1]
        tombstone = store.privacy.purge(thread, reason="asked to", actor="user_1")
        assert (tombstone.thread_id, tombstone.version) == (thread, 3)
        assert (tombstone.hash, tombstone.forks) == (last.hash, ())
        assert (tombstone.reason, tombstone.actor) == ("asked to", "user_1")
        (event,) = store.events.read_all()
        assert (event.type, event.stream_id[:6], event.version) == ("ThreadPurged", "store_", 1)
        assert event.data == {"thread_id": thread, "version": 3, "hash": last.hash}
        assert event.content == {"reason": "asked to"}
        assert event.metadata == {"actor": "user_1"}
        assert event.recorded_at == tombstone.purged_at
        assert list(store.threads.list(include_deleted=True)) == []

    def test_nobody_finds_it(self, store):
        thread, (first, _) = talk(store, "one", "two")
        store.privacy.purge(thread)
        for how, act in {**READS, **WRITES}.items():
            told = outcome(lambda act=act: act(store, thread, first))
            assert type(told) is ThreadNotFound, how

    def test_its_id_stays_refused(self, store):
        thread = store.threads.create(idempotency_key="once").id
        other, _ = talk(store, "one")
        store.privacy.purge(thread)
        for again in (
            lambda: store.threads.create(thread_id=thread),
            lambda: store.threads.create(idempotency_key="once"),
            lambda: store.threads.fork(other, fork_id=thread),
        ):
            assert reason(again) == "thread_purged"
        assert store.tenant("acme").threads.create(thread_id=thread).id == thread

    def test_it_is_forgotten_in_its_own_tenant_only(self, store):
        thread, _ = talk(store, "one")
        other = store.tenant("acme")
        other.threads.create(thread_id=thread, title="another one")
        with pytest.raises(ThreadNotFound):
            store.tenant("nobody").privacy.purge(thread)
        store.privacy.purge(thread)
        assert other.threads.get(thread).title == "another one"
        (tombstone,) = store.events.read_all()
        assert other.privacy.purge(thread).version == 1
        assert [event.hash for event in store.events.read_all()] == [tombstone.hash]

    def test_positions_never_go_back(self, store):
        seen = []
        for number in range(4):
            thread, _ = talk(store, "one")
            fork = store.threads.fork(thread).id
            seen += [event.position for event in store.events.read_all()][-3:]
            store.privacy.purge(fork if number % 2 else thread, forks="purge")
            seen.append(list(store.events.read_all())[-1].position)
        assert all(a < b for a, b in pairwise(dict.fromkeys(seen)))

    # -- asking again, and guards ------------------------------------------------------------------

    def test_asking_again_gives_the_same_tombstone_and_adds_nothing(self, store):
        thread, _ = talk(store, "one")
        first = store.privacy.purge(thread, reason="asked to")
        again = store.privacy.purge(thread, forks="purge", expected_version=7, reason="again")
        assert again == first
        assert len(list(store.events.read_all())) == 1

    def test_a_key_gives_the_first_tombstone_and_belongs_to_one_purge(self, store):
        (one, _), (two, _) = talk(store, "one"), talk(store, "two")
        first = store.privacy.purge(one, idempotency_key="k")
        assert store.privacy.purge(one, idempotency_key="k") == first
        with pytest.raises(IdempotencyConflict):
            store.privacy.purge(two, idempotency_key="k")
        assert texts(store, two) == ["two"]

    def test_guards_are_about_the_thread(self, store):
        thread, (first, last) = talk(store, "one", "two")
        with pytest.raises(WrongExpectedVersion):
            store.privacy.purge(thread, expected_version=2)
        with pytest.raises(WrongExpectedHead):
            store.privacy.purge(thread, expected_head=first)
        assert texts(store, thread) == ["one", "two"]
        assert store.privacy.purge(thread, expected_version=3, expected_head=last).version == 3

    def test_a_thread_that_never_was_cannot_be_purged(self, store):
        with pytest.raises(ThreadNotFound):
            store.privacy.purge("thread_" + "7" * 32)
        with pytest.raises(InvalidInput):
            store.privacy.purge("thread_7")
        with pytest.raises(InvalidInput, match="forks"):
            store.privacy.purge("thread_" + "7" * 32, forks="copy")
        assert list(store.events.read_all()) == []

    def test_a_busy_thread_is_refused_until_its_run_has_ended(self, store):
        thread, _ = talk(store, "one")
        run = store.runs.create(thread)
        assert reason(lambda: store.privacy.purge(thread, forks="purge")) == "thread_busy"
        store.runs.cancel(thread, run.id)
        assert store.privacy.purge(thread).version == 4

    def test_archived_and_deleted_threads_can_be_purged(self, store):
        for rest in (store.threads.archive, store.threads.delete):
            thread, _ = talk(store, "one")
            rest(thread)
            assert store.privacy.purge(thread).version == 3

    # -- forks -------------------------------------------------------------------------------------

    def test_forks_are_in_the_way_and_are_named(self, store):
        thread, _ = talk(store, "one")
        forks = [store.threads.fork(thread).id for _ in range(12)]
        store.threads.delete(forks[0])  # it can be restored
        refused = outcome(lambda: store.privacy.purge(thread))
        assert refused.reason == "thread_has_forks"
        assert [fork for fork in forks if fork in str(refused)] == forks[:10]
        assert "12 forks" in str(refused)
        assert "2 more" in str(refused)
        assert texts(store, thread) == ["one"]
        for fork in forks:
            store.privacy.purge(fork)
        assert store.privacy.purge(thread).forks == ()

    def test_forks_and_their_forks_go_along_if_asked_for(self, store):
        other, _ = talk(store, "one")
        root, (first, _) = talk(store, "one", "two", title="T")
        forks = [store.threads.fork(root).id for _ in range(2)]
        below = store.threads.fork(forks[0]).id
        store.messages.amend(below, first, content="mine")
        store.threads.delete(forks[1])
        ends = {one: list(store.events.read(one))[-1] for one in (root, *forks, below)}
        made = store.privacy.purge(root, forks="purge", reason="asked to", actor="user_1")
        assert (made.thread_id, made.forks) == (root, (*forks, below))
        assert (made.version, made.hash) == (3, ends[root].hash)
        purged = [one for one in store.events.read_all() if one.type == "ThreadPurged"]
        assert [one.data["thread_id"] for one in purged] == [below, forks[1], forks[0], root]
        for event in purged:
            end = ends[event.data["thread_id"]]
            assert (event.data["version"], event.data["hash"]) == (end.version, end.hash)
            assert (event.content, event.metadata["actor"]) == ({"reason": "asked to"}, "user_1")
        for one in (*forks, below):
            assert store.privacy.purge(one).version == ends[one].version
            assert store.privacy.purge(one).forks == ()
            assert reason(lambda one=one: store.threads.create(thread_id=one)) == "thread_purged"
        assert store.privacy.purge(root, forks="purge") == made
        assert [one.id for one in store.threads.list(include_deleted=True)] == [other]
        assert {one.stream_id for one in store.events.read_all()} == {other, purged[0].stream_id}

    def test_a_busy_fork_keeps_all_of_them(self, store):
        root, _ = talk(store, "one")
        below = store.threads.fork(store.threads.fork(root).id).id
        run = store.runs.create(below)
        refused = outcome(lambda: store.privacy.purge(root, forks="purge"))
        assert refused.reason == "thread_busy"
        assert below in str(refused)
        assert texts(store, below) == texts(store, root) == ["one"]
        store.runs.cancel(below, run.id)
        assert len(store.privacy.purge(root, forks="purge").forks) == 2

    def test_a_source_stays_when_a_fork_goes_with_its_forks(self, store):
        root, (first, _) = talk(store, "one", "two")
        fork = store.threads.fork(root).id
        below = store.threads.fork(fork).id
        beside = store.threads.fork(root).id
        known = known_in(store)
        before = [everything(store, one, [1], known) for one in (root, beside)]
        assert store.privacy.purge(fork, forks="purge").forks == (below,)
        assert [everything(store, one, [1], known) for one in (root, beside)] == before
        assert store.messages.edit(beside, first, content="other").text == "other"

    def test_a_key_gives_the_tombstone_of_the_thread_that_was_asked_for(self, store):
        root, _ = talk(store, "one")
        store.threads.fork(root)
        made = store.privacy.purge(root, forks="purge", idempotency_key="k")
        assert store.privacy.purge(root, forks="purge", idempotency_key="k") == made

    def test_a_name_means_the_forks_own_message_before_what_it_inherited(self, store):
        thread, _ = talk(store, "one")
        fork = store.threads.fork(thread).id
        own = {"message_id": f"msg_{1:032x}", "external_id": "name of one"}  # an id of long ago
        store.messages.create(fork, role="user", content="mine", **own)
        assert store.messages.get(fork, external_id="name of one").text == "mine"

    @pytest.mark.parametrize("seed", SEEDS)
    def test_whatever_a_life_was_like_the_others_do_not_notice(self, store, seed):
        purge_them_all(store, seed, writes=self.writes, versions=2)


class PurgingBesideOthers(Purging):
    """Another store may be opened on the same database."""

    def test_another_store_that_knew_the_threads_hears_of_it(self, store, tmp_path):
        """It keeps rows of a fork and of the fork's fork, which go along."""
        root, (first, second) = talk(store, "one", "two")
        fork = store.threads.fork(root).id
        further = store.threads.fork(fork).id
        beside = store.threads.fork(root).id
        with self.opened(tmp_path) as other:
            talk(other, "its writer is at work")
            for thread in (root, fork, further, beside):
                with pytest.raises(InvalidInput):  # it looks at the message, and writes nothing
                    other.messages.create(thread, role="user", content="x", message_id=first)
            store.privacy.purge(fork, forks="purge")
            for thread in (fork, further):
                with pytest.raises(ThreadNotFound):
                    other.messages.create(thread, role="user", content="x")
            assert other.messages.update(beside, second, name="Ben").text == "two"
            store.privacy.purge(root, forks="purge")
            with pytest.raises(ThreadNotFound):
                other.messages.create(beside, role="user", content="x")
