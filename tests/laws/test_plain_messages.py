"""The short way of plain messages changes nothing: no byte of the database, no value."""

import random
import sqlite3
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventstore import ConversationStore, ConversationStoreError, Limits
from eventstore.api.operations import messages
from eventstore.api.operations.operation import Write
from eventstore.testing.environments import jumping_environment
from eventstore.write_path import thread_session
from eventstore.write_path.append import append_many
from eventstore.write_path.plain_messages import decide_plain
from eventstore.write_path.requests import Failed, Maintenance
from tests.laws.examples import LONG, of_a_law_of_lives
from tests.laws.lives import live

SEEDS = st.integers(min_value=0, max_value=10_000)
WORDS_MAX = 300
APART = ('INSERT INTO "store"', 'INSERT INTO "leases"')
"""The random id of the database, and times of its own clock."""
CALL = {"type": "tool_call", "id": "a", "name": "f"}


@of_a_law_of_lives
@given(seed=SEEDS)
def test_both_ways_write_the_same_bytes_and_return_the_same_values(seed, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ways")
    short, ways = told(folder / "short.db", seed, decide_plain)
    by_rules, _ = told(folder / "rules.db", seed, lambda *_: None)
    for ours, theirs in zip(short, by_rules, strict=True):
        assert ours == theirs
    assert {True, False} <= set(ways)


def told(path, seed, decide):
    """Let a store live; return all that callers got and that is in its file, and the ways taken."""
    ways, got = [], []

    def noted(*args):
        decided = decide(*args)
        ways.append(decided is not None)
        return decided

    dice, environment = random.Random(seed), jumping_environment(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thread_session, "decide_plain", noted)
        limits = Limits(content_bytes_max=WORDS_MAX)
        for _ in range(3 if LONG else 2):  # opened again, nothing is remembered
            with ConversationStore.open(
                f"sqlite:///{path}", environment=environment, limits=limits
            ) as store:
                got += whole_life(store, dice)
    with sqlite3.connect(path) as connection:
        got += [line for line in connection.iterdump() if not line.startswith(APART)]
    connection.close()
    return got, ways


def whole_life(store, dice):
    """Write plain messages among everything that keeps a message from being plain."""
    got: list[Any] = []
    writes = 60 if LONG else 15
    threads = live(store, dice.random(), writes=writes, after_each=got.append)
    threads += [store.threads.create().id for _ in range(4)]
    for number in range(writes):
        thread = dice.choice(threads)
        got += [tried(act, store, dice, thread, f"{number}") for act in dice.sample(ACTS, 4)]
    every = store.threads.list(include_deleted=True).iter()
    got += [tried(store.messages.list, thread.id) for thread in every]
    assert store.projections.compare().findings == ()
    assert store.audit.verify().findings == ()
    return got


def batch(store, dice, thread, words):
    """Append messages of several requests in one transaction; some are refused."""
    scope = store.scope
    requests: list[Any] = []
    threads = [thread, thread, *(one.id for one in store.threads.list(limit=3))]
    for count in range(dice.randint(1, 6)):
        given = said(dice, f"{words}/{count}")
        requests.append(messages.create(scope, dice.choice(threads), **given).request)
    act = Maintenance(lambda tx: append_many(tx, requests, scope.log), keeps_rows=True)
    outcomes = store.perform(Write(act))
    return [str(one.error) if isinstance(one, Failed) else one for one in outcomes]


def many(store, dice, thread, words):
    drafts = [said(dice, f"{words}-{count}") for count in range(dice.randint(2, 4))]
    return store.messages.create_many(thread, drafts)


def one_of_a_kind(store, dice, thread, words):
    """Append a message with an argument that few have."""
    known = [message.id for message in store.messages.list(thread, limit=5)]
    runs = [run.id for run in store.runs.list(thread)]
    given = dice.choice(
        [
            {"reason": "because"},
            {"actor": "somebody"},
            {"subject": "somebody"},
            {"idempotency_key": dice.choice("ab")},
            {"expected_head": dice.choice([*known, "empty"])},
            {"parent_id": dice.choice([*known, None])},
            {"message_id": f"msg_{dice.getrandbits(128):032x}"},
            {"run_id": dice.choice([*runs, None])},
            {"on_busy": dice.choice(["reject", "interrupt", "rollback"])},
        ]
    )
    return store.messages.create(thread, **said(dice, words), **given)


def calls(store, dice, thread, words):
    """Call a tool; somebody may speak before it answers."""
    got = [store.messages.create(thread, role="assistant", content=[words, CALL])]
    if dice.random() < 0.5:
        got.append(tried(lambda: store.messages.create(thread, role="user", content="well?")))
    result = {"type": "tool_result", "call_id": "a", "output": words}
    answer = partial(store.messages.create, thread, role="tool", content=result)
    got += [tried(answer), tried(answer)]  # the second answers nothing
    got.append(store.messages.create(thread, role="assistant", content=words))
    return got


def says(store, dice, thread, words):
    return [store.messages.create(thread, **said(dice, words)) for _ in range(3)]


def removes(store, dice, thread, _):
    last = store.messages.list(thread, limit=3, order="desc").data
    return store.messages.remove(thread, dice.choice(last).id)


def selects(store, dice, thread, _):
    return store.branches.select(thread, dice.choice(store.messages.list(thread).data).id)


def forks(store, dice, thread, words):
    """Write in a fork, below its own messages and below those that it inherits."""
    fork, head = store.threads.fork(thread).id, store.threads.get(thread).head_id
    got = [says(store, dice, fork, words)] if dice.random() < 0.5 else []
    if dice.random() < 0.7:  # the first segment of its own may bear the number of an inherited one
        got.append(tried(lambda: store.messages.edit(fork, head, content=words)))
        got.append(tried(lambda: store.messages.amend(fork, head, content=words)))
    store.branches.select(fork, head)
    return [*got, says(store, dice, fork, words)]


def runs_and_writes(store, dice, thread, words):
    """Write as a run, also as one that is over."""
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    got = []
    for _ in range(2):
        got.append(tried(lambda: store.messages.create(thread, **said(dice, words), run_id=run)))
        got.append(tried(store.runs.complete, thread, run))
    return got


def ends_and_begins(store, dice, thread, _):
    act = dice.choice(["archive", "unarchive", "unarchive", "delete", "restore", "restore"])
    return getattr(store.threads, act)(thread)


ACTS = [
    *[says, batch, many] * 2,
    *[one_of_a_kind, calls, removes, selects, ends_and_begins],
    *[forks, runs_and_writes],
]


def said(dice, words):
    """Return the arguments of a message: mostly a plain one."""
    options: dict[str, Any] = {}
    if dice.random() < 0.2:
        options |= {"metadata": {"is": words}, "name": "Ann"}
    if dice.random() < 0.1:
        options |= {"original_created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    if dice.random() < 0.1:
        options |= {"content": "x" * 2 * WORDS_MAX}
    if dice.random() < 0.1:
        options |= {"select": False}
    if dice.random() < 0.1:
        options |= {"external_id": words}
    if dice.random() < 0.2:
        options |= {"status": "incomplete"}
    return {"role": dice.choice(["user", "assistant", "system"]), "content": words, **options}


def tried(act, *args):
    try:
        return act(*args)
    except (ConversationStoreError, IndexError) as error:
        return str(error)
