"""How often the server is asked: a trip costs more than what it brings.

Statements are counted where the driver is given them, without BEGIN and COMMIT, which each
transaction has, and without the two by which each new connection recognises its database. So what
is added here later is a trip that somebody meant to add.
"""

from typing import Any

import pytest
from msgspec import UNSET

from eventstore import ConversationStore
from eventstore.api.operations.inputs import message_key
from eventstore.api.operations.loaders import thread_key
from eventstore.api.operations.operation import Maintenance, Write
from eventstore.conversation import commands as c
from eventstore.core import ids
from eventstore.storage.postgres import PostgresDatabase
from eventstore.storage.postgres_transaction import PsycopgTransaction
from eventstore.threads.shape import SEGMENTS_MAX
from eventstore.write_path.append import append_many
from eventstore.write_path.requests import AppendRequest

APPEND = 2
"""Taking the head, and writing."""

pytestmark = pytest.mark.newest_postgres


def _heard(act, heard):
    def say(tx, sql, parameters):
        if not (sql.startswith("SELECT s.id, known.hash") or "AS known (id, name)" in sql):
            heard.append(sql)
        return act(tx, sql, parameters)

    return say


@pytest.fixture
def said(monkeypatch):
    """Every statement that a store says in a transaction."""
    heard: list[str] = []
    for name in ("_fetch", "_execute"):
        act = getattr(PsycopgTransaction, name)
        monkeypatch.setattr(PsycopgTransaction, name, _heard(act, heard))
    return heard


@pytest.fixture
def trips(said):
    """Counts the statements of an act."""

    def count(act, *args, **kwargs):
        said.clear()
        act(*args, **kwargs)
        return len(said)

    return count


def said_in(store, count=12):
    """A thread with messages; and their ids."""
    thread = store.threads.create(title="Plans", metadata={"user": "u_1"}).id
    roles = ("user", "assistant")
    drafts = [{"role": roles[n % 2], "content": f"words {n}"} for n in range(count)]
    return thread, [message.id for message in store.messages.create_many(thread, drafts)]


def branched(store, branches):
    """A thread that branches at several places; its ids on the trunk, and the tips."""
    thread, trunk = said_in(store)
    tips = [
        store.messages.edit(thread, trunk[2 + n % 8], content=f"otherwise {n}").id
        for n in range(branches)
    ]
    return thread, trunk, tips


def test_selecting_a_branch_where_nobody_else_wrote_takes_what_an_append_takes(store, trips):
    thread, trunk, tips = branched(store, 5)
    for tip in (trunk[-1], tips[1], tips[3]):
        store.branches.select(thread, tip)  # which messages they are is asked once
    counts = [trips(store.branches.select, thread, tip) for tip in (trunk[-1], tips[1], tips[3])]
    assert counts == [APPEND] * 3


def test_so_it_does_after_more_messages_than_are_kept_but_for_the_messages_it_names(store, trips):
    thread, trunk, _ = branched(store, 5)
    for n in range(70):
        store.messages.create(thread, role="user", content=f"more {n}")
    found = trips(store.branches.select, thread, trunk[-1])
    assert found <= APPEND + 3  # the thread, the message, its label


def test_selecting_a_branch_unprepared_takes_a_handful_whatever_hangs_where(url, trips):
    with ConversationStore.open(url, durability="as_is") as other:
        thread, trunk, tips = branched(other, 40)
    for tip in (trunk[-1], trunk[3], tips[0]):
        with ConversationStore.open(url, durability="as_is") as store:
            store.threads.get(thread)  # names are interned
            assert trips(store.branches.select, thread, tip) <= APPEND + 6


def test_selecting_a_branch_of_a_large_tree_does_not_read_it_all(url, trips):
    with ConversationStore.open(url, durability="as_is") as other:
        thread, trunk, tips = branched(other, SEGMENTS_MAX + 10)
    with ConversationStore.open(url, durability="as_is") as store:
        store.threads.get(thread)
        assert trips(store.branches.select, thread, tips[0]) <= APPEND + 9
        assert trips(store.branches.select, thread, trunk[-1]) <= APPEND + 7


def test_a_fork_asks_nothing_of_a_source_that_is_known(store, trips):
    thread, trunk = said_in(store)
    first = trips(store.threads.fork, thread, at_message=trunk[3])
    again = [trips(store.threads.fork, thread, at_message=trunk[3]) for _ in range(2)]
    assert first <= APPEND + 3  # that the fork is not there yet, the message, title and metadata
    assert again == [APPEND + 1] * 2


def test_a_fork_of_a_twentieth_fork_takes_as_many_trips_as_a_fork(store, trips):
    def counted(depth):
        thread, said = said_in(store)
        for number in range(depth):
            thread = store.threads.fork(thread).id
            store.messages.create(thread, role="user", content=f"more {number}")
            store.messages.amend(thread, said[number % 6], content=f"amended {number}")
        first, second, third, *_ = said
        acts: list[Any] = [
            (store.messages.list, {"limit": 10, "order": "desc"}),
            (store.messages.list, {"limit": 10}),
            (store.messages.get, {"message_id": first}),
            (store.threads.get, {}),
            (store.branches.list, {}),
            (store.branches.tree, {}),
            (store.branches.siblings, {"message_id": second}),
            (store.messages.amend, {"message_id": first, "content": "reworded"}),
            (store.messages.edit, {"message_id": second, "content": "otherwise"}),
            (store.branches.select, {"branch": third}),
            (store.messages.remove, {"message_id": third}),
            (store.messages.restore, {"message_id": third}),
            (store.threads.fork, {}),
            (store.replay.state, {}),
            (store.projections.compare, {}),
        ]
        return [(act.__name__, trips(act, thread, **given)) for act, given in acts]

    shallow, deep = counted(1), counted(20)
    more = [(a, b) for a, b in zip(shallow, deep, strict=True) if b[1] > a[1] + 2]
    assert not more


def test_a_fork_sees_what_others_did_to_its_source_meanwhile(store, url):
    thread, _ = said_in(store)
    store.threads.fork(thread)
    with ConversationStore.open(url, durability="as_is") as other:
        other.threads.update(thread, title="Other plans")
        last = other.messages.create(thread, role="user", content="one more")
    fork = store.threads.fork(thread)
    assert (fork.title, fork.head_id) == ("Other plans", last.id)


def test_a_fork_and_its_source_go_their_ways_in_one_transaction(store):
    thread, trunk = said_in(store)
    source = thread_key(store.scope, thread)
    fork = source._replace(id=bytes(15) + b"f")
    last = message_key(trunk[-1])
    requests = [
        AppendRequest(fork, (c.ForkThread(source_id=source.id),)),
        AppendRequest(source, (c.UpdateThread(title="Later plans", metadata=UNSET),)),
        AppendRequest(source, (c.RemoveMessage(target=last),)),
        AppendRequest(fork, (c.UpdateThread(title=UNSET, metadata={"is": "a fork"}),)),
    ]
    log = store.scope.log
    outcomes = store.perform(Write(Maintenance(lambda tx: append_many(tx, requests, log))))
    assert [outcome.result.title for outcome in (outcomes[0], outcomes[3])] == ["Plans"] * 2
    assert store.threads.get(ids.show(ids.THREAD, fork.id)).head_id == trunk[-1]
    assert store.messages.list(ids.show(ids.THREAD, fork.id)).data[-1].text == "words 11"


def test_a_page_of_a_thread_that_never_branched_takes_two(store, trips):
    thread, _ = said_in(store, count=80)
    store.messages.list(thread, limit=50, order="desc")  # names are interned
    # the thread with its end, and the stretch
    assert trips(store.messages.list, thread, limit=50, order="desc") == 2


def test_a_tree_takes_as_many_for_twenty_branches_as_for_two(store, trips):
    counts = []
    for branches in (2, 20):
        thread, _, _ = branched(store, branches)
        store.branches.tree(thread)
        counts.append((trips(store.branches.tree, thread), trips(store.branches.list, thread)))
    assert counts == [(4, 4)] * 2  # the thread, messages, the shape of the tree, labels


def test_so_it_does_for_a_path_that_turns_often_and_messages_that_changed(store, trips):
    thread, trunk = said_in(store)
    tip = trunk[2]
    for n in range(6):
        store.messages.edit(thread, tip, content=f"otherwise {n}")
        tip = store.messages.create(thread, role="user", content=f"further {n}").id
        store.messages.amend(thread, trunk[n], content="reworded")
    assert trips(store.branches.tree, thread) == 5  # and what changed them
    assert trips(store.branches.list, thread) == 4


def test_of_what_a_fork_inherits_it_takes_as_many_for_any_number_of_messages(store, trips):
    counts = []
    for count in (12, 48):
        thread, trunk = said_in(store, count)
        for message in trunk[:5]:
            store.messages.amend(thread, message, content="reworded")
        fork = store.threads.fork(thread).id
        store.messages.edit(fork, trunk[4], content="otherwise")
        store.messages.amend(thread, trunk[6], content="too late")
        further = store.threads.fork(fork).id
        store.messages.remove(further, trunk[1])
        both = store.branches.tree, store.branches.list
        counts.append([trips(act, one) for one in (fork, further) for act in both])
    assert counts[0] == counts[1]
    assert max(counts[0][:2]) <= 12
    assert max(counts[0][2:4]) <= 24


def test_the_tree_of_a_large_thread_is_read_a_page_at_a_time_and_whole(store, trips):
    thread, trunk = said_in(store, count=999)
    more = store.messages.create_many(
        thread, [{"role": "user", "content": f"more {n}"} for n in range(501)]
    )
    edited = store.messages.edit(thread, trunk[500], content="otherwise")
    found = [node.message for node in store.branches.tree(thread).nodes]
    assert {message.id for message in found} == {*trunk, *(one.id for one in more), edited.id}
    assert trips(store.branches.tree, thread) == 5  # its messages as two statements


def test_a_page_of_everything_is_one_trip_without_a_transaction_around_it(store, said, monkeypatch):
    thread, _ = said_in(store)
    list(store.events.read_all())  # names are interned, and the order is known to be one
    begun = []
    say = PostgresDatabase.say

    def heard(_, driver, text):
        begun.append(text)
        say(driver, text)

    monkeypatch.setattr(PostgresDatabase, "say", heard)
    said.clear()
    assert [event.stream_id for event in store.events.read_all(limit=3)] == [thread] * 3
    assert (len(said), begun) == (1, [])
    store.messages.list(thread)
    assert begun[0].startswith("BEGIN ISOLATION LEVEL REPEATABLE READ")


def test_a_rebuild_asks_as_often_for_twenty_threads_as_for_two(store, trips):
    """The heads, the events, and each table that has rows; all others in one."""
    counts = []
    for threads in (2, 18):
        for _ in range(threads):
            said_in(store)
        counts.append(trips(store.projections.rebuild))
    assert counts[0] == counts[1] <= 11


def test_a_heartbeat_takes_an_append_and_a_look_at_the_clock(store, trips):
    """The answer needs the run's events, which the writer keeps while the run goes on."""
    thread = store.threads.create().id
    run = store.runs.create(thread).id
    fence = store.runs.start(thread, run).fence
    assert trips(store.runs.heartbeat, thread, run, fence=fence) == APPEND + 1


def test_a_run_asks_for_little_beside_its_appends(store, trips):
    """The assistant's version, the time for the lease, and the runs that are open."""
    thread, assistant = store.threads.create().id, store.assistants.create(model="m").id

    def answered():
        with store.threads.batch(thread) as batch:
            batch.messages.create(role="user", content="Why?")
            made = batch.runs.create(assistant_id=assistant)
            batch.runs.start(str(made.id), holder="me")
        run = str(made.id)
        with store.threads.batch(thread) as batch:
            step = batch.runs.steps.start(run)
        with store.threads.batch(thread) as batch:
            batch.messages.create(role="assistant", content="So.", run_id=run)
            batch.runs.steps.complete(str(step.id))
            batch.runs.complete(run)

    answered()
    assert trips(answered) == 3 * APPEND + 2


def test_a_page_of_runs_asks_as_often_however_many_have_ended(store, trips):
    def crowded(tenant, ended):
        thread = tenant.threads.create().id
        for _ in range(ended):
            run = tenant.runs.create(thread, queue="mail").id
            tenant.runs.start(thread, run, holder="worker-1")
            tenant.runs.complete(thread, run)
        for holder in ("worker-1", "worker-2"):
            other = tenant.threads.create().id
            run = tenant.runs.create(other, queue="mail").id
            tenant.runs.start(other, run, holder=holder, lease_seconds=0)
        return tenant

    tenants = [crowded(store.tenant(name), ended) for name, ended in (("few", 2), ("many", 30))]
    for asked in ({}, {"lease_ended": True}, {"holder": "worker-1"}, {"queue": "mail"}):
        few, many = (trips(tenant.runs.list, limit=2, **asked) for tenant in tenants)
        assert few == many <= 8
