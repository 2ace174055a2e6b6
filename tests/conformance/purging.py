"""What purging a thread means, in every way of running a store."""

import random
from itertools import pairwise

import pytest

from eventstore import (
    IdempotencyConflict,
    InvalidInput,
    Limits,
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
        tombstone = store.audit.purge(thread, reason="asked to", actor="user_1")
        assert (tombstone.thread_id, tombstone.version) == (thread, 3)
        assert (tombstone.hash, tombstone.copied_into) == (last.hash, ())
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
        store.audit.purge(thread)
        for how, act in {**READS, **WRITES}.items():
            told = outcome(lambda act=act: act(store, thread, first))
            assert type(told) is ThreadNotFound, how

    def test_its_id_stays_refused(self, store):
        thread = store.threads.create(idempotency_key="once").id
        other, _ = talk(store, "one")
        store.audit.purge(thread)
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
            store.tenant("nobody").audit.purge(thread)
        store.audit.purge(thread)
        assert other.threads.get(thread).title == "another one"
        (tombstone,) = store.events.read_all()
        assert other.audit.purge(thread).version == 1
        assert [event.hash for event in store.events.read_all()] == [tombstone.hash]

    def test_positions_never_go_back(self, store):
        seen = []
        for number in range(4):
            thread, _ = talk(store, "one")
            fork = store.threads.fork(thread).id
            seen += [event.position for event in store.events.read_all()][-3:]
            store.audit.purge(fork if number % 2 else thread, forks="copy")
            seen.append(list(store.events.read_all())[-1].position)
        assert all(a < b for a, b in pairwise(dict.fromkeys(seen)))

    # -- asking again, and guards ------------------------------------------------------------------

    def test_asking_again_gives_the_same_tombstone_and_adds_nothing(self, store):
        thread, _ = talk(store, "one")
        first = store.audit.purge(thread, reason="asked to")
        again = store.audit.purge(thread, forks="copy", expected_version=7, reason="again")
        assert again == first
        assert len(list(store.events.read_all())) == 1

    def test_a_key_gives_the_first_tombstone_and_belongs_to_one_purge(self, store):
        (one, _), (two, _) = talk(store, "one"), talk(store, "two")
        first = store.audit.purge(one, idempotency_key="k")
        assert store.audit.purge(one, idempotency_key="k") == first
        with pytest.raises(IdempotencyConflict):
            store.audit.purge(two, idempotency_key="k")
        assert texts(store, two) == ["two"]

    def test_guards_are_about_the_thread(self, store):
        thread, (first, last) = talk(store, "one", "two")
        with pytest.raises(WrongExpectedVersion):
            store.audit.purge(thread, expected_version=2)
        with pytest.raises(WrongExpectedHead):
            store.audit.purge(thread, expected_head=first)
        assert texts(store, thread) == ["one", "two"]
        assert store.audit.purge(thread, expected_version=3, expected_head=last).version == 3

    def test_a_thread_that_never_was_cannot_be_purged(self, store):
        with pytest.raises(ThreadNotFound):
            store.audit.purge("thread_" + "7" * 32)
        with pytest.raises(InvalidInput):
            store.audit.purge("thread_7")
        with pytest.raises(InvalidInput, match="forks"):
            store.audit.purge("thread_" + "7" * 32, forks="keep")
        assert list(store.events.read_all()) == []

    def test_a_busy_thread_is_refused_until_its_run_has_ended(self, store):
        thread, _ = talk(store, "one")
        run = store.runs.create(thread)
        assert reason(lambda: store.audit.purge(thread, forks="copy")) == "thread_busy"
        store.runs.cancel(thread, run.id)
        assert store.audit.purge(thread).version == 4

    def test_archived_and_deleted_threads_can_be_purged(self, store):
        for rest in (store.threads.archive, store.threads.delete):
            thread, _ = talk(store, "one")
            rest(thread)
            assert store.audit.purge(thread).version == 3

    # -- forks -------------------------------------------------------------------------------------

    def test_forks_are_in_the_way_and_are_named(self, store):
        thread, _ = talk(store, "one")
        forks = [store.threads.fork(thread).id for _ in range(12)]
        store.threads.delete(forks[0])  # it can be restored
        refused = outcome(lambda: store.audit.purge(thread))
        assert refused.reason == "thread_has_forks"
        assert [fork for fork in forks if fork in str(refused)] == forks[:10]
        assert "12 forks" in str(refused)
        assert "2 more" in str(refused)
        assert texts(store, thread) == ["one"]
        for fork in forks:
            store.audit.purge(fork)
        assert store.audit.purge(thread).copied_into == ()

    def test_forks_get_copies_and_stand_by_themselves(self, store):
        thread, (first, _) = talk(store, "one", "two", title="T", metadata={"user": "u"})
        store.messages.amend(thread, first, content="first", actor="ann")
        forks = [store.threads.fork(thread).id for _ in range(2)]
        store.messages.amend(forks[1], first, content="mine")
        known = known_in(store)
        before = [everything(store, fork, [1], known) for fork in forks]
        tombstone = store.audit.purge(thread, forks="copy", actor="user_1")
        assert tombstone.copied_into == tuple(forks)
        assert [everything(store, fork, [1], known) for fork in forks] == before
        assert types(store, forks[0]) == ["ThreadForked", *["PrefixCopied"] * 4]
        copies = list(store.events.read(forks[0]))[1:]
        assert [copy.data["source_type"] for copy in copies] == [
            "ThreadCreated",
            "MessageAdded",
            "MessageAmended",
            "MessageAdded",
        ]
        assert [copy.data.get("actor") for copy in copies] == [None, None, "ann", None]
        assert {copy.metadata["actor"] for copy in copies} == {"user_1"}
        assert [copy.data.get("shown", False) for copy in copies] == [False, False, True, True]
        others = list(store.events.read(forks[1]))[2:]
        assert [copy.data.get("shown", False) for copy in others] == [False, False, False, True]
        assert store.threads.get(forks[0]).forked_from.thread_id == thread
        assert store.messages.get(forks[0], first).origin == (before[0]["messages"][first].origin)

    def test_the_past_of_a_fork_is_read_from_its_copies(self, store):
        thread, (first, _) = talk(store, "one", "two")
        fork = store.threads.fork(thread).id
        store.messages.create(fork, role="user", content="three")
        store.messages.amend(fork, first, content="mine")
        store.audit.purge(thread, forks="copy")
        past = [[m.text for m in store.messages.list(fork, at_version=v)] for v in (1, 2, 3)]
        assert past == [["one", "two"], ["one", "two", "three"], ["mine", "two", "three"]]
        steps = [len(step.state.messages) for step in store.replay.steps(fork)]
        assert steps == [2, *[3] * (store.threads.get(fork).version - 1)]

    @pytest.mark.parametrize("order", ["root first", "middle first", "last first"])
    def test_a_chain_of_forks_can_go_in_any_order(self, store, order):
        root, (first, _) = talk(store, "one", "two", title="T")
        middle = store.threads.fork(root).id
        store.messages.amend(middle, first, content="reworded")
        store.messages.create(middle, role="user", content="three")
        last = store.threads.fork(middle).id
        store.messages.amend(middle, first, content="again, which the fork does not see")
        store.messages.create(last, role="user", content="four")
        leaf = store.threads.fork(last).id
        before = store.messages.list(leaf).data
        assert [message.text for message in before] == ["reworded", "two", "three", "four"]
        assert [message.origin.thread_id for message in before] == [root, root, middle, last]
        gone = {
            "root first": (root, middle, last),
            "middle first": (middle, root, last),
            "last first": (last, middle, root),
        }[order]
        for thread in gone:
            store.audit.purge(thread, forks="copy")
            assert store.messages.list(leaf).data == before
            assert store.threads.get(leaf).title == "T"
            assert store.projections.compare().ok
        assert store.messages.get(leaf, external_id="name of one").id == first
        assert len(store.messages.revisions(leaf, first)) == 2
        edited = store.messages.edit(leaf, first, content="other")
        assert (edited.sibling_index, edited.sibling_count) == (1, 2)
        assert [one.text for one in store.branches.siblings(leaf, first)] == ["reworded", "other"]

    def test_an_erasure_reaches_what_was_copied_past_a_thread_that_is_gone(self, store):
        root, messages = talk(store, "uno", "due", "three")
        middle, beside = (store.threads.fork(root).id for _ in range(2))
        store.messages.amend(middle, messages[0], content="uno, amended")
        fork = store.threads.fork(middle).id
        further = store.threads.fork(fork).id
        store.messages.amend(further, messages[1], content="due, amended")
        store.audit.purge(middle, forks="copy")
        for message in messages[:2]:
            made = store.audit.erase(root, message)
            assert {event.stream_id for event in made.erased} >= {root, fork}
            assert made.copies == ()
        for thread in (root, beside, fork, further):
            assert texts(store, thread) == ["", "", "three"]
            said = [event.content for event in store.events.read(thread) if event.content]
            assert "uno" not in str(said)
            assert "due" not in str(said)

    def test_copies_that_stand_by_themselves_are_named_and_left(self, store):
        root, (first, _) = talk(store, "one", "two")
        forks = [store.threads.fork(root).id for _ in range(2)]
        store.audit.purge(root, forks="copy")
        made = store.audit.erase(forks[0], first)
        assert made.copies == (("fork", forks[1], first),)
        assert [texts(store, fork) for fork in forks] == [["", "two"], ["one", "two"]]
        assert store.audit.erase(forks[1], first).copies == (), "it holds no words any more"

    def test_copies_that_stand_by_themselves_are_taken_along_if_asked_for(self, store):
        root, (first, _) = talk(store, "one", "two")
        asked, beside = (store.threads.fork(root).id for _ in range(2))
        below = store.threads.fork(beside).id
        store.messages.amend(below, first, content="one again")
        gone = store.threads.fork(root).id
        past = store.threads.fork(gone).id
        for thread in (root, gone):
            store.audit.purge(thread, forks="copy")
        before = {one: store.threads.get(one).version for one in (beside, past)}
        made = store.audit.erase(asked, first, include=["forks"], reason="request 17")
        everywhere = {asked, beside, below, past}
        assert ({event.stream_id for event in made.erased}, made.copies) == (everywhere, ())
        assert [texts(store, one) for one in everywhere] == [["", "two"]] * 4
        for one, version in before.items():
            told = list(store.events.read(one))[-1]
            assert (told.type, told.version) == ("ContentErased", version + 1)
            assert (told.data["source_id"], told.content) == (asked, {"reason": "request 17"})
        assert store.audit.erase(asked, first).copies == (), "there is no other copy"
        assert store.audit.erase(asked, first, include=["forks"]) == made

    def test_what_is_taken_along_of_a_copy_is_taken_along_of_the_others(self, store):
        root, (first, _) = talk(store, "one", "two")
        asked, beside = (store.threads.fork(root).id for _ in range(2))
        edit = store.messages.edit(beside, first, content="one, edited").id
        store.audit.purge(root, forks="copy")
        left = store.audit.erase(asked, first, include=["forks"])
        assert left.copies == (("edit", beside, edit),)
        assert store.audit.erase(asked, first, include=["forks", "edits"]).copies == ()
        assert store.messages.get(beside, edit).erased

    def test_a_message_of_the_same_id_in_another_thread_is_another_one(self, store):
        root, (first, _) = talk(store, "one", "two")
        other = store.threads.create().id
        store.messages.create(other, role="user", content="mine", message_id=first)
        fork = store.threads.fork(other).id
        store.audit.purge(other, forks="copy")
        made = store.audit.erase(root, first, include=["forks"])
        assert (made.erased, made.copies) == (((root, 2),), ())
        assert texts(store, fork) == ["mine"]

    def test_siblings_of_what_was_copied_are_counted_as_before(self, store):
        """Also by whoever folds the events, and so meets the copies after the path they are of."""
        thread, (first, _) = talk(store, "one", "two")
        fork = store.threads.fork(thread).id
        edits = [store.messages.edit(fork, first, content=word).id for word in ("uno", "eins")]
        store.messages.remove(fork, edits[0])
        store.audit.purge(thread, forks="copy")
        live = store.messages.list(fork).data
        assert store.replay.state(fork).messages == live
        assert [(one.text, one.sibling_index, one.sibling_count) for one in live] == [
            ("eins", 1, 2)
        ]

    def test_a_name_means_the_forks_own_message_before_what_it_inherited(self, store):
        thread, _ = talk(store, "one")
        fork = store.threads.fork(thread).id
        own = {"message_id": f"msg_{1:032x}", "external_id": "name of one"}  # an id of long ago
        store.messages.create(fork, role="user", content="mine", **own)
        assert store.messages.get(fork, external_id="name of one").text == "mine"
        store.audit.purge(thread, forks="copy")
        assert store.messages.get(fork, external_id="name of one").text == "mine"

    def test_a_fork_that_stands_by_itself_can_be_forked_and_purged(self, store):
        thread, _ = talk(store, "one", "two")
        fork = store.threads.fork(thread).id
        store.audit.purge(thread, forks="copy")
        further = store.threads.fork(fork).id
        assert reason(lambda: store.audit.purge(fork)) == "thread_has_forks"
        store.audit.purge(fork, forks="copy")
        assert texts(store, further) == ["one", "two"]
        store.audit.purge(further)
        assert {event.type for event in store.events.read_all()} == {"ThreadPurged"}

    def test_a_fork_made_at_a_past_version_gets_what_was_then(self, store):
        thread, (first, _) = talk(store, "one", "two", title="before")
        store.messages.amend(thread, first, content="too late")
        store.threads.update(thread, title="after")
        fork = store.threads.fork(thread, at_version=3).id
        store.audit.purge(thread, forks="copy")
        assert texts(store, fork) == ["one", "two"]
        assert store.threads.get(fork).title == "before"
        assert "too late" not in str(list(store.events.read(fork)))

    def test_what_was_queued_keeps_its_own_words_and_time(self, store):
        thread, _ = talk(store, "one")
        run = store.runs.create(thread)
        store.messages.create(thread, role="user", content="waits")
        store.runs.start(thread, run.id)
        store.runs.complete(thread, run.id)
        fork = store.threads.fork(thread).id
        before = store.messages.list(fork).data
        store.audit.purge(thread, forks="copy")
        assert store.messages.list(fork).data == before
        assert [message.text for message in before] == ["one", "waits"]

    @pytest.mark.parametrize("seed", SEEDS)
    def test_whatever_a_life_was_like_forks_do_not_notice(self, store, seed):
        purge_them_all(store, seed, writes=self.writes, versions=2)

    def test_a_long_path_is_copied_in_one_transaction(self, store):
        thread, _ = talk(store, "one")
        many = [{"role": "user", "content": str(n)} for n in range(600)]
        store.messages.create_many(thread, many)
        fork = store.threads.fork(thread).id
        store.audit.purge(thread, forks="copy")
        assert texts(store, fork) == ["one", *(str(n) for n in range(600))]
        some = random.Random(1).sample(list(store.messages.list(fork)), 5)
        assert [store.messages.get(fork, one.id).text for one in some] == [one.text for one in some]


class PurgingBesideOthers(Purging):
    """Another store may be opened on the same database."""

    def test_another_store_that_knew_the_thread_hears_of_it(self, store, tmp_path):
        """It keeps rows of a fork's fork, whose head does not move when the root is purged."""
        root, (first, second) = talk(store, "one", "two")
        fork = store.threads.fork(root).id
        further = store.threads.fork(fork).id
        with self.opened(tmp_path) as other:
            talk(other, "its writer is at work")
            for thread in (root, fork, further):
                with pytest.raises(InvalidInput):  # it looks at the message, and writes nothing
                    other.messages.create(thread, role="user", content="x", message_id=first)
            store.audit.purge(root, forks="copy")
            assert other.messages.update(further, second, name="Ben").text == "two"
            assert other.messages.edit(further, second, content="three").parent_id == first
            with pytest.raises(ThreadNotFound):
                other.messages.create(root, role="user", content="x")
            other.messages.amend(fork, first, content="four")
            assert texts(other, further) == ["one", "three"]
            assert texts(other, fork) == ["four", "two"]

    def test_words_that_were_taken_once_are_copied_whatever_the_limit_is_now(self, store, tmp_path):
        thread, _ = talk(store, "a long story " * 1_000)
        fork = store.threads.fork(thread).id
        with self.opened(tmp_path, limits=Limits(content_bytes_max=100)) as strict:
            strict.audit.purge(thread, forks="copy")
            assert len(texts(strict, fork)[0]) == 13_000
