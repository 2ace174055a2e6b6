"""Law 4, a branch point at a time: what was active below a message is found again from above."""

import pytest

from eventstore import ConversationStore


@pytest.fixture
def talk():
    with ConversationStore.open("sqlite://") as store:
        yield Talk(store)


class Talk:
    """A question with two answers, each with a question after it; the head is below the second."""

    def __init__(self, store):
        self.store = store
        self.id = store.threads.create().id
        self.asked = self.say("Why?")
        self.first = self.say("Because.")
        self.after_first = self.say("Really?")
        self.second = store.messages.regenerate(self.id, self.first, content="So that.").id
        self.after_second = self.say("I see.")

    def say(self, text, **options):
        return self.store.messages.create(self.id, role="assistant", content=text, **options).id

    def path_from(self, message_id):
        """Go where selecting a message leads, from another root, and return the path there."""
        self.say("elsewhere", parent_id=None)
        self.store.branches.select(self.id, message_id)
        return [message.id for message in self.store.messages.list(self.id)]


def test_selecting_above_goes_on_to_where_the_head_was(talk):
    assert talk.path_from(talk.asked) == [talk.asked, talk.second, talk.after_second]


def test_after_another_was_selected_it_goes_on_there(talk):
    talk.store.branches.select(talk.id, talk.first)
    assert talk.path_from(talk.asked) == [talk.asked, talk.first, talk.after_first]


def test_after_a_write_on_another_branch_it_goes_on_there(talk):
    new = talk.say("Or not?", parent_id=talk.after_first)
    assert talk.path_from(talk.asked) == [talk.asked, talk.first, talk.after_first, new]


def test_after_an_edit_on_another_branch_it_goes_on_there(talk):
    new = talk.store.messages.edit(talk.id, talk.after_first, content="Honestly?").id
    assert talk.path_from(talk.asked) == [talk.asked, talk.first, new]


def test_after_a_write_that_does_not_select_it_goes_on_as_before(talk):
    talk.say("Or not?", parent_id=talk.after_first, select=False)
    assert talk.path_from(talk.asked) == [talk.asked, talk.second, talk.after_second]


def test_after_a_removal_it_stops_above_what_was_removed(talk):
    talk.store.messages.remove(talk.id, talk.second)
    assert talk.path_from(talk.asked) == [talk.asked]


def test_after_removing_and_restoring_it_goes_on_as_before(talk):
    talk.store.messages.remove(talk.id, talk.second)
    assert talk.store.threads.get(talk.id).head_id == talk.asked
    talk.store.messages.restore(talk.id, talk.second)
    assert talk.store.threads.get(talk.id).head_id == talk.after_second
    assert talk.path_from(talk.asked) == [talk.asked, talk.second, talk.after_second]
