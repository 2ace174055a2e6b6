"""Every way to change history with SQL, tried on a file that holds some, after each migration.

Who owns the file can drop the triggers; what they stop is the careless statement and the bug. The
hash chain is for the rest.
"""

import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore
from eventstore.storage.migrations import REVISIONS
from tests.storage.lives import INVOICE, ask, environment

COLUMNS = (
    "position, tenant, category, stream, version, event_id, type, schema_version, recorded_at,"
    " data, content, salt, commitment, subject, metadata, hash"
)
OTHER_VALUES = {
    "position": "position + 1000",
    "tenant": "tenant + 1",
    "category": "category + 1",
    "stream": "zeroblob(16)",
    "version": "version + 1000",
    "event_id": "zeroblob(16)",
    "type": "'Other'",
    "schema_version": "2",
    "recorded_at": "0",
    "data": "x'80'",
    "subject": "zeroblob(16)",
    "metadata": "x'80'",
    "hash": "zeroblob(32)",
}
ERASED = "content = NULL, salt = NULL, commitment = zeroblob(32)"
FIRST = "WHERE position = (SELECT min(position) FROM events WHERE content IS NOT NULL)"
BARE = "WHERE position = (SELECT min(position) FROM events WHERE content IS NULL)"
SAME_PLACE = f"SELECT {COLUMNS.replace('position', 'position + 1000', 1)} FROM events {FIRST}"
SAME_POSITION = f"SELECT {COLUMNS.replace('version', 'version + 1000', 1)} FROM events {FIRST}"


@pytest.fixture(params=REVISIONS)
def database(request, lived):
    """The file after a migration; a revision that is not the newest is reached by its own code."""
    assert request.param == REVISIONS[-1], "migrate a file of the older schema to here and try it"
    with closing(sqlite3.connect(lived)) as opened:
        opened.execute("PRAGMA recursive_triggers = OFF")
        yield opened


def whole(database):
    return database.execute(f"SELECT {COLUMNS} FROM events ORDER BY position").fetchall()


def blobs(database):
    return database.execute("SELECT rowid, * FROM blobs").fetchall()


def change(database, sql, *parameters):
    database.execute(sql, parameters)


def is_refused(database, sql):
    before = whole(database), blobs(database)
    with pytest.raises(sqlite3.IntegrityError, match="eventstore: "):
        change(database, sql)
    database.rollback()
    assert (whole(database), blobs(database)) == before


@pytest.mark.parametrize("column", OTHER_VALUES)
def test_no_column_is_updated(database, column):
    is_refused(database, f"UPDATE events SET {column} = {OTHER_VALUES[column]} {FIRST}")
    is_refused(database, f"UPDATE events SET {column} = {OTHER_VALUES[column]} {BARE}")


@pytest.mark.parametrize("column", OTHER_VALUES)
def test_no_column_is_updated_along_with_an_erasure(database, column):
    value = OTHER_VALUES[column]
    is_refused(database, f"UPDATE events SET {ERASED}, {column} = {value} {FIRST}")
    is_refused(database, f"UPDATE OR REPLACE events SET {ERASED}, {column} = {value} {FIRST}")


@pytest.mark.parametrize(
    "values",
    [
        "content = x'80'",
        "content = NULL",
        "salt = NULL",
        "salt = zeroblob(32)",
        "commitment = zeroblob(32)",
        "content = NULL, commitment = zeroblob(32)",
        "content = x'80', salt = NULL, commitment = zeroblob(32)",
        "content = NULL, salt = NULL",
        "content = NULL, salt = NULL, commitment = x''",
        "content = NULL, salt = NULL, commitment = zeroblob(31)",
        "content = content",
    ],
)
def test_content_goes_only_with_its_salt_and_leaves_a_commitment(database, values):
    is_refused(database, f"UPDATE events SET {values} {FIRST}")


def test_content_is_erased_exactly_once(database):
    before = whole(database)
    (position,) = database.execute(f"SELECT position FROM events {FIRST}").fetchone()
    erase = f"UPDATE events SET {ERASED} WHERE position = {position}"
    change(database, erase)
    database.commit()
    changed = [pair for pair in zip(before, whole(database), strict=True) if pair[0] != pair[1]]
    ((old, new),) = changed
    assert new == (*old[:10], None, None, bytes(32), *old[13:])
    is_refused(database, erase)
    is_refused(database, f"UPDATE events SET content = x'80' WHERE position = {position}")
    is_refused(database, f"UPDATE events SET commitment = NULL WHERE position = {position}")


@pytest.mark.parametrize("verb", ["INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"])
def test_nothing_is_written_over_a_version_or_a_position(database, verb):
    for source in (SAME_PLACE, SAME_POSITION, f"SELECT {COLUMNS} FROM events {FIRST}"):
        is_refused(database, f"{verb} INTO events ({COLUMNS}) {source}")


def test_no_conflict_clause_turns_an_insert_into_an_update(database):
    for target in ("position", "tenant, category, stream, version"):
        is_refused(
            database,
            f"INSERT INTO events ({COLUMNS}) SELECT {COLUMNS} FROM events {FIRST}"
            f" ON CONFLICT ({target}) DO UPDATE SET hash = zeroblob(32)",
        )


@pytest.mark.parametrize("where", ["", "WHERE version = 1", "WHERE position < 0 OR 1", FIRST])
def test_no_event_is_deleted(database, where):
    is_refused(database, f"DELETE FROM events {where}")


BLOB = "tenant, category, stream, version, content"


def test_no_blob_is_changed_or_written_over(database):
    for value in (
        "content = x'80'",
        "content = content",
        "version = version + 1000",
        "stream = zeroblob(16)",
        "tenant = tenant + 1",
        "category = category + 1",
        "rowid = rowid + 1",
    ):
        is_refused(database, f"UPDATE blobs SET {value}")
        is_refused(database, f"UPDATE OR REPLACE blobs SET {value}")
    for verb in ("INSERT", "INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE"):
        is_refused(database, f"{verb} INTO blobs ({BLOB}) SELECT {BLOB} FROM blobs")
    is_refused(
        database,
        f"INSERT INTO blobs ({BLOB}) SELECT {BLOB} FROM blobs WHERE true"
        " ON CONFLICT DO UPDATE SET content = x'80'",
    )


def test_no_blob_goes_before_the_content_of_its_event(database):
    where = "WHERE content = x''"
    ((stream, version),) = database.execute(f"SELECT stream, version FROM events {where}")
    for condition in ("", "WHERE length(content) > 0", f"WHERE version = {version}"):
        is_refused(database, f"DELETE FROM blobs {condition}")
    is_refused(database, f"UPDATE events SET content = x'80' {where}")
    database.execute(f"UPDATE events SET {ERASED} {where}")
    change(database, "DELETE FROM blobs WHERE stream = ? AND version = ?", stream, version)
    assert blobs(database) == []


def test_no_blob_goes_before_its_event_in_a_purge(database):
    database.execute("INSERT INTO purging SELECT tenant, category, stream FROM blobs")
    with pytest.raises(sqlite3.IntegrityError, match="goes after the content"):
        database.execute("DELETE FROM blobs")
    database.execute("DELETE FROM events WHERE stream IN (SELECT stream FROM purging)")
    change(database, "DELETE FROM blobs")
    assert blobs(database) == []


def listed_for_purging(database, **other):
    """List the invoice's stream, or one that differs from it, and begin a purge."""
    where = {"tenant": "tenant", "category": "category", "stream": "stream"} | other
    database.execute(
        f"INSERT INTO purging (tenant, category, stream) SELECT {', '.join(where.values())}"
        f" FROM events WHERE type = 'Paid'"
    )


@pytest.mark.parametrize(
    "other", [{"tenant": "tenant + 1"}, {"category": "category + 1"}, {"stream": "zeroblob(16)"}]
)
def test_listing_another_stream_for_purging_allows_nothing(database, other):
    listed_for_purging(database, **other)
    database.commit()
    is_refused(database, "DELETE FROM events WHERE type = 'Paid'")


def test_a_stream_that_is_listed_for_purging_goes_alone(database):
    stream = "(SELECT stream FROM purging)"
    before = whole(database)
    listed_for_purging(database)
    database.commit()
    is_refused(database, f"UPDATE events SET hash = zeroblob(32) WHERE stream = {stream}")
    is_refused(database, "DELETE FROM events")
    change(database, f"DELETE FROM events WHERE stream = {stream}")
    change(database, "DELETE FROM purging")
    assert whole(database) == [row for row in before if row[6] not in {"Sent", "Paid"}]


def test_a_position_is_never_used_twice(path):
    url = f"sqlite:///{path}"
    events = [{"type": "Sent"}]

    def append(stream):
        with ConversationStore.open(url, environment=environment()) as store:
            return store.events.append(stream, events, expected_version="any").positions[0]

    first, second = append(INVOICE), append(INVOICE)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO purging SELECT tenant, category, stream FROM streams")
        with pytest.raises(sqlite3.IntegrityError, match="the last event stays"):
            database.execute("DELETE FROM events")
        database.rollback()
    tombstone = append("tombstone_" + "7" * 32)
    with closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO purging SELECT tenant, category, stream FROM streams")
        database.execute("DELETE FROM events WHERE position < ?", (tombstone.sequence,))
        database.execute("DELETE FROM purging")
        database.commit()
    assert ask(path, "SELECT count(*) FROM events") == [(1,)]
    assert first < second < tombstone < append("invoice_" + "8" * 32)
