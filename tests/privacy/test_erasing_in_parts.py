"""An erasure holds up other writers for moments only, and hides all that it takes at once."""

import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore, OutcomeUnknown
from eventstore.read_models import MessageSearch, search
from eventstore.storage import erasing
from tests.effort import assert_flat

WORD = "blackbird"
PART = 16
"""Most events in a part, here."""


class Between:
    """Acts after some commits of one store, and before some of its write transactions."""

    def __init__(self):
        self.after, self.before = {}, {}
        self.commits = 0
        self._begun = False

    def watch(self):
        """Count from now on."""
        self.commits = 0

    def connection(self):
        between = self

        class Watched(sqlite3.Connection):
            def execute(self, sql, *parameters):
                if sql == "BEGIN IMMEDIATE":
                    between.before.pop(between.commits, lambda: None)()
                    between._begun = True
                made = super().execute(sql, *parameters)
                if sql == "COMMIT" and between._begun:
                    between._begun = False
                    between.commits += 1
                    between.after.pop(between.commits, lambda: None)()
                return made

        return Watched


@pytest.fixture
def between():
    return Between()


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(erasing, "PART_EVENTS", PART)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@pytest.fixture
def store(path, between):
    arguments = {"factory": between.connection()}
    with ConversationStore.open(f"sqlite:///{path}", connect_args=arguments) as opened:
        yield opened
        assert opened.projections.compare().findings == ()


@pytest.fixture
def other(store, path):
    """Somebody who was there before."""
    del store
    with ConversationStore.open(f"sqlite:///{path}") as opened:
        opened.messages.create(opened.threads.create().id, role="user", content="hello")
        yield opened


def much_said(store, changes=2 * PART):
    """A thread whose first message was said again and again, and its fork."""
    thread = store.threads.create().id
    said = store.messages.create(thread, role="user", content=WORD, external_id="x").id
    with store.threads.batch(thread) as batch:
        for number in range(changes):
            batch.messages.amend(said, content=f"{WORD} {number}")
    fork = store.threads.fork(thread).id
    store.messages.amend(fork, said, content=f"{WORD} in the fork")
    return thread, fork, said


def assert_silent(store, thread, fork, said):
    """Nobody can read the words, by any way to read."""
    for one in (thread, fork):
        assert store.messages.get(one, said).erased
        assert [message.text for message in store.messages.list(one)] == [""]
        assert {message.text for message in store.messages.revisions(one, said)} == {""}
        assert {node.message.text for node in store.branches.tree(one).nodes} == {""}
        told = list(store.events.read(one))
        assert not [event for event in told if event.content and WORD in str(event.content)]
        state = store.replay.state(one, at_version=2 if one == thread else 1)
        assert [message.text for message in state.messages] == [""]
    assert WORD not in str([event.content for event in store.events.read_all()])
    assert list(store.threads.list(metadata={"said": WORD})) == []


def left_in(path):
    """How many contents with the word stand in the file's tables, and how much is listed."""
    with closing(sqlite3.connect(path)) as file:
        (left,) = file.execute(
            "SELECT count(*) FROM events WHERE instr(content, ?) > 0", [WORD]
        ).fetchone()
        (listed,) = file.execute("SELECT count(*) FROM erasing").fetchone()
    return left, listed


def test_all_of_it_is_hidden_from_everybody_before_the_first_part_goes(store, other, between, path):
    thread, fork, said = much_said(store)
    other.projections.register(MessageSearch())
    seen = []

    def look():
        assert_silent(other, thread, fork, said)
        assert other.projections.compare(thread).ok
        other.projections.catch_up()
        assert other.projections.read("search", search(WORD)).data == ()
        other.messages.create(other.threads.create().id, role="user", content="I need not wait")
        seen.append(left_in(path))

    between.watch()
    between.after = {1: look, 2: look, 3: look}
    made = store.privacy.erase(thread, said)
    assert len(made.erased) == 2 * PART + 2
    assert [listed for _, listed in seen] == [4, 3, 2]
    assert seen[0][0] == 2 * PART + 2, "nothing was gone yet"
    assert left_in(path) == (0, 0)
    assert_silent(store, thread, fork, said)
    assert made == store.privacy.erase(thread, said).model_copy(update={"version": made.version})


def test_no_transaction_of_it_takes_more_than_a_part(store, between):
    thread, _, said = much_said(store, changes=5 * PART)
    between.watch()
    store.privacy.erase(thread, said)
    assert between.commits == 1 + 6 + 1, "one says so, six parts go, and one of the fork"


def test_others_wait_as_long_in_a_long_thread_as_in_a_short_one(effort):
    took = []
    with ConversationStore.open("sqlite://") as store:
        for size in (200, 1_000):
            thread = store.threads.create().id
            drafts = [{"role": "user", "content": f"{WORD} {n}"} for n in range(size)]
            said = store.messages.create_many(thread, drafts, idempotency_key="many")
            for number in range(size // 20):
                store.messages.update(thread, said[1].id, name="Ann", idempotency_key=str(number))
                store.messages.create(thread, role="user", content="x", external_id=str(number))
            took.append(effort(lambda t=thread, m=said[0].id: store.privacy.erase(t, m)))
        small, large = took
        assert large.held <= small.held * 1.1 + 30, (small, large)


def test_looking_for_forks_visits_no_other_threads(effort):
    took = []
    with ConversationStore.open("sqlite://") as store:
        for others in (20, 500):
            for _ in range(others):
                store.threads.create()
            thread = store.threads.create().id
            said = store.messages.create(thread, role="user", content=WORD).id
            store.threads.fork(thread)
            took.append(effort(lambda t=thread, m=said: store.privacy.erase(t, m)))
            took.append(effort(lambda t=thread: store.privacy.purge(t, forks="purge")))
        assert_flat(took[0], took[2])
        assert_flat(took[1], took[3])


# -- what happens while it is planned --------------------------------------------------------------


def test_what_is_said_of_it_meanwhile_goes_too(store, other, between):
    thread, fork, said = much_said(store, changes=3)

    def say():
        other.messages.amend(thread, said, content=f"{WORD} once more")
        other.messages.amend(fork, said, content=f"{WORD} in the fork once more")

    between.watch()
    between.before = {0: say}
    made = store.privacy.erase(thread, said)
    assert len(made.erased) == 5 + 2
    assert_silent(store, thread, fork, said)


def test_a_fork_that_is_made_meanwhile_is_found(store, other, between):
    thread, _, said = much_said(store, changes=3)
    made = []

    def fork():
        made.append(other.threads.fork(thread).id)
        other.messages.amend(made[0], said, content=f"{WORD} in another fork")

    between.watch()
    between.before = {0: fork}
    erased = store.privacy.erase(thread, said).erased
    assert made[0] in {one.stream_id for one in erased}
    assert_silent(store, thread, made[0], said)


def test_a_step_that_begins_meanwhile_loses_its_proof(store, other, between):
    thread, _, said = much_said(store, changes=3)
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    steps = []

    def begin():
        seen = other.runs.context(thread, run)
        steps.append(other.runs.steps.start(thread, run, context=seen).id)
        assert other.runs.context(thread, run, step_id=steps[0]).verified

    between.watch()
    between.before = {0: begin}
    store.privacy.erase(thread, said)
    assert store.runs.context(thread, run, step_id=steps[0]).verified is None


def test_whoever_goes_on_saying_something_of_it_does_not_keep_it_for_ever(store, other, between):
    """In the end they wait until it was planned."""
    thread, _, said = much_said(store, changes=3)

    def say():
        other.messages.amend(thread, said, content=f"{WORD} once more")
        amended.append(1)

    amended: list[int] = []
    between.watch()
    between.before = dict.fromkeys(range(50), say)
    made = store.privacy.erase(thread, said)
    assert 5 < len(amended) < 20
    between.before = {}
    versions = {one.version for one in made.erased if one.stream_id == thread}
    assert len(versions) == 4 + len(amended) - 2, "all but what was said between its parts"


def test_what_is_none_of_its_business_does_not_make_it_begin_again(store, other, between):
    thread, _, said = much_said(store, changes=3)
    between.watch()
    between.before = {
        0: lambda: other.messages.create(thread, role="user", content="something else")
    }
    store.privacy.erase(thread, said)
    assert between.commits == 3


def test_a_thread_that_is_purged_between_two_parts_leaves_nothing(store, other, between, path):
    thread, _, said = much_said(store)
    between.watch()
    between.after = {2: lambda: other.privacy.purge(thread, forks="purge")}
    made = store.privacy.erase(thread, said)
    assert made.message_id == said
    assert left_in(path) == (0, 0)


# -- who finishes it -------------------------------------------------------------------------------


class Interrupted(Exception):
    pass


def interrupt():
    raise Interrupted


def test_what_was_interrupted_is_finished_by_whoever_opens_the_store(store, between, path):
    thread, fork, said = much_said(store)
    between.watch()
    between.after = {2: interrupt}
    with pytest.raises(OutcomeUnknown):
        store.privacy.erase(thread, said)
    assert left_in(path)[0] > 0
    assert_silent(store, thread, fork, said)
    with ConversationStore.open(f"sqlite:///{path}"):
        assert left_in(path) == (0, 0)
        assert WORD.encode() not in path.read_bytes()


def test_what_was_interrupted_is_finished_by_any_later_erasure(store, between, path):
    thread, _, said = much_said(store)
    between.watch()
    between.after = {2: interrupt}
    with pytest.raises(OutcomeUnknown):
        store.privacy.erase(thread, said)
    other = store.tenant("another").threads.create().id
    message = store.tenant("another").messages.create(other, role="user", content="x").id
    store.tenant("another").privacy.erase(other, message)
    assert left_in(path) == (0, 0)


def test_what_was_interrupted_is_certified_when_it_is_asked_for_again(store, between, path):
    thread, _, said = much_said(store)
    between.watch()
    between.after = {2: interrupt}
    with pytest.raises(OutcomeUnknown):
        store.privacy.erase(thread, said)
    made = store.privacy.erase(thread, said)
    assert len(made.erased) == 2 * PART + 2
    assert (made.pending, left_in(path)) == (False, (0, 0))
