"""An assistant with all kinds of tools on PostgreSQL, and the bytes that erasing leaves."""

import logging

import psycopg
import pytest

from eventstore import ConversationStore
from tests.engine.services.assistants import KEY, SECRET, answered, names_in, stored_words
from tests.engine.services.checks import check_answers, check_secrets, erase_all

pytestmark = pytest.mark.newest_postgres

UNPACKED = """
SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE EXTERNAL', attrelid::regclass, attname)
  FROM pg_attribute JOIN pg_class one ON one.oid = attrelid
 WHERE attrelid >= 16384 AND attnum > 0 AND relkind = 'r' AND attstorage = 'x'
"""
FILES = """
SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class
 WHERE oid >= 16384 AND relkind IN ('r', 'i', 't', 'S')
"""


def bytes_in(admin):
    """The bytes of all files of a database: tables, indexes, and what is stored apart."""
    admin.execute("VACUUM FULL")
    admin.execute("CHECKPOINT")
    return b"\0".join(row[0] for row in admin.execute(FILES).fetchall())


def test_an_assistant_uses_each_kind_of_tool(server, url, migrated, caplog, spans):
    caplog.set_level(logging.DEBUG)

    def connected(database):
        return psycopg.connect(server.dsn(database=database), autocommit=True)

    with connected(migrated) as admin:  # no value is compressed, so that its bytes can be found
        for (alter,) in admin.execute(UNPACKED).fetchall():
            admin.execute(alter)
    with ConversationStore.open(url, durability="as_is") as store:
        answer = answered(store)
        check_answers(store, answer)
        check_secrets(store, answer, caplog, spans())
    words, thread = stored_words(answer), answer.run.thread_id
    secrets = {"credential": [SECRET.encode()], "key": [KEY.encode()]}
    copy = server.create_database(template=migrated)
    try:
        with connected(copy) as admin:
            raw = bytes_in(admin)
            assert names_in(words, raw) == set(words)
            assert names_in(secrets, raw) == set()
            with ConversationStore.open(server.url(database=copy), durability="as_is") as store:
                store.privacy.purge(thread)
            assert names_in(words, bytes_in(admin)) == set()
    finally:
        server.drop_database(copy)
    with connected(migrated) as admin:
        with ConversationStore.open(url, durability="as_is") as store:
            erase_all(store, answer.run)
        assert names_in(words, bytes_in(admin)) == set()
