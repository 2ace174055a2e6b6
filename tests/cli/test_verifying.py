"""``eventstore verify``: every hash and every table."""

import json
import sqlite3

import pytest


def tampered(talk, sql):
    with sqlite3.connect(talk.url.removeprefix("sqlite:///")) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(sql)
    connection.close()


@pytest.mark.parametrize("thread", [True, False])
def test_an_untouched_store_is_confirmed(run, talk, thread):
    result = run("verify", *([talk.thread] if thread else []), "--db", talk.url)
    assert result.exit_code == 0
    said = "6 events of 1 streams: every hash holds, and the tables of 1 threads match\n"
    assert result.stdout == said


def test_rewritten_words_are_found_and_named(run, talk):
    tampered(talk, "UPDATE events SET content = replace(content, 'sea', 'sky') WHERE version = 3")
    result = run("verify", "--db", talk.url, columns=200)
    assert result.exit_code == 1
    assert f"altered            {talk.thread} at version 3\n" in result.stdout
    assert "Compare the stream with a backup" in result.stdout
    assert result.stdout.endswith(
        "6 events of 1 streams: 1 finding; the tables of 1 threads were not compared\n"
    )
    [found] = json.loads(run("verify", "--json", "--db", talk.url).stdout)["findings"]
    assert (found["stream_id"], found["version"], found["kind"]) == (talk.thread, 3, "altered")


def test_nothing_to_verify_is_said_and_is_no_success(run, talk):
    for table in ("events", "streams", "threads", "messages", "segments", "labels"):
        tampered(talk, f"DELETE FROM {table}")
    for more in ([], ["--json"]):
        result = run("verify", "--db", talk.url, *more)
        assert result.exit_code == 1
        assert "there was nothing to verify" in result.output


def test_the_bar_counts_events(terminal, talk):
    assert "6 events of 1 streams: every hash holds" in terminal("verify", "--db", talk.url)
