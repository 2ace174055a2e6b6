"""A person and a whole thread are erased: from every table, and from every file of the store."""

import os
import shutil
import signal
import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore, InvalidInput, NewEvent, ProviderForm, SubjectNotFound
from eventstore.read_models import MessageSearch, search
from eventstore.testing.faults import Faults, die
from tests.concurrency.schedules import Child
from tests.conformance.test_ways_of_running import engine_at
from tests.privacy.test_erased_bytes import TAIL, WORDS, found_in
from tests.storage.lives import ask

LONG = f"{WORDS} {'said at length ' * 3_000}{WORDS}"
INVOICE = "invoice_" + "1" * 32


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def store(path):
    with ConversationStore.open(f"sqlite:///{path}") as opened:
        yield opened
        assert opened.projections.compare().findings == ()
        assert opened.audit.verify().findings == ()


def lived(store, name="alice", words=WORDS):
    """Let a person leave words in every place; return a thread, its fork, and what Bob said."""
    hers = {"subject": name}
    store.projections.register(MessageSearch())
    thread = store.threads.create(
        title=f"about {words}", metadata={"who": words}, idempotency_key="t", **hers
    ).id
    bob = store.messages.create(thread, role="user", content="Bob's own words", subject="bob")
    said = store.messages.create(
        thread,
        role="user",
        content=f"{words} and {LONG}" if words == WORDS else words,
        name=words,
        external_id=words,
        metadata={"x": words},
        provider=ProviderForm(format="openai.chat", data=b"\0" + words.encode()),
        idempotency_key="m",
        **hers,
    )
    store.messages.amend(thread, said.id, content=f"amended {words}", reason=words)
    store.branches.label(thread, said.id, words)
    store.branches.label(thread, bob.id, f"by her {words}", **hers)
    removed = store.messages.create(thread, role="user", content=f"removed {words}", **hers)
    store.messages.remove(thread, removed.id, reason=f"why {words}", **hers)
    fork = store.threads.fork(thread).id
    store.messages.amend(fork, said.id, content=f"in the fork {words}")
    run = store.runs.create(
        thread, instructions=words, tools=[{"name": words}], metadata={"r": words}, **hers
    )
    store.runs.start(thread, run.id)
    context = store.runs.context(thread, run.id)
    step = store.runs.steps.start(thread, run.id, context=context, details={"d": words})
    call = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"q": words}}
    store.messages.create(
        thread, role="assistant", content=[f"answer {words}", call], run_id=run.id
    )
    result = {"type": "tool_result", "call_id": "c1", "output": f"found {words}"}
    store.messages.create(thread, role="tool", content=[result], run_id=run.id)
    store.runs.steps.fail(thread, step.id, message=words)
    waiting = store.messages.create(thread, role="user", content=f"queued {words}", **hers)
    assert waiting.status == "queued"
    store.runs.write_text(thread, run.id, f"chunk {words}", message_id=f"msg_{'5' * 32}", offset=0)
    store.runs.fail(thread, run.id, message=words)
    helper = store.assistants.create(name=words, instructions=words, **hers).id
    store.assistants.update(helper, name=f"new {words}", **hers)
    store.assistants.delete(helper, reason=words, **hers)
    store.events.append(
        INVOICE,
        [NewEvent(type="Sent", content={"to": LONG if words == WORDS else words})],
        expected_version=0,
        subject=name,
    )
    gone = store.threads.create().id
    store.privacy.purge(gone, reason=words, subject=name)
    return thread, fork, bob.id


def without_bytes(made):
    return made.model_copy(update={"remains": (), "pending": False})


def test_a_person_is_erased_from_every_place_and_nobody_else(store, path):
    thread, fork, bob = lived(store)
    store.projections.catch_up()
    assert found_in(path)
    assert len(list(store.projections.read("search", search(WORDS)))) > 2

    made = store.privacy.erase(subject="alice", reason="request 17", actor="officer")
    store.projections.catch_up()
    again = store.privacy.erase(subject="alice")

    assert made.pending
    assert (again.pending, again.remains) == (False, ())
    assert found_in(path) == []
    assert without_bytes(again) == without_bytes(made)
    assert (made.actor, made.thread_id, made.message_id) == ("officer", None, None)
    assert {one.stream_id.partition("_")[0] for one in made.erased} == {
        *("thread", "asst", "store", "invoice")
    }
    [record] = [one for one in store.events.read_all() if one.type == "SubjectErased"]
    assert record.content == {"reason": "request 17"}
    assert record.data["events"] == len(made.erased)
    assert record.data["subject_id"] == made.subject_id
    assert (made.version, made.erased_at) == (record.version, record.recorded_at)
    assert "alice" not in str(list(store.events.read_all()))

    kept = store.messages.get(thread, bob)
    assert (kept.text, kept.erased) == ("Bob's own words", False)
    assert all(one.erased for one in store.messages.list(thread) if one.id != bob)
    shown = store.threads.get(thread)
    assert (shown.title, shown.metadata) == (None, {})
    assert store.threads.get(fork).metadata == {}
    assert list(store.threads.list(metadata={"who": WORDS})) == []
    assert [store.branches.tree(thread).nodes[0].message.role] == ["user"]
    assert list(store.projections.read("search", search(WORDS))) == []
    assert len(list(store.projections.read("search", search("own")))) == 1
    store.projections.rebuild(projection="search")
    store.projections.catch_up()
    assert len(list(store.projections.read("search", search("own")))) == 1
    assert ask(path, "SELECT count(*) FROM idempotency_keys WHERE length(digest) > 0") == [(0,)]
    assert ask(path, "SELECT count(*) FROM thread_metadata") == [(0,)]
    assert ask(path, "SELECT count(*) FROM external_ids") == [(0,)]
    assert ask(path, "SELECT count(*) FROM labels WHERE label IS NOT NULL") == [(0,)]


def test_a_thread_is_erased_and_keeps_its_skeleton(store, path):
    thread, fork, _ = lived(store)
    before = store.branches.tree(thread)
    version = store.threads.get(thread).version
    made = store.privacy.erase(thread, reason="request 18", actor="officer")
    store.projections.catch_up()
    again = store.privacy.erase(thread)
    assert without_bytes(again) == without_bytes(made)
    assert (made.thread_id, made.message_id, made.version) == (thread, None, version + 1)
    assert {one.version for one in made.erased if one.stream_id == thread} >= {1, 2, 3, 4}
    after = store.branches.tree(thread)
    assert [node.message.id for node in after.nodes] == [node.message.id for node in before.nodes]
    assert [node.message.role for node in after.nodes] == [
        node.message.role for node in before.nodes
    ]
    assert all(node.message.erased for node in after.nodes)
    assert all(one.erased for one in store.messages.list(fork))
    assert store.threads.get(fork).metadata == {}
    assert list(store.threads.list(metadata={"who": WORDS})) == []
    store.privacy.erase(subject="alice")
    assert found_in(path) == []
    last = list(store.events.read(thread))[-1]
    assert (last.type, last.content) == ("ContentErased", {"reason": "request 18"})


def test_a_fork_that_is_erased_names_its_source(store):
    thread = store.threads.create().id
    said = store.messages.create(thread, role="user", content="in the source")
    fork = store.threads.fork(thread).id
    store.messages.create(fork, role="user", content="its own")
    [copy] = store.privacy.erase(fork).copies
    assert (copy.kind, copy.thread_id, copy.id) == ("source", thread, said.id)
    assert [one.text for one in store.messages.list(fork)] == ["in the source", ""]


def test_an_empty_thread_has_a_certificate(store):
    thread = store.threads.create().id
    store.privacy.erase(thread)
    made = store.privacy.erase(thread)
    assert [one.version for one in made.erased] == [1]
    assert [one.type for one in store.events.read(thread)] == ["ThreadCreated", "ContentErased"]


def test_what_was_written_since_is_erased_by_the_next_call(store):
    thread = store.threads.create().id
    first = store.messages.create(thread, role="user", content="first", subject="alice")
    made = store.privacy.erase(subject="alice")
    second = store.messages.create(thread, role="user", content="second", subject="alice")
    again = store.privacy.erase(subject="alice")
    assert (len(made.erased), len(again.erased), again.version) == (1, 2, 2)
    assert store.messages.get(thread, first.id).erased
    assert store.messages.get(thread, second.id).erased


def test_what_another_said_about_her_message_goes_and_what_she_said_about_his_does_not_take_it(
    store,
):
    """An event belongs to one person: it goes with that person, whatever else it says."""
    thread = store.threads.create(title="Bob's").id
    hers = store.messages.create(thread, role="user", content="hers", subject="alice")
    his = store.messages.create(thread, role="user", content="his", subject="bob", name="Bob")
    store.messages.amend(thread, hers.id, content="his about hers", subject="bob")
    store.messages.update(thread, his.id, name="Bobby", metadata={"a": 1}, subject="alice")
    store.threads.update(thread, title="hers", subject="alice")
    quoting = store.messages.edit(thread, hers.id, content="quoting her", subject="bob")
    made = store.privacy.erase(subject="alice")
    assert [(one.kind, one.id) for one in made.copies] == [("edit", quoting.id)]
    assert store.messages.get(thread, hers.id).erased
    kept = store.messages.get(thread, his.id)
    assert (kept.text, kept.name, kept.metadata) == ("his", None, {})
    assert store.threads.get(thread).title is None, "the title before hers does not come back"
    assert store.messages.get(thread, quoting.id).text == "quoting her"


@pytest.mark.parametrize("where", ["in the thread", "in a fork"])
@pytest.mark.parametrize("hers", ["a message", "a wording"])
def test_steps_of_others_that_saw_her_words_prove_nothing_any_more(store, where, hers):
    """Digest and salt would allow to test guesses of the words."""
    thread = store.threads.create().id
    before = store.messages.create(thread, role="user", content="before", subject="bob")
    fork_before = store.threads.fork(thread).id
    if hers == "a message":
        store.messages.create(thread, role="user", content="hers", subject="alice")
    else:
        store.messages.amend(thread, before.id, content="hers", subject="alice")
    seen = thread if where == "in the thread" else store.threads.fork(thread).id
    steps = {}
    for one in (seen, fork_before):
        run = store.runs.create(one, subject="bob")
        store.runs.start(one, run.id)
        context = store.runs.context(one, run.id)
        step = store.runs.steps.start(one, run.id, context=context, details={"n": 1})
        steps[one] = run.id, step.id
    made = store.privacy.erase(subject="alice")
    gone = store.runs.context(seen, steps[seen][0], step_id=steps[seen][1])
    assert (gone.verified, gone.salt, gone.digest) == (None, None, None)
    kept = store.runs.context(fork_before, steps[fork_before][0], step_id=steps[fork_before][1])
    assert kept.verified, "it saw what was before"
    assert (seen, made.erased) == (seen, store.privacy.erase(subject="alice").erased)
    assert seen in {one.stream_id for one in made.erased}


@pytest.mark.parametrize("what", ["the person", "the thread"])
def test_text_that_is_being_written_goes_at_once(store, path, what):
    thread = store.threads.create(subject="alice").id
    store.messages.create(thread, role="user", content="why?", subject="alice")
    run = store.runs.create(thread, instructions="be brief", subject="alice").id
    store.runs.start(thread, run)
    store.runs.write_text(thread, run, f"so {WORDS}", message_id=f"msg_{'5' * 32}", offset=0)
    assert found_in(path)
    if what == "the person":
        store.privacy.erase(subject="alice")
    else:
        store.privacy.erase(thread)
    assert ask(path, "SELECT count(*) FROM run_chunks") == [(0,)]
    assert found_in(path) == []
    store.runs.start(thread, run, take_over=True)
    fence = store.runs.get(thread, run).fence
    written = {"role": "assistant", "run_id": run, "fence": fence}
    late = store.messages.create(thread, content=f"late {WORDS}", **written)
    store.runs.complete(thread, run, fence=fence)
    if what == "the person":
        store.privacy.erase(subject="alice")
    else:
        store.privacy.erase(thread)
    assert store.messages.get(thread, late.id).erased, "it was written in the person's run"
    assert found_in(path) == []


def test_mistakes_are_named(store):
    store.threads.create(subject="alice", title="x")
    with pytest.raises(SubjectNotFound) as told:
        store.privacy.erase(subject="Alice Cooper")
    assert "Alice" not in str(told.value)
    assert str(told.value.id).startswith("subject_")
    with pytest.raises(SubjectNotFound):
        store.tenant("other").privacy.erase(subject="alice")
    thread = store.threads.create().id
    for field, given in {
        "thread_id": {"thread_id": thread},
        "include": {"include": ["run"]},
        "expected_version": {"expected_version": 1},
    }.items():
        with pytest.raises(InvalidInput) as refused:
            store.privacy.erase(subject="alice", **given)
        assert refused.value.field == field
    for given in ({}, {"message_id": f"msg_{'1' * 32}"}, {"subject": ""}):
        with pytest.raises(InvalidInput):
            store.privacy.erase(**given)
    with pytest.raises(InvalidInput, match="include"):
        store.privacy.erase(thread, include=["edits"])
    with pytest.raises(InvalidInput, match="belongs to the library"):
        store.events.append(INVOICE, [{"type": "ContentErased"}], expected_version=0)


def test_it_can_be_done_in_a_transaction_of_the_application(path):
    with (
        engine_at(f"sqlite:///{path}") as engine,
        ConversationStore.open(f"sqlite:///{path}") as store,
    ):
        thread, _, bob = lived(store)
        with engine.connect() as connection:
            made = store.privacy.erase(subject="alice", connection=connection)
            assert made.pending
            connection.rollback()
        assert found_in(path)
        with engine.begin() as connection:
            inside = store.privacy.erase(subject="alice", connection=connection)
        store.projections.catch_up()
        assert without_bytes(store.privacy.erase(subject="alice")) == without_bytes(inside)
        assert store.messages.get(thread, bob).text == "Bob's own words"
        assert found_in(path) == []


def test_evidence_keeps_it_erased(store):
    key = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    private = key.Ed25519PrivateKey.generate()
    thread, fork, _ = lived(store)
    store.privacy.erase(subject="alice")
    for one in (thread, fork):
        file = store.audit.export(one, private)
        assert TAIL.encode() not in file
        assert b"Bob's own words" in file


@pytest.fixture
def begun(tmp_path):
    """A closed file in which a person left words in three streams and a fork."""
    place = tmp_path / "begun.db"
    with ConversationStore.open(f"sqlite:///{place}") as store:
        for _ in range(2):
            thread = store.threads.create(title=WORDS, subject="alice").id
            said = store.messages.create(thread, role="user", content=LONG, subject="alice")
            fork = store.threads.fork(thread).id
            store.messages.amend(fork, said.id, content=f"in the fork {WORDS}")
        store.assistants.create(name=WORDS, subject="alice")
    return place


def test_killed_after_any_commit_a_repeat_finishes_with_the_same_certificate(begun, tmp_path):
    def erase(path, strike=None):
        faults = Faults()

        def act():
            arguments = faults.connect_args
            store = ConversationStore.open(f"sqlite:///{path}", connect_args=arguments)
            with faults.at(strike, die, when="after"):
                store.privacy.erase(subject="alice", actor="officer")

        return Child(act).wait()

    path, faults = tmp_path / "whole.db", Faults()
    shutil.copy(begun, path)
    with (
        ConversationStore.open(f"sqlite:///{path}", connect_args=faults.connect_args) as store,
        faults.watched() as calls,
    ):
        whole = store.privacy.erase(subject="alice", actor="officer")
    commits = [n for n, call in enumerate(calls, 1) if call == "COMMIT"]
    assert len(commits) > 6
    few = commits if os.environ.get("LAWS") == "long" else commits[::3]
    for n in few:
        path = tmp_path / f"{n}.db"
        shutil.copy(begun, path)
        assert erase(path, n) == -signal.SIGKILL
        with ConversationStore.open(f"sqlite:///{path}") as store:
            made = store.privacy.erase(subject="alice", actor="officer")
            assert made.erased == whole.erased
            assert (made.version, made.pending, made.actor) == (1, False, "officer")
            assert store.privacy.erase(subject="alice") == made
            assert store.projections.compare().findings == ()
            assert store.audit.verify().findings == ()
        assert found_in(path) == []


def test_the_write_lock_is_given_back_between_streams(begun):
    """Another process, which waits for nobody, writes between any two of its transactions."""
    committed = []

    class Watched(sqlite3.Connection):
        def execute(self, sql, *parameters):
            made = super().execute(sql, *parameters)
            if sql == "COMMIT":
                with closing(sqlite3.connect(begun, timeout=0)) as other:
                    other.execute("BEGIN IMMEDIATE")
                    committed.append(sql)
            return made

    arguments = {"factory": Watched}
    with ConversationStore.open(f"sqlite:///{begun}", connect_args=arguments) as store:
        committed.clear()
        store.privacy.erase(subject="alice")
    assert len(committed) > 6


def test_many_streams_take_one_pass(store):
    """The search for the next stream does not begin anew with each."""
    for number in range(30):
        store.threads.create(title=f"{number} {WORDS}", subject="alice")
    made = store.privacy.erase(subject="alice")
    assert len(made.erased) == 30


# -- what the request of one person does to what is another's --------------------------------------


def showing(store, **given):
    """A thread with a run that shows a piece of text, and two messages that wait for it."""
    thread = store.threads.create().id
    run = store.runs.create(thread, **given).id
    store.runs.start(thread, run)
    store.messages.create(thread, role="user", content="of Bob", subject="bob")
    store.messages.create(thread, role="user", content="of nobody")
    store.runs.write_text(thread, run, "shown", message_id=f"msg_{'0a' * 16}", offset=0)
    return thread, run


ENDS = {
    "interrupted": lambda store, thread, _, name: store.messages.create(
        thread, role="user", content="in between", subject=name, on_busy="interrupt"
    ),
    "failed": lambda store, thread, run, name: store.runs.fail(
        thread, run, message="why", subject=name
    ),
}


def said(store, thread):
    return {one.text for one in store.messages.list(thread)} - {"", "in between"}


@pytest.mark.parametrize("how", ENDS)
def test_who_lets_waiting_messages_in_does_not_own_them(store, how):
    thread, run = showing(store)
    ENDS[how](store, thread, run, "carol")
    store.privacy.erase(subject="carol")
    assert said(store, thread) == {"shown", "of Bob", "of nobody"}
    store.privacy.erase(subject="bob")
    assert said(store, thread) == {"shown", "of nobody"}


@pytest.mark.parametrize("how", ENDS)
def test_text_that_a_run_leaves_unfinished_is_of_the_runs_person(store, how):
    thread, run = showing(store, subject="alice")
    ENDS[how](store, thread, run, "carol")
    store.privacy.erase(subject="carol")
    assert said(store, thread) == {"shown", "of Bob", "of nobody"}
    store.privacy.erase(subject="alice")
    assert said(store, thread) == {"of Bob", "of nobody"}
