"""``eventstore erase`` and ``purge``: they show what would go and ask, and certify what is gone."""

import json
import re
import sqlite3

import pytest
from typer.testing import CliRunner

from eventstore import ConversationStore
from eventstore.cli.app import app


@pytest.fixture
def answer(talk):
    """Run a command and answer what it asks; there is nobody to ask without an answer."""

    def answer(said, *arguments):
        runner = CliRunner(env={"COLUMNS": "80", "EVENTSTORE_DB": talk.url})
        return runner.invoke(app, list(arguments), prog_name="eventstore", input=said)

    return answer


@pytest.fixture
def forked(talk):
    """A fork of the talk that says something of its own about the question."""
    with ConversationStore.open(talk.url) as store:
        fork = store.threads.fork(talk.thread).id
        store.messages.amend(fork, talk.question, content="Why is the sky blue at noon?")
    return fork


def text_of(talk, message):
    with ConversationStore.open(talk.url) as store:
        return store.messages.get(talk.thread, message).text


def test_an_erasure_is_shown_asked_for_and_certified(answer, talk, forked):
    result = answer("y\n", "erase", talk.thread, talk.question[-8:], "--reason", "request 17")
    assert result.exit_code == 0, result.output
    shown, told = result.stderr, result.stdout
    assert "Why is the sky blue?" in shown
    assert f"  {talk.thread}\n    version 2\n  {forked}, a fork\n    version 2\n" in shown
    assert shown.rstrip().endswith("Erase it for good? [y/N]")
    assert f"{talk.question} is erased" in told
    assert f"  {talk.thread}\n    version 2\n  {forked}, a fork\n    version 2\n" in told
    assert "gone from the database's files" in told
    assert "sky" not in told
    assert max(map(len, (shown + told).splitlines())) <= 80
    with ConversationStore.open(talk.url) as store:
        assert store.messages.get(forked, talk.question).erased
        *_, last = store.events.read(talk.thread)
        assert last.content == {"reason": "request 17"}


def test_a_person_and_a_thread_are_erased_by_options(talk, answer):
    with ConversationStore.open(talk.url) as store:
        store.messages.create(talk.thread, role="user", content="I am Ann", subject="user_17")
    result = answer("y\n", "erase", "--subject", "user_17", "--actor", "o_3")
    assert result.exit_code == 0
    assert "the content of 1 event in 1 thread" in result.stderr
    assert "is erased" in result.stdout
    assert "user_17" not in result.stdout
    again = answer(None, "erase", "--subject", "user_17", "--yes", "--json", "--all-tenants")
    assert json.loads(again.stdout)["actor"] == "o_3"
    unknown = answer(None, "erase", "--subject", "user_18", "--yes", "--all-tenants")
    assert (unknown.exit_code, "nothing was written in the name" in unknown.stderr) == (1, True)
    whole = answer("y\n", "erase", "--thread", talk.thread)
    assert whole.exit_code == 0
    assert f"{talk.thread} is erased" in whole.stdout
    for wrong in (["erase"], ["erase", talk.thread], ["erase", talk.thread, "--subject", "a"]):
        assert answer(None, *wrong, "--yes").exit_code == 2


@pytest.mark.parametrize("said", ["n\n", "\n", ""])
@pytest.mark.parametrize("command", ["erase", "purge"])
def test_nothing_happens_without_a_yes(answer, talk, command, said):
    named = [talk.question] if command == "erase" else []
    result = answer(said, command, talk.thread, *named)
    assert result.exit_code == (1 if said else 2)
    assert result.stdout == ""
    assert ("nothing was changed" if said else "Give --yes") in result.stderr
    assert "[y/N] \n" in result.stderr, "what follows begins a line of its own"
    assert text_of(talk, talk.question) == "Why is the sky blue?"


def test_the_preview_says_what_the_certificate_says(answer, talk, forked):
    with ConversationStore.open(talk.url) as store:
        run = store.runs.create(talk.thread, instructions="Be brief.")
        store.runs.start(talk.thread, run.id)
        seen = store.runs.context(talk.thread, run.id)
        store.runs.steps.start(talk.thread, run.id, context=seen)
        store.runs.complete(talk.thread, run.id)
        store.messages.edit(forked, talk.question, content="Why is it blue?")
    for include in ([], ["--include", "edits"], ["--include", "edits", "--include", "run"]):
        result = answer("y\n", "erase", talk.thread, talk.question, *include)
        assert result.exit_code == 0, result.output
        assert listed(result.stderr) <= listed(result.stdout)
        assert ("--include" in result.stderr) == (len(include) < 4)
        assert len(listed(result.stdout)) > 4
    again = answer("y\n", "erase", talk.thread, talk.question)
    assert "Nothing of it is left to erase" in again.stderr


def listed(text):
    """The ids of threads, messages and runs, and the versions that a text lists."""
    ids = set(re.findall(r"(?:thread|run)_[0-9a-f]{32}", text))
    return ids | set(re.findall(r"msg_[0-9a-f]{32}(?=\n)", text)) | versions(text)


def versions(text):
    return {one for line in re.findall(r"versions? ([\d, ]+)", text) for one in line.split(", ")}


def test_programs_get_the_certificate_and_the_tombstone_as_json(answer, talk, forked):
    result = answer(None, "erase", talk.thread, talk.sea, "--yes", "--json", "--actor", "o_3")
    made = json.loads(result.stdout)
    assert (made["message_id"], made["actor"], made["pending"]) == (talk.sea, "o_3", False)
    assert [one["stream_id"] for one in made["erased"]] == [talk.thread, talk.thread]
    assert [one["kind"] for one in made["copies"]] == ["edit"]
    assert result.stderr == ""
    result = answer(None, "purge", talk.thread, "--forks", "purge", "--yes", "--json")
    made = json.loads(result.stdout)
    assert (made["thread_id"], made["forks"]) == (talk.thread, [forked])


def test_what_is_pending_is_explained(answer, talk):
    reader = sqlite3.connect(talk.url.removeprefix("sqlite:///"), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    result = answer(None, "erase", talk.thread, talk.question, "--yes")
    reader.close()
    assert "- the write-ahead log, which somebody reads or writes" in result.stdout
    assert "Pending:" in result.stdout
    assert "run the same command again" in " ".join(result.stdout.split())
    assert "gone from" in answer(None, "erase", talk.thread, talk.question, "--yes").stdout


def test_a_message_is_found_by_a_part_that_is_unique(answer, talk):
    common = talk.question[4:10]
    many = answer(None, "erase", talk.thread, common, "--yes")
    assert (many.exit_code, many.stdout) == (1, "")
    assert "of 3 messages" in many.stderr
    none = answer(None, "erase", talk.thread, "zz", "--yes")
    assert none.exit_code == 1
    assert "MessageNotFound" in none.stderr
    assert text_of(talk, talk.question) == "Why is the sky blue?"
    assert answer(None, "erase", talk.thread, talk.question[-8:], "--yes").exit_code == 0
    assert text_of(talk, talk.question) == ""


def test_an_inherited_message_is_refused_before_anything_is_asked(answer, talk, forked):
    result = answer("y\n", "erase", forked, talk.question)
    assert result.exit_code == 1
    assert talk.thread in result.stderr
    assert "[y/N]" not in result.stderr


def test_a_purge_is_refused_for_forks_or_takes_them_along(answer, talk, forked):
    refused = answer("y\n", "purge", talk.thread)
    assert refused.exit_code == 1
    assert forked in refused.stderr
    assert "[y/N]" not in refused.stderr
    done = answer("y\n", "purge", talk.thread, "--forks", "purge", "--reason", "request 18")
    assert done.exit_code == 0, done.output
    assert "6 events" in done.stderr
    assert forked in done.stderr
    assert f"{talk.thread} is purged" in done.stdout
    assert "request 18" in done.stdout
    assert forked in done.stdout
    with ConversationStore.open(talk.url) as store:
        assert list(store.threads.list(include_deleted=True)) == []
    again = answer(None, "purge", talk.thread)
    assert (again.exit_code, again.stdout, again.stderr) == (0, done.stdout, "")


def test_the_hash_on_a_tombstone_is_one_piece_however_narrow_the_window(run, talk):
    result = run("purge", talk.thread, "--yes", "--db", talk.url, columns=50)
    assert re.search(r"^  [0-9a-f]{64}$", result.stdout, re.MULTILINE)


def test_what_never_was_is_not_found(answer, talk):
    for command in (["purge", "0000"], ["purge", "7" * 32], ["erase", "0000", talk.question]):
        result = answer("y\n", *command)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "ThreadNotFound" in result.stderr


@pytest.mark.parametrize("command", [["erase", "0", "0"], ["purge", "0"]], ids=lambda one: one[0])
def test_they_make_no_database(run, tmp_path, command):
    result = run(*command, "--yes", "--db", f"sqlite:///{tmp_path / 'none.db'}")
    assert result.exit_code == 1
    assert "there is no database" in result.stderr
    assert list(tmp_path.iterdir()) == []
