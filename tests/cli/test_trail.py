"""``trail`` and ``diff``: what they print, as JSON, and as a page."""

import json

import pytest

from eventstore import ConversationStore
from eventstore.threads import folding
from tests.cli.test_looking import lines, objects
from tests.storage.lives import ask

HOSTILE = "<b>bold</b> \x1b[2J\u202e"


@pytest.fixture
def thread(database):
    with ConversationStore.open(database) as store:
        acting = store.acting(actor="ann", correlation_id="req-1")
        made = acting.threads.create(title="Complaint").id
        acting.messages.create(made, role="user", content=f"Twice!\n{HOSTILE}")
        answer = store.messages.create(made, role="assistant", content="No.", actor="bot").id
        store.messages.amend(made, answer, content="Yes.", actor="cat", reason="it was wrong")
        store.threads.update(made, title="Solved", actor="cat")
        gone = store.messages.create(made, role="user", content="SECRET", actor="ann").id
        store.privacy.erase(made, gone, actor="dpo")
        return made


def test_a_trail_reads_like_a_story(run, database, thread):
    shown = lines(run("trail", thread, "--db", database))
    told = [line[10:].rstrip() for line in shown[1:]]
    short = thread.removeprefix("thread_")[:16]
    assert told[:5] == [
        f"ann began the thread  v1  {short}",
        "title: Complaint",
        "correlation req-1",
        told[3],
        "user: Twice!",
    ]
    assert told[5] == "<b>bold</b> \N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}"
    assert "content: No. → Yes." in told
    assert "reason: it was wrong" in told
    assert "title: Complaint → Solved" in told
    assert "user: (erased)" in told
    assert told[-1] == "in versions: 6"
    assert "SECRET" not in "".join(shown)


def test_a_trail_is_filtered_and_printed_as_json(run, database, thread):
    found = objects(run("trail", thread, "--actor", "cat", "--json", "--db", database))
    assert [one["type"] for one in found] == ["MessageAmended", "ThreadUpdated"]
    kinds = ["--type", "ThreadUpdated", "--type", "ThreadCreated"]
    assert len(objects(run("trail", *kinds, "--json", "--db", database))) == 2
    early = run("trail", thread, "--until", "2000-01-01", "--db", database)
    assert (early.exit_code, early.stdout) == (0, "")
    assert "no entry matches" in early.stderr
    wrong = run("trail", thread, "--type", "Amended", "--db", database)
    assert wrong.exit_code == 1
    assert "--type" in wrong.stderr


def test_a_trail_becomes_a_page(run, database, thread, tmp_path):
    page = tmp_path / "trail.html"
    assert lines(run("trail", thread, "--html", str(page), "--db", database)) == []
    text = page.read_text(encoding="utf-8")
    assert "<title>Trail: Solved</title>" in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert not {"\x1b", "\u202e"} & {*text}
    nowhere = run("trail", thread, "--html", str(tmp_path / "no" / "x.html"), "--db", database)
    assert nowhere.exit_code == 2
    both = run("trail", thread, "--html", str(page), "--json", "--db", database)
    assert both.exit_code == 2
    every = run("trail", "--all-tenants", "--html", str(page), "--db", database)
    assert every.exit_code == 2
    assert "--tenant" in every.stderr
    assert page.read_text(encoding="utf-8") == text


def test_a_difference_shows_old_and_new(run, database, thread):
    shown = lines(run("diff", thread, "3", "5", "--db", database))
    assert [line.strip() for line in shown[1:]] == [
        *(f"~ thread thread…{thread[-6:]}", "title", "- Complaint", "+ Solved"),
        shown[5].strip(),
        *("content", "- No.", "+ Yes."),
    ]
    assert lines(run("diff", thread, "5", "5", "--db", database))[1:] == ["no difference"]
    found = json.loads(run("diff", thread, "6", "--json", "--db", database).stdout)
    assert (found["to_version"], len(found["erased"])) == (7, 1)
    time = objects(run("log", thread, "--json", "--db", database))[2]["recorded_at"]
    assert lines(run("diff", thread, time, "5", "--db", database)) == shown


def test_a_difference_leaves_its_snapshots_to_the_next_command(
    run, database, thread, tmp_path, monkeypatch
):
    monkeypatch.setattr(folding, "EVENTS_MAX", 20)
    with ConversationStore.open(database) as store:
        for number in range(60):
            store.threads.update(thread, title=f"title {number}")
    kept = "SELECT count(*) FROM snapshots"
    assert ask(tmp_path / "here.db", kept) == [(0,)]
    shown = lines(run("diff", thread, "66", "--db", database))
    assert [line.strip() for line in shown[-2:]] == ["- title 58", "+ title 59"]
    assert ask(tmp_path / "here.db", kept)[0][0] > 1
    assert lines(run("diff", thread, "66", "--db", database)) == shown


def test_a_difference_from_before_the_beginning_is_an_error(run, database, thread):
    for moment in ("0", "1999-12-31"):
        result = run("diff", thread, moment, "--db", database)
        assert result.exit_code == 1
        assert "MomentNotFound" in result.stderr
    assert run("diff", thread, "soon", "--db", database).exit_code == 2


def test_an_export_is_printed_or_written(run, database, thread, tmp_path):
    page = run("export", thread, "--db", database)
    with ConversationStore.open(database) as store:
        assert page.stdout == store.threads.export(thread)
        html = store.threads.export(thread, format="html", at_version=2)
    file = tmp_path / "talk.html"
    options = ["--format", "html", "--at-version", "2", "--out", str(file)]
    assert lines(run("export", thread, *options, "--db", database)) == []
    assert file.read_text(encoding="utf-8") == html
    assert run("export", thread, "--format", "pdf", "--db", database).exit_code == 2
    shown = run("export", thread, "--format", "json", "--db", database).stdout
    assert not set(shown) & {"\x1b", "\u202e"}
    assert HOSTILE in json.loads(shown)["messages"][0]["text"]
