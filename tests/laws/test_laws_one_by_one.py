"""The laws of the domain, each by itself, over random lives of threads and forks."""

import itertools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore, IdempotencyConflict, Refused
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import Read
from eventstore.conversation.draft import ThreadDraft
from eventstore.conversation.state import FoldedThread, prefix_of
from eventstore.testing.environments import fixed_environment, jumping_environment
from eventstore.threads.folding import folded_steps
from tests.laws.examples import LONG, of_a_law
from tests.laws.lives import live

SEEDS = st.integers(min_value=0, max_value=10_000)
WRITES = 40


@of_a_law
@given(seed=SEEDS)
def test_1_versions_have_no_gaps_and_time_never_goes_back(seed):
    with ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store:
        for thread in live(store, seed, writes=WRITES):
            events = list(store.events.read(thread))
            assert [event.version for event in events] == list(range(1, len(events) + 1))
            assert all(a.recorded_at <= b.recorded_at for a, b in itertools.pairwise(events))


@of_a_law
@given(seed=SEEDS)
def test_2_rows_kept_live_equal_rows_rebuilt_after_every_write(seed):
    with ConversationStore.open("sqlite://") as store:

        def compare(thread):
            report = store.projections.compare(thread)
            assert report.ok, report.findings

        live(store, seed, writes=WRITES, after_each=compare)
        store.projections.rebuild()
        assert store.projections.compare().ok


@of_a_law
@given(seed=SEEDS)
def test_2_a_thread_folded_in_place_is_at_every_event_the_state_that_replay_gives(seed):
    with ConversationStore.open("sqlite://") as store:
        for thread in live(store, seed, writes=WRITES):
            with suppress(Refused, IndexError):  # it is the source's, or there is none
                last = store.branches.tree(thread).nodes[-1].message.id
                for label in ("one name", "another name"):
                    store.branches.label(thread, last, label)
                store.privacy.erase(thread, last)
            steps = store.perform(Read(partial(_steps, store, thread)))
            draft = ThreadDraft(_start(steps[0][1]))
            for event, state in steps:
                draft.take(event)
                assert _fields(draft) == _fields(state)


def _steps(store, thread, tx):
    return list(folded_steps(tx, store.scope.log, "", thread_key(store.scope, thread).id))


def _start(first):
    """The state before a thread's first event: a fork's is what it sees of its source."""
    if not first.ancestors:
        return FoldedThread(first.thread_id)
    return prefix_of(first.ancestors[0], first.thread_id, first.thread.fork)


def _fields(view):
    fields = {name: getattr(view, name) for name in FoldedThread.__struct_fields__}
    fields["inherited"] = view.inherited and list(view.inherited)
    fields["rows"] = {kind: dict(rows) for kind, rows in view.rows.items()}
    fields["touches"] = {key: list(versions) for key, versions in view.touches.items()}
    return {
        name: dict(value) if isinstance(value, Mapping) else value for name, value in fields.items()
    }


@of_a_law
@given(seed=SEEDS)
def test_3_the_active_path_is_a_path_and_parents_come_first(seed):
    with ConversationStore.open("sqlite://") as store:
        for thread in live(store, seed, writes=WRITES):
            path = list(store.messages.list(thread))
            above = [None, *[message.id for message in path]]
            assert [message.parent_id for message in path] == above[: len(path)]
            for child, parent in ((b, a) for a, b in itertools.pairwise(path)):
                inherited = child.origin is not None and parent.origin is not None
                assert parent.origin is not None or parent.version < child.version or inherited


@of_a_law
@given(seed=SEEDS, data=st.data())
def test_4_an_edit_changes_no_other_path_and_selecting_there_and_back_is_nothing(seed, data):
    with ConversationStore.open("sqlite://") as store:
        thread = live(store, seed, writes=WRITES)[-1]
        tree = store.branches.tree(thread).nodes
        if not tree:
            return
        leaves = [branch.leaf_id for branch in store.branches.list(thread)]
        before = {leaf: texts(store, thread, leaf) for leaf in leaves}
        target = data.draw(st.sampled_from([node.message.id for node in tree]))
        try:
            store.messages.edit(thread, target, content="edited")
        except Refused:
            return
        assert {leaf: texts(store, thread, leaf) for leaf in leaves} == before
        one, two = data.draw(st.sampled_from(leaves)), data.draw(st.sampled_from(leaves))
        store.branches.select(thread, one)
        first = [message.id for message in store.messages.list(thread)]
        store.branches.select(thread, two)
        store.branches.select(thread, one)
        assert [message.id for message in store.messages.list(thread)] == first


def texts(store, thread, leaf):
    return [(m.id, m.text) for m in store.messages.list(thread, branch=leaf)]


@of_a_law
@given(seed=SEEDS)
def test_5_the_past_does_not_depend_on_what_came_after(seed):
    with ConversationStore.open("sqlite://", environment=jumping_environment(seed)) as store:
        seen = {}

        def remember(thread):
            here = store.threads.get(thread)
            seen[thread, here.version] = (here, store.messages.list(thread).data)

        live(store, seed, writes=WRITES, after_each=remember)
        for thread in {thread for thread, _ in seen}:
            for step in store.replay.steps(thread):
                if (thread, step.event.version) in seen:
                    found = step.state.thread, tuple(step.state.messages)
                    assert found == seen[thread, step.event.version]
        for thread, version in [*seen][:: 1 if LONG else 4]:
            past = store.replay.state(thread, at_version=version)
            assert (past.thread, tuple(past.messages)) == seen[thread, version]
            assert store.messages.list(thread, at_version=version).data == past.messages


@of_a_law
@given(seed=SEEDS, others=SEEDS)
def test_6_a_fork_shares_what_was_and_nothing_that_comes(seed, others):
    with ConversationStore.open("sqlite://") as store:
        source = live(store, seed, writes=WRITES)[0]
        path = store.messages.list(source).data
        if not path:
            return
        fork = store.threads.fork(source).id
        told = [(m.id, m.text, m.revision) for m in path]
        assert [(m.id, m.text, m.revision) for m in store.messages.list(fork)] == told
        for message in path[-3:]:
            store.messages.amend(source, message.id, content="reworded in the source")
        store.messages.create(source, role="user", content="later", on_busy="interrupt")
        assert [(m.id, m.text, m.revision) for m in store.messages.list(fork)] == told
        after = [(m.id, m.text) for m in store.messages.list(source)]
        store.messages.amend(fork, path[0].id, content=f"reworded in the fork {others}")
        store.messages.create(fork, role="user", content="elsewhere")
        assert [(m.id, m.text) for m in store.messages.list(source)] == after


def test_7_of_many_tries_with_one_key_exactly_one_appends(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        thread = store.threads.create().id

        def try_it(_):
            return store.messages.create(thread, role="user", content="once", idempotency_key="k")

        with ThreadPoolExecutor(32) as pool:
            made = list(pool.map(try_it, range(128)))

        assert len({message.id for message in made}) == 1
        assert all(message == made[0] for message in made)
        assert store.threads.get(thread).version == 2
        with pytest.raises(IdempotencyConflict):
            store.messages.create(thread, role="user", content="other", idempotency_key="k")
        assert store.threads.get(thread).version == 2


@of_a_law
@given(seed=SEEDS)
def test_7_a_repeat_gives_the_first_result_whatever_happened_since(seed):
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id

        def first():
            return store.messages.create(thread, role="user", content="a", idempotency_key="k")

        made = first()
        store.messages.amend(thread, made.id, content="b")
        store.messages.edit(thread, made.id, content="c")
        live(store, seed, writes=5)
        assert first() == made


@of_a_law
@given(count=st.integers(min_value=2, max_value=64))
def test_2_many_commands_in_one_transaction_give_the_events_of_as_many_appends(count):
    drafts = [{"role": "user", "content": f"words {number}"} for number in range(count)]
    together: list[object] = []
    apart: list[object] = []
    for told, events in ((True, together), (False, apart)):
        with ConversationStore.open("sqlite://", environment=fixed_environment()) as store:
            thread = store.threads.create().id
            if told:
                store.messages.create_many(thread, drafts)
            else:
                for draft in drafts:
                    store.messages.create(thread, role="user", content=draft["content"])
            events += [
                (event.version, event.type, event.content) for event in store.events.read(thread)
            ]
    assert together == apart
