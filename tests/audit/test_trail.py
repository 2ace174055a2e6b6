"""``store.audit.trail`` beside its laws: filters, forks, erasures, tenants, memory."""

from datetime import UTC, datetime, timedelta
from itertools import chain

import pytest

from eventstore import ConversationStore, InvalidInput, ThreadNotFound, TrailEntry
from eventstore.audit import trail as walking
from eventstore.audit.trail_page import trail_page
from eventstore.audit.trail_text import deed
from eventstore.encryption import SqliteKeys
from eventstore.storage import read
from eventstore.write_path.categories import CATALOGUES
from tests.encryption.vaults import in_a_file
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
    assert (entries[-1].about, entries[-1].reason, entries[-1].actor) == (thread, "asked", "dpo")
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


def test_a_page_of_a_trail_links_an_entry_to_the_event_that_caused_it(store):
    thread = store.threads.create().id
    [begun] = store.audit.trail(thread)
    for cause in (begun.event_id, "<b>"):
        store.acting(causation_id=cause).threads.update(thread, title="T")
    page = "".join(trail_page(store.audit.trail(thread), title="T"))
    assert f'caused by <a href="#{begun.event_id}">{begun.event_id}</a>' in page
    assert f'<article id="{begun.event_id}">' in page
    assert "caused by <bdi>&lt;b&gt;</bdi>" in page


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


@pytest.mark.parametrize("kind", sorted({*chain(*(one.types for one in CATALOGUES.values()))}))
def test_every_type_of_event_is_told_in_words(kind):
    entry = TrailEntry.model_construct(type=kind, changes=())
    assert deed(entry) != kind


def test_what_happens_between_two_pages_shows_in_the_next(store, monkeypatch):
    monkeypatch.setattr(read, "PAGE", 2)
    thread = store.threads.create().id
    said = store.messages.create(thread, role="user", content="first").id
    store.messages.amend(thread, said, content="second")
    store.messages.amend(thread, said, content="third")
    walk = store.audit.trail(thread)
    assert words(next(walk)) == []
    assert words(next(walk)) == [(None, "first")]
    store.privacy.erase(thread, said)
    store.messages.create(thread, role="assistant", content="later")
    assert [words(entry) for entry in walk] == [
        *([(None, None)], [(None, None)]),
        *([(None, None)], [(None, "later")]),
    ]
    walk = store.audit.trail(thread)
    assert next(walk).version == 1
    store.privacy.purge(thread)
    with pytest.raises(ThreadNotFound):
        list(walk)


def test_an_erased_title_is_shown_as_erased_and_no_older_one_comes_back(store):
    thread = store.threads.create(title="first").id
    store.threads.update(thread, title="hers", subject="alice")
    said = store.messages.create(thread, role="user", content="mine").id
    store.messages.amend(thread, said, content="hers too", subject="alice")
    fork = store.threads.fork(thread, at_message=said).id
    store.privacy.erase(subject="alice", reason="she asked", actor="dpo")
    store.threads.update(fork, title="new")
    entries = list(store.audit.trail(thread))
    titles = [one for entry in entries for one in entry.changes if one.field == "title"]
    assert [(one.before, one.after, one.erased) for one in titles] == [
        (None, "first", ()),
        ("first", None, ("after",)),
    ]
    assert words(entries[3]) == [("mine", None)]
    assert (entries[1].erased, entries[3].erased, entries[-1].erases) == (True, True, (2, 4))
    *_, first, last = store.audit.trail(fork)
    for entry, told in ((first, ((None, None), ("after",))), (last, ((None, "new"), ("before",)))):
        (title,) = [one for one in entry.changes if one.field == "title"]
        assert ((title.before, title.after), title.erased) == told
    *_, certified = store.audit.trail()
    assert certified.type in {"ThreadUpdated", "SubjectErased"}
    found = store.replay.diff(thread, from_version=1, to_version=entries[-1].version)
    assert found.erased == (said,)
    assert "hers" not in str(found.model_dump())


def test_words_whose_key_is_destroyed_are_shown_as_erased(tmp_path):
    url, encryption = f"sqlite:///{tmp_path / 'chat.db'}", in_a_file(tmp_path)
    with ConversationStore.open(url, encryption=encryption) as store:
        thread = store.threads.create(title="ours").id
        said = store.messages.create(thread, role="user", content="hers", subject="alice").id
        store.messages.amend(thread, said, content="ours now")
        found = list(store.audit.trail(thread))
        assert words(found[2]) == [("hers", "ours now")]
    keys = SqliteKeys(tmp_path / "keys.db")
    for key in keys.page(b"", 100):
        if "subject" in key.owner.category:
            keys.destroy(key.owner, key.generation)
    with ConversationStore.open(url, encryption=encryption) as store:
        found = list(store.audit.trail(thread))
        assert [entry.erased for entry in found] == [False, True, False]
        assert words(found[1]) == [(None, None)]
        assert words(found[2]) == [(None, "ours now")]
        assert found[2].changes[0].erased == ("before",)
        assert store.replay.diff(thread, from_version=2).changes == found[2].changes
