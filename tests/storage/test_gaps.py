"""An event is missing: whoever reads is given what was there before, or told where the gap is.

Triggers forbid deleting events, so here they are dropped first. Every public method that reads is
tried, and one that is added later has to be listed here.
"""

import inspect
import json
import os
import random
import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing, suppress
from itertools import islice
from typing import Any

import pytest
from pydantic import BaseModel

from eventstore import BrokenChain, ConversationStore, ConversationStoreError
from eventstore.api.faces import sync
from eventstore.api.faces.sync_base import Resource
from eventstore.core import ids
from eventstore.read_models import projection
from tests.storage.lives import environment, full_life

TRIED = 3 if os.environ.get("LAWS") != "long" else None
"""Events that are deleted, one at a time, beside the first and the last of each kind of stream."""


def plain(value):
    if isinstance(value, BaseModel):
        return json.loads(value.model_dump_json())
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if hasattr(value, "state") and hasattr(value, "event"):
        return [plain(value.event), plain(value.state.value())]
    return plain(value.value()) if hasattr(value, "value") else value


def of_threads(act):
    return lambda s, what: {one: (lambda one=one: act(s, one)) for one in what["threads"]}


def of_messages(act):
    return lambda s, what: {
        f"{thread} {message}": (lambda thread=thread, message=message: act(s, thread, message))
        for thread, messages in what["messages"].items()
        for message in messages
    }


def of_runs(act):
    return lambda s, what: {
        f"{thread} {run}": (lambda thread=thread, run=run: act(s, thread, run))
        for thread, runs in what["runs"].items()
        for run in runs
    }


def of_streams(act):
    return lambda s, what: {one: (lambda one=one: act(s, one)) for one in what["streams"]}


def once(act):
    return lambda s, _: {"": lambda: act(s)}


def several(**doors):
    return lambda s, what: {
        f"{name} {label}": act
        for name, door in doors.items()
        for label, act in door(s, what).items()
    }


def followed(store):
    """What a subscription gives up to where the log ended."""
    count = sum(1 for _ in store.events.read_all())
    return list(islice(store.events.subscribe(), count))


def unsalted(context):
    return context.model_copy(update={"salt": None, "digest": None})


READS = {
    "Threads.get": of_threads(lambda s, t: s.threads.get(t, include_deleted=True)),
    "Threads.list": several(
        all=once(lambda s: list(s.threads.list(include_deleted=True))),
        backwards=once(lambda s: list(s.threads.list(order="desc").iter())),
        some=once(lambda s: list(s.threads.list(metadata={"user": "u_42"}))),
    ),
    "Messages.get": of_messages(lambda s, t, m: s.messages.get(t, m, include_deleted=True)),
    "Messages.list": several(
        now=of_threads(lambda s, t: list(s.messages.list(t))),
        newest=of_threads(lambda s, t: list(s.messages.list(t, limit=2, order="desc"))),
        until=of_messages(lambda s, t, m: list(s.messages.list(t, until=m))),
        once=of_threads(lambda s, t: list(s.messages.list(t, at_version=2))),
        then=of_threads(lambda s, t: list(s.messages.list(t, at_time=s.threads.get(t).updated_at))),
    ),
    "Messages.revisions": of_messages(lambda s, t, m: list(s.messages.revisions(t, m))),
    "Messages.queued": of_threads(lambda s, t: s.messages.queued(t)),
    "Branches.list": of_threads(lambda s, t: s.branches.list(t)),
    "Branches.tree": of_threads(lambda s, t: s.branches.tree(t)),
    "Branches.siblings": of_messages(lambda s, t, m: s.branches.siblings(t, m)),
    "Branches.diff": of_messages(
        lambda s, t, m: s.branches.diff(t, m, s.replay.state(t).head_id or m)
    ),
    "Runs.get": of_runs(lambda s, t, r: s.runs.get(t, r)),
    "Runs.list": several(
        here=of_threads(lambda s, t: list(s.runs.list(t))),
        everywhere=once(lambda s: list(s.runs.list(status=["completed", "failed", "in_progress"]))),
    ),
    "Runs.context": several(
        now=of_runs(lambda s, t, r: unsalted(s.runs.context(t, r))),
        once=of_runs(
            lambda s, t, r: [
                unsalted(s.runs.context(t, r, step_id=one.id)) for one in s.runs.steps.list(t, r)
            ]
        ),
    ),
    "Runs.stream": of_runs(lambda s, t, r: list(s.runs.stream(t, r))),
    "Runs.wait": of_runs(lambda s, t, r: s.runs.wait(t, r, timeout_seconds=0)),
    "RunSteps.list": of_runs(lambda s, t, r: list(s.runs.steps.list(t, r))),
    "Assistants.get": several(
        now=once(lambda s: s.assistants.get(s.assistants.list().data[0].id)),
        once=once(lambda s: s.assistants.get(s.assistants.list().data[0].id, version=1)),
    ),
    "Assistants.list": once(lambda s: list(s.assistants.list())),
    "Assistants.versions": once(lambda s: s.assistants.versions(s.assistants.list().data[0].id)),
    "Events.read": several(
        all=of_streams(lambda s, one: list(s.events.read(one))),
        later=of_streams(lambda s, one: list(s.events.read(one, after=1, limit=2))),
        backwards=of_streams(lambda s, one: list(s.events.read(one, backwards=True))),
        few=of_streams(lambda s, one: list(s.events.read(one, backwards=True, limit=2))),
    ),
    "Replay.state": several(
        now=of_threads(lambda s, t: s.replay.state(t)),
        once=of_threads(lambda s, t: s.replay.state(t, at_version=1)),
        then=of_threads(lambda s, t: s.replay.state(t, at_time=s.threads.get(t).created_at)),
    ),
    "Replay.steps": several(
        all=of_threads(lambda s, t: list(s.replay.steps(t))),
        later=of_threads(lambda s, t: list(s.replay.steps(t, after=2))),
    ),
    "Replay.diff": of_threads(lambda s, t: s.replay.diff(t, from_version=1)),
    "Threads.export": of_threads(lambda s, t: s.threads.export(t)),
    "Audit.trail": several(
        all=of_threads(lambda s, t: list(s.audit.trail(t))),
        later=of_threads(lambda s, t: list(s.audit.trail(t, since=s.threads.get(t).updated_at))),
    ),
    "Projections.compare": of_threads(lambda s, t: s.projections.compare(t)),
}
"""Doors to a stream of its own: each gives exactly what it gave, or raises at the gap."""

OF_THE_STORE = {
    "Events.read_all": lambda s: list(s.events.read_all()),
    "Events.subscribe": followed,
}
"""Doors to the whole store: of each stream they give what was there, up to the gap at most."""

WRITES = {
    *("Threads.create", "Threads.update", "Threads.fork", "Threads.archive", "Threads.unarchive"),
    *("Threads.delete", "Threads.restore", "Threads.batch"),
    *("Messages.create", "Messages.create_many", "Messages.edit", "Messages.regenerate"),
    *("Messages.amend", "Messages.update", "Messages.remove", "Messages.restore"),
    *("Branches.select", "Branches.label"),
    *("Runs.create", "Runs.start", "Runs.heartbeat", "Runs.update", "Runs.require_action"),
    *("Runs.cancel", "Runs.submit_tool_outputs", "Runs.complete", "Runs.fail", "Runs.expire"),
    *("Runs.write_text", "Runs.record", "Runs.approve", "Runs.deny"),
    *("RunSteps.start", "RunSteps.complete", "RunSteps.fail"),
    *("Assistants.create", "Assistants.update", "Assistants.delete"),
    *("Events.append", "Privacy.erase", "Privacy.purge", "Projections.rebuild"),
    *("Privacy.retain", "Tenants.erase", "Tenants.purge", "Keys.rotate"),
}
OF_READ_MODELS = {
    *("read", "query", "status", "retry", "register", "run", "catch_up"),
}
"""Methods of ``projections`` that read tables of the application's, or follow the log to fill them:
what following notices has a test of its own."""

OF_AUDIT = {
    *("Audit.verify", "Audit.sign_tree_head", "Audit.tree_heads", "Audit.inclusion_proof"),
    *("Audit.consistency_proof", "Audit.export", "Tenants.list", "Events.last_position"),
    "Keys.status",
}
"""Methods that look for gaps, sign, count streams or tell a position: tested elsewhere."""


def test_every_public_method_is_tried_or_known_to_write():
    known = {*READS, *OF_THE_STORE, *WRITES, *OF_AUDIT}
    known |= {*(f"Projections.{one}" for one in OF_READ_MODELS)}
    resources = [
        kind
        for _, kind in inspect.getmembers(sync, inspect.isclass)
        if issubclass(kind, Resource) and kind.__module__ == sync.__name__
    ]
    public = {
        f"{kind.__name__}.{name}"
        for kind in resources
        for name, value in inspect.getmembers(kind)
        if not name.startswith("_") and inspect.isfunction(value)
    }
    assert public == known


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """A database in which everything happened, and what it tells."""
    path = tmp_path_factory.mktemp("lived") / "chat.db"
    with ConversationStore.open(f"sqlite:///{path}", environment=environment()) as store:
        full_life(store)
        store.assistants.create(model="m3", instructions="Be kind.")
        store.assistants.update(store.assistants.list().data[0].id, model="m4")
        threads = [one.id for one in store.threads.list(include_deleted=True)]
        what = {
            "threads": threads,
            "messages": {one: [m.id for m in nodes(store, one)] for one in threads},
            "runs": {one: [run.id for run in store.runs.list(one)] for one in threads},
            "streams": list(dict.fromkeys(one.stream_id for one in store.events.read_all())),
        }
        told = {name: found(door, store, what) for name, door in READS.items()}
        told |= {name: plain(door(store)) for name, door in OF_THE_STORE.items()}
    return path, what, told


def nodes(store, thread):
    return [node.message for node in store.branches.tree(thread).nodes]


def found(door, store, what):
    """What each call of a door gives; the error, if it is one of ours."""
    told = {}
    for label, act in door(store, what).items():
        try:
            told[label] = plain(act())
        except ConversationStoreError as error:
            told[label] = error
    return told


def columns(path):
    with closing(sqlite3.connect(path)) as database:
        return database.execute(
            "SELECT e.tenant, c.name, e.stream, e.version, e.category, s.version FROM events e"
            " JOIN categories c ON c.id = e.category"
            " JOIN streams s ON (s.tenant, s.category, s.stream) = (e.tenant, e.category, e.stream)"
            " WHERE e.tenant = (SELECT id FROM tenants WHERE name = '') ORDER BY e.position"
        ).fetchall()


def without(path, place, *gone):
    """A copy of the database without some events."""
    shutil.copy(path, place)
    with closing(sqlite3.connect(place)) as database:
        for (name,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f'DROP TRIGGER "{name}"')
        database.executemany(
            "DELETE FROM events WHERE tenant = ? AND category = ? AND stream = ? AND version = ?",
            [(tenant, category, key, version) for tenant, _, key, version, category, _ in gone],
        )
        database.commit()
    return place


def name_of(row):
    return ids.show(row[1], row[2])


def is_of(error, row):
    return (
        isinstance(error, BrokenChain)
        and error.stream_id == name_of(row)
        and error.version == row[3]
    )


def chosen(rows):
    """The first and the last event of one stream a category, and others at random."""
    ends = defaultdict(list)
    for row in rows:
        if row[3] in {1, row[5]}:
            ends[row[1]].append(row)
    certain = [row for found in ends.values() for row in (found[0], found[-1])]
    if TRIED is None:
        return rows
    return [*certain, *random.Random(0).sample(rows, TRIED)]


def test_whoever_reads_is_given_what_was_there_or_told_where_the_gap_is(lived, tmp_path):
    path, what, before = lived
    silent = []
    for row in dict.fromkeys(chosen(columns(path))):
        place = without(path, tmp_path / "chat.db", row)
        noticed = False
        with ConversationStore.open(f"sqlite:///{place}") as store:
            for name, door in READS.items():
                for label, told in found(door, store, what).items():
                    was = before[name][label]
                    same = told == was or (
                        isinstance(was, ConversationStoreError) and type(told) is type(was)
                    )
                    if name == "Projections.compare" and not same:
                        lost = {
                            (one["kind"], one["stream_id"], one["version"])
                            for one in told["findings"]
                        }
                        gap = "missing_event", name_of(row), row[3]
                        assert {gap} <= lost <= {gap, ("extra_blob", *gap[1:])}
                    else:
                        assert same or is_of(told, row), (name, label, row, told)
                    noticed |= not same
            told, broken = up_to_a_gap(store.events.read_all())
            check_whole(told, broken, before["Events.read_all"], row)
            findings = store.projections.compare().findings
            assert [
                (one.kind, one.stream_id, one.version)
                for one in findings
                if one.kind == "missing_event"
            ] == [("missing_event", name_of(row), row[3])]
        if not noticed:
            silent.append(row)
    assert not silent


def up_to_a_gap(events):
    told: list[Any] = []
    try:
        told.extend(map(plain, events))
    except BrokenChain as error:
        return told, error
    return told, None


def check_whole(told, broken, before, row):
    """Of each stream what was there; of the broken one nothing beyond the gap."""
    was: dict[str, list[Any]] = defaultdict(list)
    now: dict[str, list[Any]] = defaultdict(list)
    for events, by_stream in ((before, was), (told, now)):
        for one in events:
            by_stream[one["stream_id"]].append(one)
    for stream, events in now.items():
        assert events == was[stream][: len(events)]
    assert len(now[name_of(row)]) < row[3]
    if row[3] < row[5]:
        assert is_of(broken, row)
    else:
        assert broken is None


def test_a_subscription_and_a_projection_stop_at_the_gap(lived, tmp_path):
    path, _, before = lived
    inner = [row for row in columns(path) if row[3] < row[5]]

    @projection(
        "counting", tables=["seen"], create="CREATE TABLE {seen} (stream TEXT, version INTEGER)"
    )
    def counting(tables, event):
        tables.run("INSERT INTO {seen} VALUES (?, ?)", (event.stream_id, event.version))

    for row in random.Random(1).sample(inner, 3 if TRIED else len(inner)):
        place = without(path, tmp_path / "chat.db", row)
        with ConversationStore.open(f"sqlite:///{place}") as store:
            told, broken = up_to_a_gap(store.events.subscribe())
            check_whole(told, broken, before["Events.subscribe"], row)
            types = sorted({one["type"] for one in before["Events.read_all"]})
            _, broken = up_to_a_gap(store.events.subscribe(types=types))  # whatever is left out
            assert is_of(broken, row)
            store.projections.register(counting)
            [status] = store.projections.catch_up(batch_events_max=1)
            assert status.state == "failed"
            assert status.failed is not None
            assert (status.failed.stream_id, status.failed.version) == (name_of(row), row[3])
            assert "BrokenChain" in str(status.error)
            seen = store.projections.query("counting", "SELECT stream, version FROM {seen}")
            assert (name_of(row), row[3] + 1) not in seen


def test_a_thread_of_which_everything_is_missing_is_named_by_all(lived, tmp_path):
    path, what, _ = lived
    rows = columns(path)
    for thread in what["threads"]:
        gone = [row for row in rows if name_of(row) == thread]
        place = without(path, tmp_path / "chat.db", *gone)
        with ConversationStore.open(f"sqlite:///{place}") as store:
            for act in (
                lambda: list(store.events.read(thread)),  # noqa: B023
                lambda: list(store.events.read(thread, backwards=True)),  # noqa: B023
                lambda: list(store.replay.steps(thread)),  # noqa: B023
                lambda: store.replay.state(thread),  # noqa: B023
                lambda: store.projections.rebuild(thread),  # noqa: B023
                store.projections.rebuild,
            ):
                with pytest.raises(BrokenChain):
                    act()
            found = store.projections.compare().findings
            gaps = {one for one in found if one.kind == "missing_event"}
            assert {(one.stream_id, one.version) for one in gaps} == {(thread, 1)}
            assert all(f"1 to {len(gone)} are missing" in one.message for one in gaps)


@pytest.mark.parametrize("seed", range(3))
def test_who_writes_beside_a_gap_is_told_in_our_words(lived, tmp_path, seed):
    path, what, _ = lived
    chance = random.Random(seed)
    row = chance.choice([row for row in columns(path) if name_of(row) in what["threads"]])
    thread = name_of(row)
    place = without(path, tmp_path / "chat.db", row)
    with ConversationStore.open(f"sqlite:///{place}") as store:
        message = chance.choice(what["messages"][thread])
        for act in (
            lambda: store.messages.create(thread, role="user", content="more"),
            lambda: store.messages.edit(thread, message, content="otherwise"),
            lambda: store.messages.amend(thread, message, content="reworded"),
            lambda: store.branches.select(thread, message),
            lambda: store.threads.fork(thread, at_message=message),
            lambda: store.threads.create(idempotency_key="sky"),
            lambda: store.runs.create(thread),
            lambda: store.projections.rebuild(thread),
            lambda: store.privacy.erase(thread, message),
            lambda: store.privacy.purge(thread, forks="purge"),
        ):
            with suppress(ConversationStoreError):
                act()
