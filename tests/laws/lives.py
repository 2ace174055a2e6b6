"""Random lives of a few threads and their forks, told by a seed; refusals are part of life."""

import random

from eventstore import InvalidInput, MessageNotFound, Refused, RunNotFound
from eventstore.api.operations.loaders import thread_key, whole_thread
from eventstore.api.operations.operation import Read
from eventstore.core import ids
from eventstore.threads import paths

SNAPSHOTS = "messages"


def live(store, seed, *, writes, after_each=lambda _: None):
    """Let a store live through some writes; return the ids of its threads."""
    dice = random.Random(seed)
    threads = [store.threads.create(title=f"life {seed}", metadata={"seed": seed}).id]
    after_each(threads[0])
    go_on(store, dice, threads, range(writes), after_each)
    return threads


def go_on(store, dice, threads, numbers, after_each):
    """Let threads live through more writes; those that are forked join them."""
    for number in numbers:
        thread = dice.choice(threads)
        try:
            made = _write(store, dice, thread, number)
        except (Refused, InvalidInput, MessageNotFound, RunNotFound):
            continue
        if made is not None:
            threads.append(made)
        after_each(made or thread)


def _write(store, dice, thread, number):
    known = _visible(store, thread)
    act = dice.choice(_ACTS if known else [_say])
    return act(store, dice, thread, f"words {number}", known)


def _visible(store, thread):
    """Ids of the messages that the thread's tree has; what they say need not be read."""
    key = thread_key(store.scope, thread)

    def look(tx):
        rows = paths.visible_tree(whole_thread(tx, store.scope, key))
        return [ids.show(ids.MESSAGE, row.message_id) for row in rows]

    return store.perform(Read(look))


def _say(store, dice, thread, words, known):
    options = {"parent_id": dice.choice(known)} if known and dice.random() < 0.3 else {}
    if words.endswith(("1", "5")):
        options |= {"external_id": words[:7], "name": "Ann", "metadata": {"is": words}}
    role = dice.choice(["user", "assistant"])
    busy = dice.choice(["enqueue", "reject", "interrupt", "rollback"])
    select = dice.random() < 0.8
    store.messages.create(thread, role=role, content=words, select=select, on_busy=busy, **options)


def _edit(store, dice, thread, words, known):
    waiting = [message.id for message in store.messages.queued(thread)]
    target = dice.choice([*known, *waiting])
    store.messages.edit(thread, target, content=words, select=dice.random() < 0.8)


def _amend(store, dice, thread, words, known):
    store.messages.amend(thread, dice.choice(known), content=words)


def _update(store, dice, thread, words, known):
    store.messages.update(thread, dice.choice(known), metadata={"is": words})


def _remove(store, dice, thread, _, known):
    store.messages.remove(thread, dice.choice(known))


def _restore(store, dice, thread, _, __):
    removed = [
        event.data["message_id"]
        for event in store.events.read(thread)
        if event.type == "MessageRemoved"
    ]
    if removed:
        store.messages.restore(thread, dice.choice(removed))


def _select(store, dice, thread, _, known):
    store.branches.select(thread, dice.choice(known))


def _label(store, dice, thread, words, known):
    store.branches.label(thread, dice.choice(known), dice.choice([None, words]))


def _fork(store, dice, thread, _, known):
    last = store.threads.get(thread).version
    version = None if dice.random() < 0.6 else dice.randint(1, last)
    return store.threads.fork(thread, at_message=dice.choice(known), at_version=version).id


def _retitle(store, _, thread, words, __):
    store.threads.update(thread, title=words, metadata={"is": words})


def _run(store, dice, thread, words, _):
    runs = [run.id for run in store.runs.list(thread)]
    if not runs or dice.random() < 0.4:
        store.runs.create(thread, on_busy=dice.choice(["enqueue", "interrupt"]))
        return
    run = runs[-1]
    dice.choice(
        [
            lambda: store.runs.start(thread, run),
            lambda: store.messages.create(thread, role="assistant", content=words, run_id=run),
            lambda: store.runs.complete(thread, run),
            lambda: store.runs.fail(thread, run, message=words),
            lambda: store.runs.cancel(thread, run),
            lambda: store.runs.expire(thread, run),
        ]
    )()


_ACTS = [
    *[_say, _run] * 4,
    *[_edit, _select, _remove, _restore, _fork] * 2,
    *[_amend, _update, _label, _retitle],
]
