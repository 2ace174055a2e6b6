"""Search and usage, held to what the messages and the events say."""

import itertools
import random
from collections import Counter, defaultdict
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest

from eventstore import InvalidInput, MessageNotFound, Refused, ThreadNotFound
from eventstore.read_models import DayOfUse, Hit, MessageSearch, Usage, search, usage
from tests.laws.lives import go_on, live
from tests.laws.purging import family, settle
from tests.storage.lives import NOON

BORN = ("MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued")
SIX_HOURS_US = 6 * 3_600_000_000
SEEDS = [1, 2, 3]


def hits(store, text, thread_id=None, limit=1000):
    found = store.projections.read("search", search(text, thread_id, limit))
    return {(hit.thread_id, hit.message_id) for hit in found if hit.message_id is not None}


def titles(store, text):
    """The threads whose titles have the words."""
    found = store.projections.read("search", search(text))
    return {hit.thread_id for hit in found if hit.message_id is None}


def by_pages(store, text, limit, **asked):
    """What is found, page by page, as thread and message."""
    found, after = [], None
    while True:
        page = store.projections.read("search", search(text, limit=limit, after=after, **asked))
        found += [(hit.thread_id, hit.message_id) for hit in page]
        after = page.next_cursor
        if after is None:
            return found


def said_in(store, thread_id):
    """Messages that have words of their own in a thread: sent or amended there."""
    events = list(store.events.read(thread_id))
    kinds = (*BORN, "MessageAmended")
    said = [event.data for event in events if event.type in kinds]
    return {data["message_id"] for data in said if "message_id" in data}


def readable(store, thread_id, message_id):
    try:
        return store.messages.get(thread_id, message_id).text
    except (MessageNotFound, ThreadNotFound):
        return ""


def words_in(store, threads):
    """The words of every message that can be read, by thread and message."""
    return {
        (thread_id, message_id): set(readable(store, thread_id, message_id).split())
        for thread_id in threads
        for message_id in said_in(store, thread_id)
    }


def expected_hits(store, threads, *words):
    """Every message that can be read and whose text has the words."""
    return having(words_in(store, threads), *words)


def having(said, *words):
    return {key for key, there in said.items() if set(words) <= there}


def expected_usage(store, threads):
    """What the events of each thread and day come to."""
    messages: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    numbers: defaultdict[Any, Counter[str]] = defaultdict(Counter)
    for thread_id in threads:
        for event in store.events.read(thread_id):
            day = thread_id, event.recorded_at.date()
            words = "".join((event.content or {}).get("parts", []))
            if event.type in BORN and "queued_version" not in event.data:
                messages[day][event.data["role"]] += 1
            if event.type in BORN or event.type == "MessageAmended":
                numbers[day]["characters"] += len(words)
            if event.type == "RunQueued":
                numbers[day]["runs"] += 1
            numbers[day].update(event.data.get("usage", {}))
    fields = DayOfUse._fields[3:]
    return {
        day: (dict(messages[day]), *(numbers[day][field] for field in fields))
        for day in numbers
        if messages[day] or any(numbers[day].values())
    }


class Shipped:
    """Needs `open(**options)`, as `Following` does."""

    @pytest.fixture(autouse=True)
    def _stores(self):
        with ExitStack() as self.stack:
            yield

    def open(self, **options):
        raise NotImplementedError

    writes = 90
    """How long a life is."""

    def opened(self, *projections, **options):
        store = self.stack.enter_context(self.open(**options))
        for one in projections:
            store.projections.register(one)
        return store

    # -- any life ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("seed", SEEDS)
    def test_whatever_happens_both_say_what_the_events_say(self, seed):
        clock = itertools.count(NOON, SIX_HOURS_US // 8)
        store = self.opened(MessageSearch(), Usage(), clock=lambda: next(clock))
        turns = itertools.count()

        def caught_up_sometimes(_):
            if next(turns) % 7 == 0:
                store.projections.catch_up(batch_events_max=5)

        threads = live(store, seed, writes=self.writes, after_each=caught_up_sometimes)
        assert any(event.type == "ThreadForked" for event in store.events.read_all())
        self.look(store, threads)
        gone = self.deleted(store, threads)
        self.look(store, threads)
        for thread_id in gone:
            store.threads.restore(thread_id)
        self.look(store, threads)
        self.look_at_the_rebuilt(store)

    @pytest.mark.parametrize("seed", SEEDS)
    def test_whatever_is_purged_is_forgotten_with_its_forks(self, seed):
        store = self.opened(MessageSearch(), Usage())
        threads = live(store, seed, writes=self.writes)
        dice = random.Random(seed)
        while threads:
            if len(threads) % 2:
                store.projections.catch_up(batch_events_max=5)
            gone = dice.choice(threads)
            for one in family(store, gone, threads):
                settle(store, one)
                threads.remove(one)
            store.privacy.purge(gone, forks="purge")
            if threads and len(threads) % 3 == 0:
                go_on(store, dice, threads, range(100, 110), lambda _: None)
                self.look(store, threads)
                # Rows that only help to know what is hidden may differ; what is found may not.
                for name in ("search", "usage"):
                    store.projections.rebuild(projection=name)
                self.look(store, threads)
        store.projections.catch_up()
        assert hits(store, "words") == set()
        assert store.projections.read("usage", usage()) == []

    def look(self, store, threads):
        store.projections.catch_up()
        said = words_in(store, threads)  # each is read once: nobody writes while we look
        assert hits(store, "words") == having(said, "words")
        for number in range(0, 90, 9):
            assert hits(store, f"{number} WORDS") == having(said, "words", str(number))
        one = threads[-1]
        of_one = {key for key in having(said, "words") if key[0] == one}
        assert hits(store, "words", one) == of_one
        used = store.projections.read("usage", usage())
        assert {day[:2]: day[2:] for day in used} == expected_usage(store, threads)

    def deleted(self, store, threads):
        gone = []
        for thread_id in threads[::2]:
            try:
                store.threads.delete(thread_id)
            except Refused:  # a run is going on
                continue
            gone.append(thread_id)
        return gone

    def look_at_the_rebuilt(self, store):
        """The law: tables that were kept live are the tables that the events make anew."""
        texts = {
            "search": [
                "SELECT tenant, thread_id, message_id, parent_id, hidden FROM {messages}",
                "SELECT * FROM {forks}",
                "SELECT * FROM {deleted}",
            ],
            "usage": ["SELECT * FROM {messages}", "SELECT * FROM {runs}"],
        }

        def rows():
            return [
                sorted(map(repr, store.projections.query(name, text)))
                for name, all_of in texts.items()
                for text in all_of
            ] + [sorted(hits(store, "words"))]

        before = rows()
        for name in texts:
            store.projections.rebuild(projection=name)
        statuses = store.projections.catch_up(batch_events_max=17)
        assert {one.generation for one in statuses} == {2}
        assert rows() == before

    def test_an_erasure_that_reaches_a_fork_and_a_purge_stop_nobody(self):
        store = self.opened(MessageSearch())
        source = store.threads.create().id
        said = store.messages.create(source, role="user", content="secret").id
        fork = store.threads.fork(source).id
        store.messages.remove(fork, said)  # the fork gets rows of its own
        store.messages.restore(fork, said)
        store.messages.update(fork, said, name="Ann")  # and has something to be erased
        store.privacy.erase(source, said)
        store.privacy.purge(source, forks="purge")
        other = store.tenant("somebody else")
        unrelated = other.messages.create(
            other.threads.create().id, role="user", content="unrelated words"
        )
        for _ in range(2):
            assert {one.state for one in store.projections.catch_up()} == {"idle"}
            found = other.projections.read("search", search("unrelated"))
            assert [hit.message_id for hit in found] == [unrelated.id]
            assert hits(store, "secret") == set()
            store.projections.rebuild(projection="search")

    # -- search, one by one ------------------------------------------------------------------------

    def test_all_the_words_in_any_order_and_case(self):
        store = self.opened(MessageSearch())
        thread = store.threads.create()
        sky = store.messages.create(thread.id, role="user", content="Why is the SKY blue?")
        store.messages.create(thread.id, role="user", content="the sea is blue")
        store.projections.catch_up()
        assert hits(store, "blue sky") == {(thread.id, sky.id)}
        assert len(hits(store, "blue")) == 2
        assert hits(store, "red") == hits(store, "blue red") == set()

    def test_a_text_without_a_blank_is_found_and_holds_up_nobody(self):
        """PostgreSQL's parser would be at it for half an hour, before a test's time is up."""
        store = self.opened(MessageSearch())
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", content="b_" * 49_000 + " blue").id
        store.projections.catch_up()
        assert hits(store, "blue") == {(thread, said)}
        assert hits(store, "a_" * 1_000) == set()

    def test_a_hit_has_a_rank_and_a_snippet(self):
        store = self.opened(MessageSearch())
        thread = store.threads.create()
        long = store.messages.create(thread.id, role="user", content="x " * 50 + "blue" + " y" * 50)
        short = store.messages.create(thread.id, role="user", content="blue blue blue")
        store.projections.catch_up()
        found = store.projections.read("search", search("blue"))
        assert [hit.message_id for hit in found] == [short.id, long.id]
        assert found[0].rank > found[1].rank > 0
        assert "[blue]" in found[1].snippet
        assert len(found[1].snippet) < 60
        assert isinstance(found[0], Hit)
        [best] = store.projections.read("search", search("blue", limit=1))
        assert best == found[0]

    def test_a_title_is_found_while_the_thread_has_it_and_is_there(self):
        store = self.opened(MessageSearch())
        thread = store.threads.create(title="Sunset dinner").id
        said = store.messages.create(thread, role="user", content="Dinner for two").id
        fork = store.threads.fork(thread).id
        other = store.threads.create().id
        store.projections.catch_up()
        assert (titles(store, "dinner"), titles(store, "sunset two")) == ({thread}, set())
        assert hits(store, "dinner") == {(thread, said)}
        store.threads.update(thread, title="Breakfast")
        store.threads.update(fork, title="Sunset again")
        store.threads.update(other, metadata={"a": 1})
        store.projections.catch_up()
        assert (titles(store, "breakfast"), titles(store, "sunset")) == ({thread}, {fork})
        store.threads.delete(fork)
        store.threads.update(thread, title=None)
        store.projections.catch_up()
        assert titles(store, "sunset") == titles(store, "breakfast") == set()
        store.threads.restore(fork)
        store.projections.catch_up()
        assert titles(store, "sunset") == {fork}
        store.privacy.purge(thread, forks="purge")
        store.projections.catch_up()
        assert titles(store, "sunset") == hits(store, "dinner") == set()

    def test_a_star_stands_for_the_rest_of_a_word(self):
        store = self.opened(MessageSearch())
        thread = store.threads.create(title="Sunset").id
        sunny = store.messages.create(thread, role="user", content="sunny and blue").id
        store.messages.create(thread, role="user", content="the sea is blue")
        store.projections.catch_up()
        assert hits(store, "sun*") == hits(store, "BLU* sunny") == {(thread, sunny)}
        assert titles(store, "sun*") == {thread}
        assert hits(store, "sun") == hits(store, "*") == hits(store, "unny*") == set()
        assert hits(store, "'*") == hits(store, "zz\\'b*") == hits(store, '"*') == set()

    @pytest.mark.parametrize("sort", ["rank", "newest"])
    def test_hits_come_in_pages(self, sort):
        store = self.opened(MessageSearch())
        threads = [store.threads.create(title="an owl").id for _ in range(2)]
        made = [
            (thread, store.messages.create(thread, role="user", content="owl " * (number + 1)).id)
            for number in range(3)
            for thread in threads
        ]
        store.projections.catch_up()
        whole = by_pages(store, "owl", 1_000, sort=sort)
        assert len(whole) == len({*whole}) == 8
        assert all(by_pages(store, "owl", limit, sort=sort) == whole for limit in (1, 3, 8))
        page = store.projections.read("search", search("owl", limit=4, sort=sort))
        if sort == "newest":
            assert whole[:6] == made[::-1]
            store.messages.create(threads[0], role="user", content="late owl")
            store.projections.catch_up()
            behind = search("owl", limit=9, sort=sort, after=page.next_cursor)
            rest = store.projections.read("search", behind)
            assert [(hit.thread_id, hit.message_id) for hit in rest] == whole[4:]
        with pytest.raises(InvalidInput, match="not a cursor of this listing"):
            search("another", sort=sort, after=page.next_cursor)

    def test_an_amended_message_is_found_by_its_last_wording(self):
        store = self.opened(MessageSearch())
        thread = store.threads.create()
        one = store.messages.create(thread.id, role="user", content="apples")
        store.projections.catch_up()
        store.messages.amend(thread.id, one.id, content="pears")
        store.projections.catch_up()
        assert hits(store, "apples") == set()
        assert hits(store, "pears") == {(thread.id, one.id)}

    def test_what_hangs_below_a_removed_message_is_hidden_with_it(self):
        store = self.opened(MessageSearch())
        thread = store.threads.create()
        ids = [
            store.messages.create(thread.id, role="user", content=f"fish {number}").id
            for number in range(4)
        ]
        for message_id in (ids[2], ids[1]):
            store.messages.remove(thread.id, message_id)
        store.projections.catch_up()
        assert hits(store, "fish") == {(thread.id, ids[0])}
        store.messages.restore(thread.id, ids[1])
        store.projections.catch_up()
        assert hits(store, "fish") == {(thread.id, ids[0]), (thread.id, ids[1])}
        store.messages.restore(thread.id, ids[2])
        store.projections.catch_up()
        assert len(hits(store, "fish")) == 4

    def test_an_inherited_message_belongs_to_its_source(self):
        store = self.opened(MessageSearch())
        source = store.threads.create()
        first = store.messages.create(source.id, role="user", content="owl one")
        last = store.messages.create(source.id, role="user", content="owl two")
        fork = store.threads.fork(source.id, at_message=last.id)
        own = store.messages.create(fork.id, role="user", content="owl three")
        store.projections.catch_up()
        assert hits(store, "owl", fork.id) == {(fork.id, own.id)}
        assert hits(store, "owl", source.id) == {(source.id, first.id), (source.id, last.id)}
        grandchild = store.threads.fork(fork.id, at_message=own.id)
        leaf = store.messages.create(grandchild.id, role="user", content="owl four")
        store.messages.remove(grandchild.id, first.id)  # inherited over two hops
        store.projections.catch_up()
        assert hits(store, "owl", grandchild.id) == set()
        assert hits(store, "owl", fork.id) == {(fork.id, own.id)}
        store.messages.restore(grandchild.id, first.id)
        store.messages.amend(grandchild.id, first.id, content="owl five")
        store.projections.catch_up()
        assert hits(store, "owl", grandchild.id) == {
            (grandchild.id, leaf.id),
            (grandchild.id, first.id),
        }
        assert hits(store, "five") == {(grandchild.id, first.id)}

    @pytest.mark.parametrize(
        "text",
        ['"', "blue OR red", "blue*", "NEAR(blue)", "-blue", "text:blue", "'; --", "!!!", "%"],
    )
    def test_no_text_is_a_language(self, text):
        store = self.opened(MessageSearch())
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="red and green")
        store.projections.catch_up()
        assert hits(store, text) == set()

    def test_odd_texts_are_indexed(self):
        store = self.opened(MessageSearch())
        thread = store.threads.create()
        odd = store.messages.create(thread.id, role="user", content="never\0mind 🙂 [x]")
        long = store.messages.create(
            thread.id, role="user", content=" ".join(f"w{number:x}" for number in range(200_000))
        )
        picture = [{"type": "image", "url": "https://example.org/words.png"}]
        store.messages.create(thread.id, role="user", content=picture)
        [status] = store.projections.catch_up()
        assert (status.state, status.lag_events) == ("idle", 0)
        assert hits(store, "mind") == {(thread.id, odd.id)}
        assert hits(store, "w3e7") == {(thread.id, long.id)}
        assert hits(store, "words") == set()

    def test_tenants_find_their_own(self):
        store = self.opened(MessageSearch(), Usage())
        north, south = store.tenant("north"), store.tenant("south")
        there = north.threads.create()
        north.messages.create(there.id, role="user", content="moss")
        store.projections.catch_up()
        assert len(hits(north, "moss")) == len(north.projections.read("usage", usage())) == 1
        assert hits(south, "moss") == hits(store, "moss") == set()
        assert south.projections.read("usage", usage()) == []

    @pytest.mark.parametrize(
        "given",
        [
            {"text": ""},
            {"text": 5},
            {"text": "x", "sort": "x"},
            {"text": "x", "after": "y"},
            {"text": "x", "limit": 0},
            {"text": "x", "thread_id": "y"},
        ],
    )
    def test_what_cannot_be_searched_is_refused(self, given):
        with pytest.raises(InvalidInput):
            search(**given)

    # -- usage, one by one -------------------------------------------------------------------------

    def test_a_day_of_use(self):
        store = self.opened(Usage(), clock=lambda: NOON)
        thread = store.threads.create()
        store.messages.create(thread.id, role="user", content="four")
        run = store.runs.create(thread.id)
        store.runs.start(thread.id, run.id)
        store.messages.create(thread.id, role="assistant", content="fives", run_id=run.id)
        tokens = {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
        store.runs.complete(thread.id, run.id, usage=tokens)
        store.projections.catch_up()
        day = date(2026, 1, 1)
        used = DayOfUse(thread.id, day, {"user": 1, "assistant": 1}, 9, 1, 7, 2, 9)
        assert store.projections.read("usage", usage()) == [used]
        assert store.projections.read("usage", usage(thread.id, since=day, until=day)) == [used]
        assert store.projections.read("usage", usage(since=date(2026, 1, 2))) == []
