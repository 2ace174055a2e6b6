"""A fork of a hundredth fork costs what a fork costs, whatever the forks between have changed."""

from contextlib import ExitStack

import pytest

from eventstore import ConversationStore

MESSAGES = 130
DEEP = 100
AMENDED = 30 * DEEP
"""Steps of reading a hundred amendments, each in a thread of its own."""
FOLDED = 60 * DEEP
"""Steps of reading the first event of each thread on the way, and of finding it."""
FOLDING = {"replay.state", "replay.steps", "projections.compare", "projections.rebuild"}


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


def forked(store, depth, *, changing):
    """A fork so deep, of as many messages at any depth; and the ids of those it inherits."""
    thread = store.threads.create(title="Deep", metadata={"is": "deep"}).id
    drafts = [{"role": "user", "content": f"words {n}"} for n in range(MESSAGES - depth)]
    said = [message.id for message in store.messages.create_many(thread, drafts)]
    for number in range(depth):
        thread = store.threads.fork(thread).id
        said.append(store.messages.create(thread, role="user", content=f"more {number}").id)
        if changing:
            store.messages.amend(thread, said[number % 20], content=f"amended {number}")
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    return thread, said, run


ACTS = {
    "messages.list, the last 50": lambda s, t, *_: s.messages.list(t, limit=50, order="desc"),
    "messages.list, the first 50": lambda s, t, *_: s.messages.list(t, limit=50),
    "messages.get": lambda s, t, said, _: s.messages.get(t, said[3]),
    "messages.revisions": lambda s, t, said, _: s.messages.revisions(t, said[40]),
    "messages.create": lambda s, t, _, run: s.messages.create(
        t, role="assistant", content="x", run_id=run
    ),
    "messages.edit": lambda s, t, said, _: s.messages.edit(t, said[4], content="otherwise"),
    "messages.amend": lambda s, t, said, _: s.messages.amend(t, said[5], content="reworded"),
    "messages.remove": lambda s, t, said, _: s.messages.remove(t, said[6]),
    "messages.restore": lambda s, t, said, _: s.messages.restore(t, said[6]),
    "branches.select": lambda s, t, said, _: s.branches.select(t, said[7]),
    "branches.list": lambda s, t, *_: s.branches.list(t),
    "branches.siblings": lambda s, t, said, _: s.branches.siblings(t, said[4]),
    "branches.tree": lambda s, t, *_: s.branches.tree(t),
    "threads.get": lambda s, t, *_: s.threads.get(t),
    "threads.fork": lambda s, t, *_: s.threads.fork(t),
    "runs.context": lambda s, t, _, run: s.runs.context(t, run),
    "replay.state": lambda s, t, *_: s.replay.state(t),
    "replay.steps": lambda s, t, *_: list(s.replay.steps(t)),
    "projections.compare": lambda s, t, *_: s.projections.compare(t),
    "projections.rebuild": lambda s, t, *_: s.projections.rebuild(t),
}


@pytest.mark.parametrize("changing", [False, True])
def test_what_it_takes_at_depth_100_is_at_most_three_times_what_it_takes_at_depth_1(
    store, effort, changing
):
    shallow, deep = (forked(store, depth, changing=changing) for depth in (1, DEEP))
    dear = {}
    for name, act in ACTS.items():
        few, many = (effort(act, store, *given) for given in (shallow, deep))
        steps = 3 * few.steps + (AMENDED if changing else 0) + (FOLDED if name in FOLDING else 0)
        if many.statements > 3 * few.statements or many.steps > steps:
            dear[name] = few, many
    assert not dear


def test_a_store_that_has_not_seen_the_fork_yet_finds_where_it_comes_from_in_one_statement(
    effort, tmp_path
):
    with ExitStack() as stores:

        def opened():
            return stores.enter_context(ConversationStore.open(f"sqlite:///{tmp_path}/forks.db"))

        writer = opened()
        shallow, deep = (forked(writer, depth, changing=False) for depth in (1, DEEP))
        get = ACTS["messages.get"]
        for given in (shallow, deep):
            reader = opened()
            reader.threads.list(limit=1)  # names are interned
            first, again = (effort(get, reader, *given) for _ in range(2))
            assert first.statements == again.statements + 1
            assert first.steps <= again.steps + 150 * DEEP
