"""What an erasure takes, as sentences: given events, when a message is erased, then one event."""

from eventstore.conversation import commands as c
from eventstore.conversation import events as e
from eventstore.conversation.events import AmendedContent, LabelContent, MessageContent
from eventstore.conversation.rules import decide
from eventstore.testing.environments import counting_ids
from eventstore.testing.scenarios import fold_decided, thread

ONE, TWO, THREE, RUN = (bytes(15) + bytes([number]) for number in (1, 2, 3, 4))
CREATED = e.ThreadCreated()
SAID = (e.MessageAdded(message_id=ONE, role="user"), MessageContent(parts=["secret"]))
AMENDED = (e.MessageAmended(message_id=ONE), AmendedContent(parts=["other"]))
NAMED = (e.BranchLabelled(message_id=ONE), LabelContent(label="name"))
EDITED = (e.MessageEdited(message_id=TWO, role="user", replaces=ONE), MessageContent(parts=["2"]))
EDITED_AGAIN = (
    e.MessageEdited(message_id=THREE, role="user", replaces=TWO),
    MessageContent(parts=["3"]),
)
ERASE = c.EraseContent(targets=(ONE,))


def test_every_event_about_the_message_is_named_and_no_other():
    thread.given(CREATED, SAID, EDITED, AMENDED, NAMED).when(ERASE).then(
        e.ContentErased(message_id=ONE, versions=(2, 4, 5), unlabelled=(ONE,))
    )


def test_what_is_gone_is_not_erased_again_but_what_was_said_since_is():
    gone = e.ContentErased(message_id=ONE, versions=(2,))
    thread.given(CREATED, SAID, gone).when(ERASE).then()
    thread.given(CREATED, SAID, gone, AMENDED).when(ERASE).then(
        e.ContentErased(message_id=ONE, versions=(4,))
    )


def test_edits_of_edits_are_taken_along_whichever_of_them_is_named():
    for first, *others in ((ONE, TWO, THREE), (TWO, ONE, THREE), (THREE, TWO, ONE)):
        erase = c.EraseContent(targets=(first,), include=("edits",))
        thread.given(CREATED, SAID, EDITED, EDITED_AGAIN).when(erase).then(
            e.ContentErased(message_id=first, versions=(2, 3, 4), also=tuple(others))
        )


def test_another_root_is_no_edit():
    other = (e.MessageAdded(message_id=TWO, role="user"), MessageContent(parts=["another"]))
    erase = c.EraseContent(targets=(ONE,), include=("edits",))
    thread.given(CREATED, SAID, other).when(erase).then(
        e.ContentErased(message_id=ONE, versions=(2,))
    )


def test_a_run_is_reached_by_what_its_steps_saw_and_not_by_what_they_left_out():
    erase = c.EraseContent(targets=(ONE,), include=("run",))
    begun = [
        CREATED,
        SAID,
        (e.RunQueued(run_id=RUN), e.RunContent(instructions="secret")),
        e.RunStarted(run_id=RUN, head=ONE),
    ]
    for ranges, left_out, versions in (
        (((0, 2, 1, 1),), (), (2, 3)),
        (((0, 2, 1, 1),), (ONE,), (2,)),
        (((0, 2, 2, 9),), (), (2,)),
        ((), (), (2,)),
    ):
        saw = e.RunStepStarted(
            run_id=RUN,
            step_id=THREE,
            type="message_creation",
            head=ONE,
            ranges=ranges,
            left_out=left_out,
        )
        runs = (RUN,) if len(versions) > 1 else ()
        thread.given(*begun, saw).when(erase).then(
            e.ContentErased(message_id=ONE, versions=versions, run_ids=runs)
        )


def test_a_deleted_or_archived_thread_and_a_removed_message_are_no_hindrance():
    erased = e.ContentErased(message_id=ONE, versions=(2,))
    for hindrance in (e.ThreadDeleted(), e.ThreadArchived(), e.MessageRemoved(message_id=ONE)):
        thread.given(CREATED, SAID, hindrance).when(ERASE).then(erased)


def test_what_is_not_there_is_refused():
    thread.given().when(ERASE).then_refused("ThreadNotFound")
    thread.given(CREATED).when(ERASE).then_refused("MessageNotFound")


def test_the_fold_forgets_what_it_is_told_to_forget():
    state = thread.initial_state()
    for happened in (CREATED, SAID, NAMED):
        state = thread.evolve(state, happened)
    before = state
    for decided in decide(state, ERASE, counting_ids()):
        state = fold_decided(state, decided)
    assert [event.content for event in map(state.event, (2, 3))] == [None, None]
    assert (state.label_of(ONE), state.label("name")) == (None, None)
    assert before.event(2).content == SAID[1], "the state before is as it was"
