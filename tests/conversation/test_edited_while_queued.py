"""A message that waits for a run is edited: another one takes its place in the queue."""

import pytest

from eventstore import ConversationStore, InvalidInput, Refused


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened
        assert opened.projections.compare().ok


class Busy:
    """A thread with a run under way, and what is said to it meanwhile."""

    def __init__(self, store):
        self.store = store
        self.id = store.threads.create().id
        self.say("first")
        self.run = self.start()

    def start(self):
        run = self.store.runs.create(self.id)
        self.store.runs.start(self.id, run.id)
        return run

    def say(self, text, **options):
        return self.store.messages.create(self.id, role="user", content=text, **options)

    def edit(self, message, text, **options):
        return self.store.messages.edit(self.id, message.id, content=text, **options)

    def queue(self):
        return [message.text for message in self.store.messages.queued(self.id)]

    def path(self):
        return [message.text for message in self.store.messages.list(self.id)]

    def finish(self):
        self.store.runs.complete(self.id, self.run.id)


@pytest.fixture
def busy(store):
    return Busy(store)


def test_the_new_message_takes_the_place_of_the_old_one(store, busy):
    one, two = busy.say("one"), busy.say("two")
    edited = busy.edit(one, "one, better", metadata={"try": 2}, name="Ann", external_id="x")
    assert (edited.status, edited.replaces, edited.parent_id) == ("queued", one.id, None)
    assert (edited.metadata, edited.name, edited.external_id) == ({"try": 2}, "Ann", "x")
    assert busy.queue() == ["one, better", "two"]
    busy.finish()
    assert busy.path() == ["first", "one, better", "two"]
    joined = store.messages.get(busy.id, edited.id)
    assert (joined.status, joined.replaces) == ("completed", one.id)
    assert store.messages.get(busy.id, two.id).parent_id == edited.id
    assert busy.queue() == []


def test_the_old_one_is_readable_by_id_and_nowhere_else(store, busy):
    one = busy.say("one")
    store.messages.amend(busy.id, one.id, content="one!")
    busy.edit(one, "better")
    old = store.messages.get(busy.id, one.id)
    assert (old.text, old.status, old.removed) == ("one!", "replaced", False)
    assert [each.text for each in store.messages.revisions(busy.id, one.id)] == ["one", "one!"]
    busy.finish()
    assert store.messages.get(busy.id, one.id) == old
    assert one.id not in [node.message.id for node in store.branches.tree(busy.id).nodes]
    assert busy.path() == ["first", "better"]


def test_edited_again_and_again_it_keeps_its_place(busy):
    one = busy.say("one")
    busy.say("two")
    for number in range(3):
        one = busy.edit(one, f"one {number}")
    assert busy.queue() == ["one 2", "two"]
    busy.finish()
    assert busy.path() == ["first", "one 2", "two"]


def test_it_joins_with_the_run_for_which_the_first_one_waited(store, busy):
    """It was edited after another run was queued, but sent before."""
    one = busy.say("one")
    later = store.runs.create(busy.id)
    busy.say("two")
    busy.edit(one, "better")
    busy.finish()
    assert busy.path() == ["first", "better"]
    assert busy.queue() == ["two"]
    store.runs.start(busy.id, later.id)
    store.runs.complete(busy.id, later.id)
    assert busy.path() == ["first", "better", "two"]


def test_removed_and_restored_it_has_its_place_again(store, busy):
    one = busy.say("one")
    busy.say("two")
    edited = busy.edit(one, "better")
    store.messages.remove(busy.id, edited.id)
    assert busy.queue() == ["two"]
    store.messages.restore(busy.id, edited.id)
    assert busy.queue() == ["better", "two"]


def test_who_interrupts_the_run_lets_it_in(busy):
    edited = busy.edit(busy.say("one"), "better")
    busy.say("now", on_busy="interrupt")
    assert busy.path() == ["first", "better", "now"]
    assert edited.status == "queued"


def test_with_a_key_it_is_edited_once(busy):
    one = busy.say("one")
    edited = busy.edit(one, "better", idempotency_key="k")
    assert busy.edit(one, "better", idempotency_key="k") == edited
    busy.finish()
    assert busy.edit(one, "better", idempotency_key="k") == edited  # as it was first made
    assert busy.path() == ["first", "better"]


def test_in_a_batch_it_can_be_edited_twice(store, busy):
    one = busy.say("one")
    busy.say("two")
    with store.threads.batch(busy.id) as batch:
        first = batch.messages.edit(one.id, content="better")
        second = batch.messages.edit(first.id, content="best")
        batch.runs.complete(busy.run.id)
    assert busy.path() == ["first", "best", "two"]
    assert second.object.replaces == first.id


def test_what_was_replaced_is_left_alone(store, busy):
    one = busy.say("one")
    busy.edit(one, "better")
    version = store.threads.get(busy.id).version
    for act in (
        lambda: busy.edit(one, "other"),
        lambda: store.messages.amend(busy.id, one.id, content="other"),
        lambda: store.messages.update(busy.id, one.id, name="other"),
        lambda: store.messages.remove(busy.id, one.id),
        lambda: store.messages.regenerate(busy.id, one.id, content="other"),
        lambda: store.branches.label(busy.id, one.id, "other"),
        lambda: store.branches.select(busy.id, one.id),
        lambda: store.threads.fork(busy.id, at_message=one.id),
        lambda: busy.say("below", parent_id=one.id),
    ):
        with pytest.raises(Refused) as caught:
            act()
        assert caught.value.reason == "message_replaced"
    store.messages.restore(busy.id, one.id)  # it was not removed
    assert store.threads.get(busy.id).version == version
    assert busy.queue() == ["better"]


def test_what_waits_is_plain_and_selected(busy):
    one = busy.say("one")
    with pytest.raises(Refused) as caught:
        busy.edit(one, "aside", select=False)
    assert caught.value.reason == "thread_busy"
    with pytest.raises(InvalidInput):
        busy.edit(one, [{"type": "tool_call", "id": "c", "name": "n"}])
    with pytest.raises(InvalidInput):
        busy.edit(one, "other", new_message_id=one.id)
    assert busy.queue() == ["one"]


def test_before_the_edit_the_old_one_waited(store, busy):
    one = busy.say("one")
    before = store.threads.get(busy.id).version
    busy.edit(one, "better")
    state = store.replay.state(busy.id, at_version=before)
    assert [message.text for message in state.queued] == ["one"]
    assert [message.text for message in store.replay.state(busy.id).queued] == ["better"]


def test_the_rows_can_be_made_anew(store, busy):
    one = busy.say("one")
    busy.say("two")
    busy.edit(one, "better")
    store.projections.rebuild()
    assert store.projections.compare().ok
    assert busy.queue() == ["better", "two"]
