"""The hash chain, as somebody recomputes it who has only docs/format.md and the file."""

import hashlib
import re
import sqlite3
import struct
from contextlib import closing
from typing import Any

import msgspec
import pytest

from eventstore import ConversationStore
from eventstore.conversation.describe import _PREFIX
from eventstore.conversation.events import ASSISTANT_EVENTS, THREAD_EVENTS
from eventstore.conversation.store_events import STORE_EVENTS
from tests.guards.markdown import blocks
from tests.guards.source import PROJECT
from tests.storage.lives import ask, environment

PAGE = PROJECT / "docs" / "format.md"


# -- from the page's words -------------------------------------------------------------------------


def sha256(*fields, tag=b""):
    framed = b"".join(struct.pack(">I", len(one)) + one for one in fields)
    return hashlib.sha256(tag + framed).digest()


def commitment(salt, content):
    return sha256(salt, content, tag=b"eventstore/content/1")


def streams_of(path):
    """The rows of every stream in the order of their versions, and the row of its head."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        tenants = {row["id"]: row["name"] for row in database.execute("SELECT * FROM tenants")}
        kinds = {row["id"]: row["name"] for row in database.execute("SELECT * FROM categories")}
        for head in database.execute("SELECT * FROM streams"):
            rows = database.execute(
                "SELECT * FROM events WHERE (tenant, category, stream) = (?, ?, ?)"
                " ORDER BY version",
                (head["tenant"], head["category"], head["stream"]),
            ).fetchall()
            large = dict(
                database.execute(
                    "SELECT version, content FROM blobs"
                    " WHERE (tenant, category, stream) = (?, ?, ?)",
                    (head["tenant"], head["category"], head["stream"]),
                )
            )
            whole = [
                {**row, "content": large.pop(row["version"])} if row["content"] == b"" else row
                for row in map(dict, rows)
            ]
            assert large == {}, "blobs that nobody refers to"
            name = f"{kinds[head['category']]}_{head['stream'].hex()}"
            yield tenants[head["tenant"]], name, head, whole


def hash_of(tenant, stream, previous, row):
    promise = row["commitment"] or b""
    if row["content"] is not None:
        promise = commitment(row["salt"], row["content"])
    return sha256(
        b"eventstore/event/1",
        tenant.encode(),
        stream.encode(),
        previous,
        struct.pack(">q", row["version"]),
        row["event_id"],
        struct.pack(">q", row["recorded_at"]),
        struct.pack(">i", row["schema_version"]),
        row["type"].encode(),
        row["metadata"] or b"",
        row["data"],
        promise,
    )


def test_every_hash_is_what_the_page_says(lived):
    seen = set()
    for tenant, stream, head, rows in streams_of(lived):
        previous = b""
        for version, row in enumerate(rows, 1):
            assert row["version"] == version
            assert row["hash"] == hash_of(tenant, stream, previous, row), (stream, version)
            previous = row["hash"]
            seen.add(row["type"])
        assert (head["version"], head["hash"]) == (len(rows), previous)
        assert head["recorded_at"] == rows[-1]["recorded_at"]
    known = {one.name for one in (*THREAD_EVENTS, *ASSISTANT_EVENTS, *STORE_EVENTS)}
    known -= {"KeyRotated"}  # a store without encryption has no keys
    assert seen == known | {"Sent", "Paid"}, "the life in lives.py does not have every event"
    assert ask(lived, "SELECT length(content) > 32768 FROM blobs") == [(1,)]


def test_what_readers_are_told_is_the_stored_hash(lived):
    with ConversationStore.open(f"sqlite:///{lived}") as store:
        told = {(e.stream_id, e.version): e.hash for e in store.events.read_all()}
    for tenant, stream, _, rows in streams_of(lived):
        if tenant == "":
            for row in rows:
                assert told[stream, row["version"]] == row["hash"].hex()


def test_each_content_has_a_salt_of_its_own_and_a_commitment_once_it_is_erased(lived):
    rows = ask(lived, "SELECT content IS NULL, salt, commitment FROM events")
    salts = [salt for _, salt, _ in rows if salt is not None]
    assert len(set(salts)) == len(salts)
    assert {len(salt) for salt in salts} == {32}
    assert all((salt is None) == bool(empty) for empty, salt, _ in rows)
    assert all(salt is None for _, salt, promise in rows if promise is not None)
    ((versions,),) = ask(lived, "SELECT count(*) FROM events WHERE commitment IS NOT NULL")
    assert versions == 2, "a message and a person were erased, and nobody had given reasons"


def test_the_stored_bytes_are_messagepack_of_the_fields_that_are_told(lived):
    sql = "SELECT type, data, content FROM events WHERE type = 'MessageAdded' ORDER BY position"
    _, data, content = ask(lived, sql)[0]
    assert set(msgspec.msgpack.decode(data)) == {"message_id", "role"}
    assert msgspec.msgpack.decode(content) == {"parts": ["Why is the sky blue?"], "name": "Ann"}


# -- the page's verifier ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def verify():
    return page_verifier()


def page_verifier():
    """The function that the page shows: from a file to what is wrong with it."""
    (block,) = [one for one in blocks(PAGE.read_text(encoding="utf-8")) if one.language == "python"]
    assert set(re.findall(r"^(?:import|from) (\w+)", block.code, re.MULTILINE)) == {
        "sqlite3",
        "collections",
        "hashlib",
    }
    namespace: dict[str, Any] = {}
    exec(compile(block.code, str(PAGE), "exec"), namespace)
    return namespace["verify"]


def test_the_verifier_of_the_page_finds_nothing_in_an_untouched_store(verify, lived):
    assert list(verify(lived)) == []


def test_the_verifier_reads_a_store_with_a_prefix(verify, path):
    with ConversationStore.open(
        f"sqlite:///{path}", prefix="chat_", environment=environment()
    ) as store:
        store.threads.create(title="x")
    assert list(verify(path, "chat_")) == []


def test_an_erased_content_keeps_the_chain_whole(verify, lived):
    rows = ask(
        lived,
        "SELECT position, salt, CASE e.content WHEN x'' THEN b.content ELSE e.content END"
        " FROM events e LEFT JOIN blobs b USING (tenant, category, stream, version)"
        " WHERE e.content IS NOT NULL",
    )
    with closing(sqlite3.connect(lived)) as database:
        database.executemany(
            "UPDATE events SET content = NULL, salt = NULL, commitment = ? WHERE position = ?",
            [(commitment(salt, content), position) for position, salt, content in rows],
        )
        database.commit()
        [(*_, problem)] = verify(lived)
        assert problem == "a blob without an event that has it"
        database.execute("DELETE FROM blobs")
        database.commit()
    assert list(verify(lived)) == []


def tampered(path, sql):
    """Change history behind the triggers' back, as somebody with the file can."""
    with closing(sqlite3.connect(path)) as database:
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            database.execute(f"DROP TRIGGER {name}")
        database.execute(sql)
        database.commit()


CHANGES = {
    "type": "'ThreadUpdated'",
    "schema_version": "schema_version + 1",
    "recorded_at": "recorded_at + 1",
    "data": "CAST(data || x'00' AS BLOB)",
    "content": "CAST(content || x'00' AS BLOB)",
    "salt": "zeroblob(32)",
    "event_id": "zeroblob(16)",
    "metadata": "x'80'",
    "hash": "zeroblob(32)",
    "version": "version + 1000",
}


@pytest.mark.parametrize("column", CHANGES)
def test_the_verifier_names_the_event_that_was_altered(verify, lived, column):
    where = "type = 'MessageEdited'"
    ((version,),) = ask(lived, f"SELECT version FROM events WHERE {where}")
    tampered(lived, f"UPDATE events SET {column} = {CHANGES[column]} WHERE {where}")
    named = [found[2] for found in verify(lived)]
    assert named[0] == (version + 1 if column == "version" else version)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE blobs SET content = CAST(content || x'00' AS BLOB)",
        "UPDATE blobs SET version = version + 1",
        "DELETE FROM blobs",
        "DELETE FROM events WHERE type = 'MessageEdited'",
        "DELETE FROM events WHERE type = 'ThreadRestored'",  # the end of its stream
        "DELETE FROM streams WHERE version > 20",
        "UPDATE streams SET version = version - 1 WHERE version > 20",
        "UPDATE tenants SET name = 'other' WHERE name = 'acme'",
        "UPDATE categories SET name = 'bill' WHERE name = 'invoice'",
    ],
)
def test_the_verifier_finds_what_was_removed_cut_off_or_moved(verify, lived, sql):
    tampered(lived, sql)
    assert list(verify(lived))


# -- the page's tables -----------------------------------------------------------------------------


def described_events():
    text = PAGE.read_text(encoding="utf-8")
    row = re.compile(r"^\| `([A-Z]\w+)` \| .+? \| (.+?) \| (.+?) \|$", re.MULTILINE)
    for name, *columns in row.findall(text):
        yield name, tuple(re.findall(r"`(\w+)`(\??)", column) for column in columns)


def fields_of(kind):
    found = [] if kind is None else msgspec.structs.fields(kind)
    return [(field.name, "" if field.required else "?") for field in found]


def test_the_page_says_of_every_field_whose_id_it_holds():
    told = PAGE.read_text(encoding="utf-8").split("## Ids")[1].split("## MessagePack")[0]
    rows = re.findall(r"^\| `(\w+)` \| (`.+`) \|$", told, re.MULTILINE)
    fields = {field: prefix for prefix, listed in rows for field in re.findall(r"`(\w+)`", listed)}
    assert fields == _PREFIX


def test_the_page_describes_every_event_with_every_field():
    kinds = [one.kind for one in (*THREAD_EVENTS, *ASSISTANT_EVENTS, *STORE_EVENTS)]
    in_code = {kind.name: (fields_of(kind.data), fields_of(kind.content)) for kind in kinds}
    assert dict(described_events()) == in_code
    assert {kind.schema_version for kind in kinds} == {1}, "the page says so"


def test_the_page_describes_every_column_of_the_log(lived):
    tables = PAGE.read_text(encoding="utf-8").split("## Tables")[1].split("## Ids")[0]
    columns = [row[1] for row in ask(lived, "PRAGMA table_info(events)")]
    assert re.findall(r"^\| `(\w+)` \|", tables, re.MULTILINE) == columns
