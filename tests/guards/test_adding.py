"""A new event or row touches few files, and `CONTRIBUTING.md` names them."""

import re
from functools import cache

import pytest

from eventstore.conversation.events import THREAD_EVENTS
from eventstore.conversation.rows import ROW_KINDS
from eventstore.threads.row_tables import ROW_TABLES
from tests.guards.source import PACKAGE, PROJECT

FILES_MAX = 9
# They say where a thread comes from, what a message is, and what is gone: much depends on it.
CENTRAL = {"ThreadForked": 13, "MessageAdded": 13, "ContentErased": 13}
NEEDED = ("conversation/events/", "conversation/commands/")


STEP_ROWS = [
    "conversation/rows.py",
    "conversation/events/steps.py",
    "threads/run_rows.py",
    "storage/tables/run_tables.py",
    "storage/migrations/versions/r0001_first.py",
]
READS_STEP_ROWS = {
    *("conversation/commands/steps.py", "conversation/present_runs.py"),
    "api/operations/run_context.py",
    *("threads/past_thread.py", "threads/past_runs.py", "threads/subject_facts.py"),
    *("threads/run_stories.py", "threads/fresh_ids.py"),
}
"""They ask for such rows, as any code may."""


@cache
def sources():
    """The text of every file of the library but the test kit, by its name."""
    root = PROJECT / PACKAGE
    files = [one.relative_to(root) for one in root.rglob("*.py")]
    own = [one for one in files if one.parts[0] != "testing"]
    return {one.as_posix(): (root / one).read_text(encoding="utf-8") for one in own}


def naming(text):
    word = re.compile(text)
    return [name for name, source in sources().items() if word.search(source)]


@pytest.mark.parametrize("event", THREAD_EVENTS, ids=lambda event: event.name)
def test_an_event_is_named_in_the_listed_files_and_few_others(event):
    found = naming(rf"\b{event.name}\b")
    assert len(found) <= CENTRAL.get(event.name, FILES_MAX), found
    for needed in NEEDED:
        assert any(one.startswith(needed) for one in found), needed


def test_a_row_that_decisions_read_is_made_kept_and_stored_in_the_listed_files():
    made = {*naming(r'\bStepRow\b|"steps"')} - READS_STEP_ROWS
    assert made == set(STEP_ROWS)
    page = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = page.split("### A row that decisions read")[1].split("\n### ")[0]
    for place in STEP_ROWS:
        assert f"`{place.rpartition('/')[0]}/" in listed, place


def test_every_kind_of_row_has_a_table():
    assert set(ROW_TABLES) == set(ROW_KINDS)


@pytest.mark.parametrize(
    "module", ["audit/trail.py", "audit/trail_text.py", "conversation/fact_fold.py"]
)
def test_a_trail_takes_from_declarations_all_that_it_says_of_events(module):
    text = (PROJECT / PACKAGE / module).read_text(encoding="utf-8")
    assert [one.name for one in THREAD_EVENTS if one.name in text] == []


def test_every_file_of_the_lists_exists():
    page = (PROJECT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lists = page.split("## Add something")[1].split("\n## ")[0]
    places = re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", lists)
    assert len(places) > 20
    missing = [one for one in places if not (PROJECT / "eventstore" / one).exists()]
    assert [one for one in missing if not (PROJECT / one).exists()] == []
