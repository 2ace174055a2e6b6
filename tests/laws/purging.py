"""Everything that can be read of a thread, to be held against itself before and after a purge."""

import random
from typing import NamedTuple

from eventstore import MessageNotFound, Refused
from tests.laws import lives


def everything(store, thread, versions, known):
    """What the public methods give of a thread; not how many events it has by now, and when."""
    now = store.threads.get(thread)
    tree = store.branches.tree(thread)
    messages = {key: message(store, thread, message_id=key) for key in known.messages}
    return {
        "thread": now.model_copy(update={"version": 0, "updated_at": None}),
        "tree": tree,
        "branches": store.branches.list(thread),
        "paths": {node.message.id: path(store, thread, node.message.id) for node in tree.nodes},
        "siblings": {
            node.message.id: store.branches.siblings(thread, node.message.id) for node in tree.nodes
        },
        "messages": messages,
        "wordings": {
            key: store.messages.revisions(thread, key) for key, there in messages.items() if there
        },
        "named": {name: message(store, thread, external_id=name) for name in known.names},
        "queued": store.messages.queued(thread),
        "runs": store.runs.list(thread).data,
        "contexts": {
            run.id: store.runs.context(thread, run.id).messages
            for run in store.runs.list(thread).data
        },
        "found": thread
        in {one.id for one in store.threads.list(metadata=scalars(now.metadata), limit=None)},
        "past": {version: past(store, thread, version) for version in versions},
    }


class Known(NamedTuple):
    """Messages of the whole store, to be asked for in each thread."""

    messages: set[str]
    names: set[str]


def known_in(store):
    found = list(store.events.read_all())
    messages = {event.data["message_id"] for event in found if "message_id" in event.data}
    contents = [event.content for event in found if event.content is not None]
    return Known(messages, {one["external_id"] for one in contents if one.get("external_id")})


def path(store, thread, end):
    return store.messages.list(thread, until=end).data


def message(store, thread, **which):
    try:
        return store.messages.get(thread, include_deleted=True, **which)
    except MessageNotFound:
        return None


def scalars(metadata):
    return {key: value for key, value in metadata.items() if isinstance(value, (str, int))}


def past(store, thread, version):
    state = store.replay.state(thread, at_version=version).value()
    return state, store.messages.list(thread, at_version=version).data


def settle(store, thread):
    """End every run, so that the thread can be purged."""
    for run in store.runs.list(thread).data:
        for _ in range(2):  # one that is in progress is cancelled in two calls
            try:
                store.runs.cancel(thread, run.id)
            except Refused:
                break


def some_versions(store, thread, dice, count):
    last = store.threads.get(thread).version
    return sorted({dice.randint(1, last) for _ in range(count)} | {last})


def family(store, thread, threads):
    """Return a thread with those that were forked from it, and from those."""
    sources = {one: store.threads.get(one).forked_from for one in threads}
    found = [thread]
    for one in found:  # grows meanwhile
        found += [key for key, source in sources.items() if source and source.thread_id == one]
    return found


def compared(store):
    def compare(thread):
        report = store.projections.compare(thread)
        assert report.ok, report.findings

    return compare


def purge_them_all(store, seed, *, writes, versions=3):
    """Purge the threads of a random life, each with its forks, in any order; the others read on."""
    dice = random.Random(seed)
    threads = lives.live(store, seed, writes=writes)
    while threads:
        gone = dice.choice(threads)
        along = family(store, gone, threads)
        for one in along:
            settle(store, one)
            threads.remove(one)
        known = known_in(store)
        asked = {one: (some_versions(store, one, dice, versions), known) for one in threads}
        before = {one: everything(store, one, *asked[one]) for one in threads}
        assert {gone, *store.privacy.purge(gone, forks="purge").forks} == set(along)
        for one in threads:
            after = everything(store, one, *asked[one])
            for what, value in before[one].items():
                assert after[what] == value, (what, one)
            assert store.replay.state(one).messages == store.messages.list(one).data
        report = store.projections.compare()
        assert report.ok, report.findings
        assert report.threads == len(threads)
        if threads:
            lives.go_on(store, dice, threads, range(1_000, 1_004), compared(store))
