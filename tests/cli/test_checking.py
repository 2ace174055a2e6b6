"""``eventstore check``: the tables beside what the events say."""

import json
import sqlite3

import pytest


@pytest.fixture
def tampered(talk):
    """A database in which somebody removed a row by hand."""
    with sqlite3.connect(talk.url.removeprefix("sqlite:///")) as connection:
        connection.execute("DELETE FROM labels")
    connection.close()
    return talk


def test_tables_that_agree_with_their_events_are_confirmed(run, talk):
    result = run("check", "--db", talk.url)
    assert result.exit_code == 0
    assert result.stdout == "1 thread: the tables match the events\n"


def test_a_row_that_is_missing_is_found_and_mended_by_rebuilding(run, tampered):
    found = run("check", "--db", tampered.url)
    assert found.exit_code == 1
    assert "missing_row" in found.stdout
    assert tampered.thread in found.stdout
    assert found.stdout.endswith(
        "1 row differs from what the events say; --rebuild makes it anew\n"
    )
    mended = run("check", "--rebuild", "--db", tampered.url)
    assert mended.exit_code == 0
    assert "rebuilt" in mended.stdout
    assert run("check", tampered.thread, "--db", tampered.url).exit_code == 0


def test_a_program_gets_the_findings_as_json(run, tampered):
    result = run("check", "--json", "--db", tampered.url)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["threads"] == 1
    assert [finding["kind"] for finding in report["findings"]] == ["missing_row"]


def test_a_blob_that_was_left_behind_is_named_and_nothing_is_promised(run, talk):
    with sqlite3.connect(talk.url.removeprefix("sqlite:///")) as connection:
        connection.execute(
            "INSERT INTO blobs SELECT tenant, category, stream, 2, x'00' FROM events LIMIT 1"
        )
    connection.close()
    found = run("check", "--rebuild", "--db", talk.url)
    assert found.exit_code == 1
    assert f"extra_blob     {talk.thread} at version 2\n" in found.stdout
    assert found.stdout.endswith(
        "1 blob is missing or left behind, which --rebuild does not mend\n"
    )


def test_an_event_that_is_missing_is_named_and_reading_stops_there(run, talk):
    with sqlite3.connect(talk.url.removeprefix("sqlite:///")) as connection:
        connection.execute("DROP TRIGGER events_no_delete")
        connection.execute(
            "DELETE FROM events WHERE version = 2 AND stream = (SELECT thread FROM threads)"
        )
    connection.close()
    found = run("check", "--db", talk.url)
    assert found.exit_code == 1
    assert f"missing_event  {talk.thread} at version 2\n" in found.stdout
    assert found.stdout.endswith("1 gap in the events, which --rebuild does not mend\n")
    for command in (["log", talk.thread], ["log"], ["replay", talk.thread], ["check", "--rebuild"]):
        told = run(*command, "--db", talk.url)
        assert told.exit_code == 1
        assert "BrokenChain" in told.stderr
        assert "version 2" in told.stderr
