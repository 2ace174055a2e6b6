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
    assert result.stdout == "1 thread: the tables say what the events say\n"


def test_a_row_that_is_missing_is_found_and_mended_by_rebuilding(run, tampered):
    found = run("check", "--db", tampered.url)
    assert found.exit_code == 1
    assert "missing_row" in found.stdout
    assert tampered.thread in found.stdout
    mended = run("check", "--rebuild", "--db", tampered.url)
    assert mended.exit_code == 0
    assert "rebuilt" in mended.stdout
    assert run("check", tampered.thread, "--db", tampered.url).exit_code == 0


def test_a_program_gets_the_findings_as_json(run, tampered):
    result = run("check", "--json", "--db", tampered.url)
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["threads"] == 1
    assert [finding[2] for finding in report["findings"]] == ["missing_row"]
