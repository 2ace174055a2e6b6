"""Real conversations, imported: every path reads back, and the past can be replayed."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from eventstore import ConversationStore
from eventstore.importers.openassistant import read_trees

FILE = Path(__file__).parents[1] / "data" / "oasst_trees.jsonl"
ROLES = {"prompter": "user", "assistant": "assistant"}


@pytest.fixture(scope="module")
def lines():
    return FILE.read_bytes().splitlines()


@pytest.fixture(scope="module")
def prompts(lines):
    """Each tree's prompt by the tree's id: the truth to compare with, read without the importer."""
    return {(tree := json.loads(line))["message_tree_id"]: tree["prompt"] for line in lines}


@pytest.fixture(scope="module")
def store(lines):
    with ConversationStore.open("sqlite://") as opened:
        load(opened, lines)
        yield opened


def load(store, lines):
    for tree in read_trees(lines):
        key, messages_key = tree.idempotency_key, tree.messages_key
        thread = store.threads.create(metadata=tree.metadata, idempotency_key=key)
        store.messages.create_many(thread.id, tree.messages, idempotency_key=messages_key)


@pytest.fixture(scope="module")
def threads(store):
    found = store.threads.list(limit=None)
    return {thread.metadata["message_tree_id"]: thread.id for thread in found}


def paths(message, above=()):
    """Every path of a file's tree from its root to a leaf."""
    path = (*above, message)
    if not message["replies"]:
        yield path
    for reply in message["replies"]:
        yield from paths(reply, path)


def said(message):
    return message["message_id"], ROLES[message["role"]], message["text"]


def read_back(messages):
    return [(message.external_id, message.role, message.text) for message in messages]


def every_path(prompts):
    return [(tree, path) for tree, prompt in prompts.items() for path in paths(prompt)]


def messages_in(message):
    return 1 + sum(messages_in(reply) for reply in message["replies"])


def test_there_is_a_thread_for_each_tree_and_a_message_for_each_message(store, prompts, threads):
    assert list(threads) == list(prompts)
    for tree, thread in threads.items():
        assert len(store.branches.tree(thread).nodes) == messages_in(prompts[tree])


def test_every_path_reads_back_in_order_and_unchanged(store, prompts, threads):
    for tree, path in every_path(prompts):
        leaf = store.messages.get(threads[tree], external_id=path[-1]["message_id"])
        found = store.messages.list(threads[tree], branch=leaf.id)
        assert read_back(found) == [said(message) for message in path]


def test_what_else_the_file_says_of_a_message_is_its_metadata(store, prompts, threads):
    left_out = {"message_id", "parent_id", "role", "text", "replies"}
    for tree, path in every_path(prompts):
        message = store.messages.get(threads[tree], external_id=path[-1]["message_id"])
        assert message.metadata == {k: v for k, v in path[-1].items() if k not in left_out}


def test_siblings_stand_in_the_order_of_the_file_and_are_counted(store, prompts, threads):
    for tree, path in every_path(prompts):
        for parent, child in pairwise(path):
            names = [reply["message_id"] for reply in parent["replies"]]
            message = store.messages.get(threads[tree], external_id=child["message_id"])
            place = names.index(child["message_id"])
            assert (message.sibling_index, message.sibling_count) == (place + 1, len(names))
            siblings = store.branches.siblings(threads[tree], message.id)
            assert [sibling.external_id for sibling in siblings] == names


def test_the_active_path_follows_the_best_ranked_answers(store, prompts, threads):
    for tree, prompt in prompts.items():
        found = store.messages.list(threads[tree])
        assert found[0].external_id == prompt["message_id"]
        for message in found:
            others = store.branches.siblings(threads[tree], message.id)
            ranks = [other.metadata["rank"] for other in others if "rank" in other.metadata]
            assert message.metadata.get("rank") == (min(ranks) if ranks else None)


def test_selecting_each_leaf_in_turn_gives_its_path(lines, prompts):
    with ConversationStore.open("sqlite://") as store:
        load(store, lines)
        for thread in store.threads.list(limit=None):
            for path in paths(prompts[thread.metadata["message_tree_id"]]):
                leaf = store.messages.get(thread.id, external_id=path[-1]["message_id"])
                assert store.branches.select(thread.id, leaf.id).leaf_id == leaf.id
                assert read_back(store.messages.list(thread.id)) == list(map(said, path))
        assert store.projections.compare().findings == ()


def test_importing_again_adds_nothing(store, lines):
    before = store.health().events
    load(store, lines)
    assert store.health().events == before


def test_replaying_gives_the_live_state_at_each_version(lines):
    """Message by message, so that there is a live state to remember at each version."""
    with ConversationStore.open("sqlite://") as store:
        for tree in read_trees(lines):
            thread = store.threads.create(metadata=tree.metadata)
            live = [live_state(store, thread.id)]
            for message in tree.messages:
                store.messages.create(thread.id, **message)
                live.append(live_state(store, thread.id))
            steps = [state.value() for _, state in store.replay.steps(thread.id)]
            assert [(step.thread, step.messages) for step in steps] == live
            middle = len(live) // 2
            then = store.replay.state(thread.id, at_version=middle)
            assert (then.thread, then.messages) == live[middle - 1]


def live_state(store, thread):
    return store.threads.get(thread), store.messages.list(thread).data
