"""``store.audit.trail`` beside its laws: filters, forks, erasures, tenants, memory."""

from datetime import UTC, datetime, timedelta

import pytest

from eventstore import ConversationStore, InvalidInput, ThreadNotFound, TrailEntry
from eventstore.audit import trail as walking
from eventstore.audit.trail_page import trail_page
from tests.storage.lives import environment, full_life

HOSTILE = "<script>alert(1)</script>\"'& \x1b[2J \u202egnp.exe </ins> {0} %s"


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://", environment=environment()) as opened:
        yield opened


def words(entry):
    """Old and new text of the content that an entry changed."""
    return [
        tuple(None if side is None else side[0]["text"] for side in (one.before, one.after))
        for one in entry.changes
        if one.field == "content"
    ]


def test_a_fork_of_a_fork_begins_with_the_wording_that_it_inherits(store):
    source = store.threads.create().id
    said = store.messages.create(source, role="user", content="one").id
    threads = [source]
    for text in ("two", "three", "four"):
        threads.append(store.threads.fork(threads[-1], at_message=said).id)
        store.messages.amend(threads[-1], said, content=text)
    store.messages.amend(source, said, content="unseen")
    *_, last = store.audit.trail(threads[-1])
    assert words(last) == [("three", "four")]
    assert words(list(store.audit.trail(threads[1]))[-1]) == [("one", "two")]


def test_the_end_of_a_step_adds_to_its_details(store):
    thread = store.threads.create().id
    run = store.runs.create(thread).id
    store.runs.start(thread, run)
    step = store.runs.steps.start(thread, run, type="model", details={"a": 1, "b": 1}).id
    store.runs.steps.complete(thread, step, details={"b": 2})
    *_, last = store.audit.trail(thread)
    details = next(one for one in last.changes if one.field == "details")
    assert (details.before, details.after) == ({"a": 1, "b": 1}, {"a": 1, "b": 2})


def test_times_bound_a_trail_at_both_ends(store):
    full_life(store)
    thread = store.threads.list(limit=1, order="asc")[0].id
    whole = list(store.audit.trail(thread))
    first, last = whole[9].recorded_at, whole[20].recorded_at
    wanted = [entry for entry in whole if first <= entry.recorded_at < last]
    assert list(store.audit.trail(thread, since=first, until=last)) == wanted
    everything = list(store.audit.trail(since=first, until=last))
    assert [entry for entry in everything if entry.stream_id == thread] == wanted
    assert list(store.audit.trail(thread, since=datetime(2100, 1, 1, tzinfo=UTC))) == []
    assert list(store.audit.trail(thread, until=whole[0].recorded_at - timedelta(days=1))) == []


def test_a_trail_survives_json(store):
    full_life(store)
    for entry in store.audit.trail():
        assert TrailEntry.model_validate_json(entry.model_dump_json()) == entry


def test_a_tenants_trail_has_its_assistants_and_purges_and_nothing_of_others(store):
    mine = store.tenant("mine")
    assistant = mine.assistants.create(name="A", instructions="Be brief.").id
    mine.assistants.update(assistant, instructions="Be long.")
    thread = mine.threads.create(title="gone").id
    mine.privacy.purge(thread, reason="asked", actor="dpo")
    store.threads.create(title="theirs")
    entries = list(mine.audit.trail())
    assert [entry.type for entry in entries][:2] == ["AssistantCreated", "AssistantUpdated"]
    said = next(one for one in entries[1].changes if one.field == "instructions")
    assert (said.before, said.after) == ("Be brief.", "Be long.")
    assert (entries[-1].subject, entries[-1].reason, entries[-1].actor) == (thread, "asked", "dpo")
    assert "theirs" not in str([entry.model_dump() for entry in entries])
    with pytest.raises(ThreadNotFound):
        list(store.audit.trail(thread))


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"type": "MessageAmend"}, "type"),
        ({"type": ["MessageAmended", 5]}, "type"),
        ({"type": 5}, "type"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001 (that is what is wrong)
        ({"until": "yesterday"}, "until"),
        ({"actor": ""}, "actor"),
        ({"correlation_id": 7}, "correlation_id"),
        ({"causation_id": "x" * 300}, "causation_id"),
        ({"event_id": "event_1"}, "event_id"),
    ],
    ids=str,
)
def test_a_filter_that_cannot_be_meant_is_refused(store, asked, field):
    with pytest.raises(InvalidInput) as caught:
        store.audit.trail(**asked)
    assert caught.value.field == field


def test_an_unknown_type_names_the_nearest_ones(store):
    with pytest.raises(InvalidInput, match="MessageAmended"):
        store.audit.trail(type="MessageAmend")


def test_a_page_of_a_trail_shows_hostile_words_as_words(store):
    acting = store.acting(actor=HOSTILE, correlation_id=HOSTILE)
    thread = acting.threads.create(title=HOSTILE, metadata={HOSTILE: HOSTILE}).id
    said = acting.messages.create(thread, role="user", content=HOSTILE, name=HOSTILE).id
    acting.messages.amend(thread, said, content=HOSTILE + "!", reason=HOSTILE)
    page = "".join(trail_page(store.audit.trail(thread), title=HOSTILE, about=HOSTILE))
    assert "<script" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;") >= 10
    assert page.count("</ins>") == page.count("<ins>") == 1
    assert "default-src 'none'" in page


def test_memory_holds_a_page_however_long_a_thread_is(store):
    """Counted by what a walk carries from page to page."""
    thread = store.threads.create().id
    for _ in range(3):
        store.messages.create_many(
            thread, [{"role": "user", "content": "x" * 100} for _ in range(500)]
        )
    walk = walking.stream_page
    carried = []

    def watched(*args):
        entries, place = walk(*args)
        carried.append((len(entries), 0 if place is None else len(place.kept)))
        return entries, place

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eventstore.api.operations.trail.stream_page", watched)
        patch.setattr(walking, "_SUBJECTS_KEPT", 100)
        assert sum(1 for _ in store.audit.trail(thread)) == 1_501
    assert max(entries for entries, _ in carried) <= 500
    assert max(kept for _, kept in carried) == 100
