"""``eventstore import``: files into a database."""

import gzip
import json

import pytest

from eventstore import ConversationStore
from tests.cli.conftest import DATA

REAL = DATA / "oasst_trees.jsonl"
SAMPLE = DATA / "openassistant_sample.jsonl"
SECRET = "what nobody else may read"


def counted(url):
    with ConversationStore.open(url) as store:
        return len(store.threads.list(limit=None)), store.health().events


def malformed(tmp_path):
    """The sample, and after it a tree whose second message is wrong."""
    reply = {"message_id": "b", "role": "nobody", "text": SECRET}
    prompt = {"message_id": "a", "role": "prompter", "text": SECRET, "replies": [reply]}
    file = tmp_path / "malformed.jsonl"
    line = json.dumps({"message_tree_id": "wrong", "prompt": prompt})
    file.write_text(SAMPLE.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    return file


def test_a_file_of_real_trees_is_imported_and_agrees_with_its_events(run, database):
    assert run("import", str(REAL), "--db", database).stdout == (
        "imported 60 threads, 700 messages\n"
    )
    assert counted(database) == (60, 760)
    assert run("check", "--db", database).exit_code == 0


def test_importing_it_twice_adds_nothing(run, database):
    run("import", str(SAMPLE), "--db", database)
    before = counted(database)
    again = run("import", str(SAMPLE), "--db", database)
    assert again.stdout == "imported 0 threads, 0 messages; 2 threads were there already\n"
    assert counted(database) == before == (2, 7)


def test_what_was_said_in_a_thread_since_stays(run, database):
    run("import", str(SAMPLE), "--db", database)
    with ConversationStore.open(database) as store:
        thread = store.threads.list()[0].id
        store.messages.create(thread, role="user", content="And now?")
        store.threads.archive(thread)
    assert run("import", str(SAMPLE), "--db", database).exit_code == 0
    assert counted(database) == (2, 9)


def test_an_import_that_was_cut_off_is_finished_by_the_next(run, database):
    with ConversationStore.open(database) as store:
        metadata = {"message_tree_id": "tree-2", "tree_state": "growing", "source": "openassistant"}
        store.threads.create(metadata=metadata, idempotency_key="openassistant:tree-2")
    assert run("import", str(SAMPLE), "--db", database).stdout.startswith("imported 2 threads")
    assert counted(database) == (2, 7)


def test_a_malformed_line_is_named_and_leaves_nothing_of_its_tree(run, database, tmp_path):
    result = run("import", str(malformed(tmp_path)), "--db", database)
    assert result.exit_code == 1
    assert "line 4, prompt.replies[0].role" in result.stderr
    assert SECRET not in result.output
    assert counted(database) == (2, 7)


def test_a_tree_that_changed_since_is_refused_and_nothing_of_it_is_kept(run, database, tmp_path):
    run("import", str(SAMPLE), "--db", database)
    changed = tmp_path / "changed.jsonl"
    changed.write_text(SAMPLE.read_text(encoding="utf-8").replace("Mittags?", SECRET))
    result = run("import", str(changed), "--db", database)
    assert result.exit_code == 1
    assert "line 1, message_tree_id" in result.stderr
    assert SECRET not in result.output
    assert counted(database) == (2, 7)


def test_a_gzipped_file_is_read(run, database, tmp_path):
    packed = tmp_path / "trees.jsonl.gz"
    packed.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert run("import", str(packed), "--db", database).exit_code == 0
    assert counted(database) == (2, 7)


@pytest.mark.parametrize(
    "cut", [gzip.compress(b"x" * 99)[:-9], b"no gzip at all"], ids=["cut short", "no archive"]
)
def test_a_damaged_archive_is_said_to_be_damaged(run, database, tmp_path, cut):
    packed = tmp_path / "trees.jsonl.gz"
    packed.write_bytes(cut)
    result = run("import", str(packed), "--db", database)
    assert result.exit_code == 1
    assert "FILE: cannot be read" in result.stderr


def test_a_minus_is_standard_input(program, database):
    with SAMPLE.open("rb") as lines:
        done = program("import", "-", "--db", database, stdin=lines)
    assert done.returncode == 0, done.stderr
    assert counted(database) == (2, 7)


def test_a_file_that_is_not_there_is_wrong_usage_and_makes_no_database(run, tmp_path):
    result = run("import", "none.jsonl", "--db", f"sqlite:///{tmp_path / 'new.db'}")
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_shows_progress_and_a_pipe_does_not(terminal, program, database):
    assert "importing" in terminal("import", str(REAL), "--db", database)
    piped = program("import", str(REAL), "--db", database)
    assert piped.stderr == ""
    assert piped.stdout == "imported 0 threads, 0 messages; 60 threads were there already\n"
