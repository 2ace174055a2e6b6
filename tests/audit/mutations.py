"""Every way in which somebody who can write to the tables changes history, one by one.

Each mutation does its harm through a :class:`~tests.audit.world.Hand`, and returns where it must be
found: the stream, the version (None: any), and the kinds of finding that name it.
"""

import hashlib
import random
import sqlite3
from collections import defaultdict
from typing import Any, NamedTuple

import psycopg

from eventstore.core import chain, ids

LOG = {"altered"}
PROJECTION = {"projection_differs"}


class Expected(NamedTuple):
    """The finding that a mutation must lead to."""

    stream: str | None
    version: int | None
    kinds: set[str]


class Scene:
    """The rows of an untouched store, to choose victims from."""

    def __init__(self, hand, seed):
        self.hand = hand
        self.chance = random.Random(seed)
        tenants = {row[1]: row[0] for row in hand.all("SELECT id, name FROM tenants")}
        self.categories = {row[0]: row[1] for row in hand.all("SELECT id, name FROM categories")}
        self.tenant = tenants[""]
        self.events = hand.rows("events", "tenant = ?", self.tenant)
        self.blobs = {
            (row["category"], row["stream"], row["version"]): row["content"]
            for row in hand.rows("blobs")
        }
        self.streams = defaultdict(list)
        for row in self.events:
            self.streams[row["category"], row["stream"]].append(row)
        for rows in self.streams.values():
            rows.sort(key=lambda row: row["version"])

    def stream(self, events=1, category=None, suits=lambda _: True):
        """Choose a stream that has so many events at least."""
        found = [
            rows
            for (number, _), rows in sorted(self.streams.items())
            if len(rows) >= events
            and (category is None or self.categories[number] == category)
            and suits(rows)
        ]
        return self.chance.choice(found)

    def event(self, suits):
        return self.chance.choice([row for row in self.events if suits(row)])

    def name(self, row):
        return f"{self.categories[row['category']]}_{bytes(row['stream']).hex()}"

    def head(self, row):
        where = "tenant = ? AND category = ? AND stream = ?"
        place = (row["tenant"], row["category"], row["stream"])
        [head] = self.hand.rows("streams", where, *place)
        return head

    def flipped(self, value: Any) -> Any:
        """Return a value of the same type with a bit or the last character changed."""
        if isinstance(value, int):
            return value + self.chance.choice((1, -1))
        if isinstance(value, str):
            return value[:-1] + ("7" if value[-1:] != "7" else "8")
        raw = bytearray(value)
        raw[self.chance.randrange(len(raw))] ^= 1 << self.chance.randrange(8)
        return bytes(raw)

    def rehash(self, rows):
        """Compute the chain of a stream anew, as somebody would who knows docs/format.md."""
        previous = b""
        prefix = chain.stream_prefix("", self.name(rows[0]))
        made = []
        for version, row in enumerate(rows, 1):
            key = (row["category"], row["stream"], row["version"])
            promise = row["commitment"]
            if row["content"] is not None:
                promise = chain.commitment(row["salt"], self.blobs.get(key, row["content"]))
            previous = chain.event_hash(
                prefix,
                previous,
                version=version,
                event_id=row["event_id"],
                event_type=row["type"],
                schema_version=row["schema_version"],
                recorded_at_us=row["recorded_at"],
                metadata=row["metadata"],
                data=row["data"],
                content_commitment=promise,
            )
            made.append({**row, "version": version, "hash": previous})
        return made


# -- one column of one event -----------------------------------------------------------------------


def flip(column, suits=lambda _: True):
    def act(scene):
        row = scene.event(lambda row: row[column] not in (None, b"") and suits(row))
        scene.hand.update("events", row, **{column: scene.flipped(row[column])})
        return Expected(scene.name(row), row["version"], LOG)

    return act


def flip_blob(scene):
    row = scene.event(lambda row: row["content"] == b"")
    place = (row["tenant"], row["category"], row["stream"], row["version"])
    where = "tenant = ? AND category = ? AND stream = ? AND version = ?"
    [blob] = scene.hand.rows("blobs", where, *place)
    scene.hand.run(
        f"UPDATE blobs SET content = ? WHERE {where}", scene.flipped(blob["content"]), *place
    )
    return Expected(scene.name(row), row["version"], LOG)


def lose_blob(scene):
    row = scene.event(lambda row: row["content"] == b"")
    scene.hand.run("DELETE FROM blobs")
    return Expected(scene.name(row), row["version"], {"missing"})


def leave_blob(scene):
    row = scene.event(lambda row: row["commitment"] is not None)
    key = ("tenant", "category", "stream", "version")
    scene.hand.insert("blobs", {**{name: row[name] for name in key}, "content": b"left"})
    return Expected(scene.name(row), row["version"], {"inserted"})


def change(**made):
    """Change columns of an event, each to what a function makes of its row."""

    def act(scene):
        row = scene.event(lambda row: scene.categories[row["category"]] == ids.THREAD)
        scene.hand.update("events", row, **{name: to(row) for name, to in made.items()})
        return Expected(scene.name(row), row["version"], LOG)

    return act


def change_actor(scene):
    row = scene.event(lambda row: row["metadata"] is not None)
    other = row["metadata"].replace(b"user_1", b"user_9").replace(b"user_2", b"user_9")
    assert other != row["metadata"]
    scene.hand.update("events", row, metadata=other)
    return Expected(scene.name(row), row["version"], LOG)


def name_an_actor(scene):
    row = scene.event(lambda row: row["metadata"] is None)
    scene.hand.update("events", row, metadata=b"\x81\xa5actor\xa3Eve")
    return Expected(scene.name(row), row["version"], LOG)


# -- rows of the log -------------------------------------------------------------------------------


def delete_event(scene):
    row = scene.chance.choice(scene.stream(3)[:-1])
    scene.hand.delete("events", row)
    return Expected(scene.name(row), row["version"], {"missing"})


def delete_and_number_anew(scene):
    rows = scene.stream(5)
    gone = scene.chance.choice(rows[:-2])
    scene.hand.delete("events", gone)
    for row in rows[gone["version"] :]:
        scene.hand.update("events", row, version=row["version"] - 1)
    return Expected(scene.name(gone), gone["version"], {"missing"})


def insert_at_the_end(scene):
    last = scene.stream(2)[-1]
    forged = {**last, "version": last["version"] + 1, **_new_place(scene)}
    scene.hand.insert("events", forged)
    return Expected(scene.name(last), forged["version"], {"inserted"})


def insert_between(scene):
    rows = scene.stream(4)
    at = scene.chance.randrange(2, len(rows))
    for row in reversed(rows[at:]):
        scene.hand.update("events", row, version=row["version"] + 1)
    forged = {**rows[at - 1], "version": at + 1, **_new_place(scene)}
    scene.hand.insert("events", forged)
    return Expected(scene.name(forged), at + 1, {"inserted"})


def insert_stream(scene):
    row = {**scene.stream(2)[0], "stream": b"\x07" * 16, **_new_place(scene)}
    scene.hand.insert("events", row)
    return Expected(scene.name(row), 1, {"altered", "missing"})


def _new_place(scene):
    [(last,)] = scene.hand.all("SELECT max(position) FROM events")
    return {"position": last + 1, "event_id": b"\x05" * 16}


def other_type(column):
    """Store text in a column of bytes, which only SQLite allows."""

    def act(scene):
        row = scene.event(lambda row: row[column] not in (None, b""))
        where = "tenant = ? AND category = ? AND stream = ? AND version = ?"
        place = (row["tenant"], row["category"], row["stream"], row["version"])
        scene.hand.run(f"UPDATE events SET {column} = CAST({column} AS TEXT) WHERE {where}", *place)
        return Expected(scene.name(row), row["version"], LOG)

    return act


def swap(far):
    def act(scene):
        rows = scene.stream(6)
        first = scene.chance.randrange(len(rows) - 3)
        one, other = rows[first], rows[first + (3 if far else 1)]
        scene.hand.update("events", one, version=10**6)
        scene.hand.update("events", other, version=one["version"])
        scene.hand.update("events", {**one, "version": 10**6}, version=other["version"])
        return Expected(scene.name(one), one["version"], {"reordered"})

    return act


def swap_words(scene):
    """Exchange content and salt of two events."""
    with_words = [row for row in scene.events if row["content"]]
    one, other = scene.chance.sample(with_words, 2)
    for row, said in ((one, other), (other, one)):
        scene.hand.update("events", row, content=said["content"], salt=said["salt"])
    return Expected(scene.name(one), one["version"], LOG)


def swap_streams(scene):
    """Exchange the names of two threads, heads included: each gets the other's life."""
    one, other = scene.chance.sample([*scene.streams.values()], 2)
    while scene.name(one[0])[:6] != scene.name(other[0])[:6]:
        one, other = scene.chance.sample([*scene.streams.values()], 2)
    for table in ("events", "streams"):
        for was, becomes in ((one, b"\1" * 16), (other, None), ([{"stream": b"\1" * 16}], other)):
            name = one[0]["stream"] if becomes is None else becomes
            name = name if isinstance(name, bytes) else name[0]["stream"]
            scene.hand.run(
                f"UPDATE {table} SET stream = ? WHERE stream = ?", name, was[0]["stream"]
            )
    return Expected(scene.name(one[0]), 1, LOG)


def truncate(scene):
    rows = scene.stream(4)
    for row in rows[-2:]:
        scene.hand.delete("events", row)
    return Expected(scene.name(rows[0]), len(rows) - 1, {"cut_off"})


def truncate_with_head(scene):
    """The tables of the thread still know what was cut off."""
    rows = scene.stream(4, ids.THREAD, _ends_with_a_message)
    scene.hand.delete("events", rows[-1])
    _point_head(scene, rows[-2])
    return Expected(scene.name(rows[0]), None, PROJECTION)


def _ends_with_a_message(rows):
    return rows[-1]["type"] in {"MessageAdded", "MessageEdited", "MessageRegenerated"}


def _point_head(scene, row):
    names = ("version", "recorded_at", "hash", "epoch", "xid")
    scene.hand.update("streams", scene.head(row), **{name: row[name] for name in names})


def delete_thread(scene):
    """Events and head of a thread that no fork knows go without a tombstone."""
    forks = [bytes(row["data"]) for row in scene.events if row["type"] == "ThreadForked"]
    rows = scene.stream(
        3, ids.THREAD, lambda rows: not any(bytes(rows[0]["stream"]) in fork for fork in forks)
    )
    for row in rows:
        scene.hand.delete("events", row)
    scene.hand.delete("streams", scene.head(rows[0]))
    return Expected(scene.name(rows[0]), 0, {"missing"})


def delete_events_of_thread(scene):
    rows = scene.stream(3, ids.THREAD)
    for row in rows:
        scene.hand.delete("events", row)
    return Expected(scene.name(rows[0]), 1, {"cut_off"})


def delete_head(scene):
    rows = scene.stream(2)
    scene.hand.delete("streams", scene.head(rows[0]))
    return Expected(scene.name(rows[0]), len(rows), {"missing"})


def flip_head(column):
    def act(scene):
        rows = scene.stream(2)
        head = scene.head(rows[0])
        scene.hand.update("streams", head, **{column: scene.flipped(head[column])})
        return Expected(scene.name(rows[0]), None, {"altered", "cut_off", "inserted"})

    return act


# -- erasures, forks, purges -----------------------------------------------------------------------


def roll_back_erasure(scene):
    """Put the content back that an erasure took: its commitment says that it is the right one."""
    erasure = scene.event(lambda row: row["type"] == "ContentErased")
    key = (erasure["category"], erasure["stream"])
    row = next(row for row in scene.streams[key] if row["commitment"] is not None)
    content, salt = b"\x80", b"s" * 32
    changed = [
        {**one, "content": content, "salt": salt, "commitment": None} if one is row else one
        for one in scene.streams[key]
    ]
    for before, after in zip(scene.streams[key], scene.rehash(changed), strict=True):
        names = ("content", "salt", "commitment", "hash")
        scene.hand.update("events", before, **{name: after[name] for name in names})
    _point_head(scene, scene.rehash(changed)[-1])
    return Expected(scene.name(row), row["version"], {"content_left"})


def erase_unsaid(scene):
    """Do what an erasure does, and leave out its event."""
    row = scene.event(lambda row: row["content"] and row["type"] == "MessageAdded")
    promise = chain.commitment(row["salt"], row["content"])
    scene.hand.update("events", row, content=None, salt=None, commitment=promise)
    return Expected(scene.name(row), row["version"], {"content_gone"})


def blank(scene):
    row = scene.event(lambda row: row["content"] and row["type"] == "MessageAdded")
    scene.hand.update("events", row, content=None, salt=None)
    return Expected(scene.name(row), row["version"], LOG)


def keep_a_commitment(scene):
    row = scene.event(lambda row: row["content"])
    scene.hand.update("events", row, commitment=b"c" * 32)
    return Expected(scene.name(row), row["version"], LOG)


def rewrite_the_source(scene):
    """Compute the chain of a thread anew with another word in it: its fork knows the old hash."""
    forks = [row for row in scene.events if row["type"] == "ThreadForked"]
    sources = {
        key: rows
        for key, rows in scene.streams.items()
        if any(key[1] in bytes(fork["data"]) for fork in forks)
        and rows[0]["type"] != "ThreadForked"
    }
    rows = scene.chance.choice([*sources.values()])
    forged = scene.rehash([{**row, "recorded_at": row["recorded_at"] - 1} for row in rows])
    for before, after in zip(rows, forged, strict=True):
        scene.hand.update("events", before, recorded_at=after["recorded_at"], hash=after["hash"])
    _point_head(scene, forged[-1])
    return Expected(scene.name(rows[0]), None, LOG)


def lose_tombstone(scene):
    [row] = scene.stream(1, ids.STORE)[:1]
    scene.hand.run("DELETE FROM tombstones WHERE version = 1")
    return Expected(scene.name(row), 1, PROJECTION)


def bring_back_a_purged_thread(scene):
    purge = scene.event(lambda row: row["type"] == "ThreadPurged")
    at = purge["data"].index(b"thread_id") + len(b"thread_id") + 2
    thread = bytes(purge["data"][at : at + 16])
    row = {**scene.stream(2, ids.THREAD)[0], "stream": thread, **_new_place(scene)}
    scene.hand.insert("events", row)
    return Expected(scene.name(row), 1, {"inserted"})


# -- tables that are made from the events ----------------------------------------------------------

_TAKEN = (sqlite3.IntegrityError, psycopg.errors.UniqueViolation)
_FILLED = {
    "pending_calls": "c",
    "removed": 1,
    "open_calls": "c",
    "queue": "q",
    "holder": "h",
    "title_version": 1,
    "metadata_version": 1,
}
"""Values for columns that may be NULL in each row; others hold ids."""
_KEYS_OF_TENANT = {"tenant", "thread", "assistant"}


def flip_row(table, column):
    def act(scene):
        known = {bytes(stream) for _, stream in scene.streams}
        rows = [
            row
            for row in scene.hand.rows(table, "tenant = ?", scene.tenant)
            if bytes(row["thread" if "thread" in row else "assistant"]) in known
        ]
        rows = [one for one in rows if one[column]] or rows
        while True:
            row = scene.chance.choice(rows)
            changed = _FILLED.get(column, b"f" * 16)
            if row[column] is not None:
                changed = scene.flipped(row[column])
            try:
                scene.hand.update(table, row, **{column: changed})
            except _TAKEN:  # there is such a row
                continue
            break
        prefix = ids.THREAD if "thread" in row else ids.ASSISTANT
        owner = bytes(row["thread" if "thread" in row else "assistant"]).hex()
        return Expected(f"{prefix}_{owner}", None, PROJECTION)

    return act


def delete_row(table):
    def act(scene):
        row = scene.chance.choice(scene.hand.rows(table, "tenant = ?", scene.tenant))
        scene.hand.delete(table, row)
        prefix = ids.THREAD if "thread" in row else ids.ASSISTANT
        owner = bytes(row["thread" if "thread" in row else "assistant"]).hex()
        return Expected(f"{prefix}_{owner}", None, PROJECTION)

    return act


def move_head_of_thread(scene):
    heads = [
        row for row in scene.hand.rows("streams", "tenant = ?", scene.tenant) if row["summary"]
    ]
    head = scene.chance.choice(heads)
    scene.hand.update("streams", head, summary=scene.flipped(head["summary"]))
    return Expected(scene.name(head), None, PROJECTION)


def key_beside_the_log(scene):
    row = scene.chance.choice(scene.hand.rows("idempotency_keys", "tenant = ?", scene.tenant))
    scene.hand.update("idempotency_keys", row, last_version=10**6)
    return Expected(scene.name(row), 0, PROJECTION)


def move_position(scene):
    """Exchange the places of two events in the order of the store."""
    rows = scene.stream(3)
    one, other = rows[0], rows[1]
    places = [{name: row[name] for name in ("epoch", "xid", "position")} for row in (one, other)]
    scene.hand.update("events", one, position=-1)
    scene.hand.update("events", other, **places[0])
    scene.hand.update("events", {**one, "position": -1}, **places[1])
    return Expected(scene.name(one), 2, {"reordered"})


LOG_MUTATIONS = {
    **{
        f"flip_{column}": flip(column)
        for column in ("event_id", "type", "schema_version", "recorded_at", "data", "content")
    },
    "flip_salt": flip("salt"),
    "flip_metadata": flip("metadata"),
    "flip_hash": flip("hash"),
    "flip_commitment": flip("commitment"),
    "flip_blob": flip_blob,
    "lose_blob": lose_blob,
    "leave_blob": leave_blob,
    "change_actor": change_actor,
    "name_an_actor": name_an_actor,
    "change_time": change(recorded_at=lambda row: row["recorded_at"] + 60_000_000),
    "change_type": change(type=lambda row: "ThreadArchived" if row["version"] > 1 else "Begun"),
    "lengthen_id": change(event_id=lambda row: row["event_id"] + b"\0"),
    "lengthen_data": change(data=lambda row: row["data"] + b"\0"),
    "odd_schema_version": change(schema_version=lambda _: -1),
    "another_hash": change(hash=lambda row: hashlib.sha256(row["hash"]).digest()),
    "delete_event": delete_event,
    "delete_and_number_anew": delete_and_number_anew,
    "insert_at_the_end": insert_at_the_end,
    "insert_between": insert_between,
    "insert_stream": insert_stream,
    "swap_neighbours": swap(far=False),
    "swap_far": swap(far=True),
    "swap_words": swap_words,
    "swap_streams": swap_streams,
    "truncate": truncate,
    "truncate_with_head": truncate_with_head,
    "delete_thread": delete_thread,
    "delete_events_of_thread": delete_events_of_thread,
    "delete_head": delete_head,
    **{f"flip_head_{name}": flip_head(name) for name in ("version", "recorded_at", "hash", "xid")},
    "roll_back_erasure": roll_back_erasure,
    "erase_unsaid": erase_unsaid,
    "blank": blank,
    "keep_a_commitment": keep_a_commitment,
    "rewrite_the_source": rewrite_the_source,
    "lose_tombstone": lose_tombstone,
    "bring_back_a_purged_thread": bring_back_a_purged_thread,
    "move_head_of_thread": move_head_of_thread,
    "key_beside_the_log": key_beside_the_log,
    "move_position": move_position,
}

SQLITE_ALONE = {
    f"text_in_{column}": other_type(column)
    for column in ("event_id", "data", "content", "salt", "metadata", "hash")
}

TABLES = ("threads", "messages", "segments", "branch_points", "runs", "steps", "labels", "touches")
INDEXES = ("thread_metadata", "external_ids")


def table_mutations(columns):
    """Return the mutations of each column of each table that is made from the events."""
    made = {}
    for table in (*TABLES, *INDEXES, "assistants"):
        made[f"delete_row_of_{table}"] = delete_row(table)
        for column in columns[table]:
            if column not in _KEYS_OF_TENANT:
                made[f"flip_{table}_{column}"] = flip_row(table, column)
    return made
