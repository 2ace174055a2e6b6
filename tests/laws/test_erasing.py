"""Law 11, as far as a conversation can tell: what was erased is gone, all else is as it was.

A message of a random life is erased, alone or with its copies. Every other message, path, branch,
run and fork reads as before, now and in the past; tables and events agree; the chain holds, by the
verifier that ``docs/format.md`` shows. What the bytes look like: ``tests/privacy``.
"""

from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore, Refused
from eventstore.conversation.rows import MessageRow
from eventstore.core import ids
from eventstore.testing.environments import jumping_environment
from tests.laws.examples import of_a_law_of_lives
from tests.laws.lives import live
from tests.storage.test_chain import page_verifier

SEEDS = st.integers(min_value=0, max_value=10_000)
PICKS = st.integers(min_value=0, max_value=1_000)
WRITES = 40
WORDS = {"content", "text", "name", "external_id", "metadata", "erased"}
INCLUDE = st.sampled_from([(), (), ("edits",), ("run",), ("edits", "run")])


def messages_of(store, thread):
    """Every message of a thread by id, hidden and queued ones too."""
    state = store.replay.state(thread)
    folded = state.folded
    inherited = [key for ancestor in folded.ancestors for key in dict(ancestor.rows[MessageRow])]
    keys = {*dict(folded.rows[MessageRow]), *[key for key in inherited if folded.message(key)]}
    return {one: state.message(one) for one in (ids.show(ids.MESSAGE, key) for key in keys)}


def revisions(store, thread, message):
    try:
        return store.messages.revisions(thread, message)
    except Refused:  # removed
        return None


def told(store, threads, versions):
    """Everything that a store tells, of the past up to some versions; see :func:`without`."""
    found = {}
    for thread in threads:
        now, tree = store.threads.get(thread), store.branches.tree(thread).nodes
        messages = messages_of(store, thread)
        assert {n.message.id: n.message for n in tree}.items() <= messages.items(), "law 5"
        found[thread] = {
            "thread": (now.title, now.metadata, now.head_id, now.archived, now.busy),
            "messages": messages,
            "revisions": {key: revisions(store, thread, key) for key in messages},
            "tree": [(n.message.id, n.depth, n.active, n.head) for n in tree],
            "labels": {n.message.id: n.label for n in tree},
            "branches": [(b.leaf_id, b.active, b.depth) for b in store.branches.list(thread)],
            "queued": [message.id for message in store.messages.queued(thread)],
            "runs": {run.id: run for run in store.runs.list(thread)},
            "past": [
                store.replay.state(thread, at_version=version).messages
                for version in range(1, versions[thread] + 1, 4)
            ],
        }
    return found


def without(found, erased, runs):
    """Leave out the words of erased messages, and all that erased runs say of themselves."""

    def bare(message):
        if message.id not in erased:
            return message
        return {key: value for key, value in message.model_dump().items() if key not in WORDS}

    return {
        thread: {
            **one,
            "messages": {key: bare(message) for key, message in one["messages"].items()},
            "revisions": {k: v for k, v in one["revisions"].items() if k not in erased},
            "labels": {k: v for k, v in one["labels"].items() if k not in erased},
            "runs": {k: v if k not in runs else v.status for k, v in one["runs"].items()},
            "past": [tuple(map(bare, path)) for path in one["past"]],
        }
        for thread, one in found.items()
    }


def reached(store, made):
    """The messages and runs whose events a certificate names."""
    events = {(e.stream_id, e.version): e for e in store.events.read_all()}
    gone = [events[one.stream_id, one.version] for one in made.erased]
    assert all(event.content is None for event in gone)
    data = [event.data for event in gone]
    messages = {one["message_id"] for one in data if "message_id" in one}
    return messages, {one["run_id"] for one in data if "message_id" not in one}


def looked_for(store, threads, pick):
    """A message that can be erased, by number: any that is not inherited."""
    own = [
        (thread, key)
        for thread in threads
        for key, message in messages_of(store, thread).items()
        if message.origin is None
    ]
    return own[pick % len(own)] if own else None


@of_a_law_of_lives
@given(seed=SEEDS, pick=PICKS, include=INCLUDE)
def test_11_whatever_is_erased_all_else_is_as_it_was(tmp_path_factory, seed, pick, include):
    path = tmp_path_factory.mktemp("erasing") / "chat.db"
    with ConversationStore.open(
        f"sqlite:///{path}", environment=jumping_environment(seed)
    ) as store:
        threads = live(store, seed, writes=WRITES)
        target = looked_for(store, threads, pick)
        if target is None:
            return
        versions = {thread: store.threads.get(thread).version for thread in threads}
        before = told(store, threads, versions)

        made = store.privacy.erase(*target, include=include)

        erased, runs = reached(store, made)
        after = told(store, threads, versions)
        assert without(after, erased, runs) == without(before, erased, runs)
        assert target[1] in erased
        assert include or (erased, runs) == ({target[1]}, set())
        assert "run" in include or not runs
        parents = {
            one["messages"][key].parent_id
            for one in after.values()
            for key in erased & one["messages"].keys()
        }
        assert len(parents) == 1, "edits of a message are its siblings"
        for one in after.values():
            gone = {key: m for key, m in one["messages"].items() if m.erased}
            assert gone.keys() == erased & one["messages"].keys()
            assert all((m.text, m.content, m.metadata) == ("", (), {}) for m in gone.values())
            assert not any(one["labels"].get(key) for key in erased)
        assert store.projections.compare().findings == ()
        store.projections.rebuild()
        assert told(store, threads, versions) == after
        assert store.privacy.erase(*target, include=include).erased == made.erased
        live(store, seed + 1, writes=5)
    assert list(page_verifier()(path)) == []
