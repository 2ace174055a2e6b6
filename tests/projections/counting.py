"""A projection that would show an event applied twice or never, and a program that runs it."""

import sys
import threading

from eventstore import ConversationStore
from eventstore.read_models import WritableTables

OPTIONS = {"poll_seconds": 0.05}


class Counting:
    """Counts each event by itself, and in total."""

    name = "counting"
    tables = ("seen", "total")

    def __init__(self, version=1, before=lambda _: None, after=lambda _: None, **filters):
        """`before` and `after` are called with each event, to fail or to wait there."""
        self.version = version
        self.before = before
        self.after = after
        self.__dict__.update(filters)

    def create(self, tables: WritableTables):
        tables.run(
            "CREATE TABLE {seen} (stream_id TEXT NOT NULL, version BIGINT NOT NULL,"
            " kind TEXT NOT NULL, times INTEGER NOT NULL, rules INTEGER NOT NULL,"
            " PRIMARY KEY (stream_id, version))"
        )
        tables.run("CREATE TABLE {total} (events BIGINT NOT NULL)")
        tables.run("INSERT INTO {total} VALUES (0)")
        tables.index("seen", "kind")

    def apply(self, tables: WritableTables, event):
        self.before(event)
        tables.run(
            "INSERT INTO {seen} AS kept VALUES (?, ?, ?, 1, ?) ON CONFLICT (stream_id, version)"
            " DO UPDATE SET times = kept.times + 1",
            (event.stream_id, event.version, event.type, self.version),
        )
        tables.run("UPDATE {total} SET events = events + 1")
        self.after(event)


def times(store):
    """How often each event was applied, by stream and version."""
    rows = store.projections.query("counting", "SELECT stream_id, version, times FROM {seen}")
    return {(stream, version): count for stream, version, count in rows}


def total(store):
    [(count,)] = store.projections.query("counting", "SELECT events FROM {total}")
    return count


def once_each(store):
    """What :func:`times` has to be: every event of the log, one time."""
    return {(event.stream_id, event.version): 1 for event in store.events.read_all()}


def write(store, count, words="hello"):
    thread = store.threads.create()
    for number in range(count):
        store.messages.create(thread.id, role="user", content=f"{words} {number}")
    return thread.id


def main(url, holder, durability):
    """Follow until killed; says what it has applied, event by event."""

    def said(event):
        print(event.stream_id, event.version, flush=True)  # noqa: T201 (heard by the test)

    with ConversationStore.open(url, durability=durability) as store:
        store.projections.register(Counting(after=said))
        store.projections.run(
            stop=threading.Event(), holder=holder, batch_events_max=7, lease_seconds=1, **OPTIONS
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
