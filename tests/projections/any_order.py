"""Whatever happens in whatever order, search and usage say what a look at every message says.

A machine writes, takes back, forks, erases and purges at random, while the projections follow, stop
in the middle, go on later and are made anew. Whenever they have read everything, what they say is
held against the messages and events as they are then.
"""

import random
import secrets
from collections import defaultdict
from contextlib import ExitStack

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eventstore import InvalidInput, MessageNotFound, Refused, ThreadNotFound
from eventstore.read_models import MessageSearch, Usage, usage
from tests.projections.shipped import expected_usage, having, hits, words_in

PICKS = st.integers(0, 255)
NAMES = ("search", "usage")
THREADS_MAX = 5
INCLUDED = [(), ("edits",), ("edits", "run")]
PATIENCE = [0, 0, 0, 1, 2, 3, 5, 8, 13]


class Tired(Exception):
    """The projection stops here until it is told to go on."""


class Balking:
    """A projection that stops at an event when its patience is over."""

    def __init__(self, projection):
        self.name, self.version = projection.name, projection.version
        self.tables, self.categories = projection.tables, projection.categories
        self.create, self._apply = projection.create, projection.apply
        self.patience = 0
        """Events until then; 0: it never is."""

    def apply(self, tables, event):
        if self.patience == 1:
            raise Tired
        self.patience -= self.patience > 0
        self._apply(tables, event)


class ReadModels(RuleBasedStateMachine):
    """Needs ``open_store()``."""

    def __init__(self):
        super().__init__()
        self.stack = ExitStack()
        self.said = 0
        """How many texts there were; each has a word of its own."""
        self.messages = defaultdict(list)
        """By thread: the ids that are known there."""
        self.runs = {}
        self.erased = False

    def open_store(self):
        raise NotImplementedError

    def teardown(self):
        try:
            if self.messages:
                self.follow(patience=0)
                for name in NAMES:
                    self.rebuild(name)
                self.follow(patience=0)
        finally:
            self.stack.close()

    @initialize()
    def begin(self):
        self.whole = self.stack.enter_context(self.open_store())
        self.store = self.whole.tenant(secrets.token_hex(8))
        """An empty one, wherever others were before."""
        self.followers = [Balking(MessageSearch()), Balking(Usage())]
        for one in self.followers:
            self.whole.projections.register(one)
        self.begin_thread()
        self.say(at=0)

    # -- choosing ----------------------------------------------------------------------------------

    @property
    def threads(self):
        return list(self.messages)

    def a_thread(self, at):
        return self.threads[at % len(self.messages)]

    def a_message(self, at, pick):
        thread = self.a_thread(at)
        known = self.messages[thread] or [f"msg_{'f' * 32}"]
        return thread, known[-(pick % len(known)) - 1]

    def text(self):
        self.said += 1
        return f"common w{self.said - 1}"

    def attempt(self, act, *given, **named):
        """Act; what is refused is part of life."""
        try:
            return act(*given, **named)
        except (InvalidInput, MessageNotFound, Refused, ThreadNotFound):
            return None

    # -- what happens ------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: len(self.messages) < THREADS_MAX)
    def begin_thread(self):
        self.messages[self.store.threads.create().id] = []

    @rule(at=PICKS)
    def say(self, at):
        thread = self.a_thread(at)
        said = self.attempt(
            self.store.messages.create, thread, role="user", content=self.text(), on_busy="enqueue"
        )
        if said is not None:
            self.messages[thread].append(said.id)

    @rule(at=PICKS, pick=PICKS)
    def edit(self, at, pick):
        thread, message = self.a_message(at, pick)
        made = self.attempt(self.store.messages.edit, thread, message, content=self.text())
        if made is not None:
            self.messages[thread].append(made.id)

    @rule(at=PICKS, pick=PICKS)
    def amend(self, at, pick):
        thread, message = self.a_message(at, pick)
        self.attempt(self.store.messages.amend, thread, message, content=self.text())

    @rule(at=PICKS, pick=PICKS)
    def rename(self, at, pick):
        thread, message = self.a_message(at, pick)
        self.attempt(self.store.messages.update, thread, message, name="Ann")

    @rule(at=PICKS, pick=PICKS, back=st.booleans())
    def remove_or_restore(self, at, pick, back):
        thread, message = self.a_message(at, pick)
        act = self.store.messages.restore if back else self.store.messages.remove
        self.attempt(act, thread, message)

    @rule(at=PICKS)
    def start_or_end_a_run(self, at):
        """While one goes on, what is said waits."""
        thread = self.a_thread(at)
        run = self.runs.pop(thread, None)
        if run is not None:
            self.attempt(self.store.runs.complete, thread, run)
            return
        made = self.attempt(self.store.runs.create, thread)
        if made is not None:
            self.runs[thread] = made.id
            self.attempt(self.store.runs.start, thread, made.id)

    @rule(at=PICKS, pick=PICKS, at_head=st.booleans())
    @precondition(lambda self: len(self.messages) < THREADS_MAX)
    def fork(self, at, pick, at_head):
        thread, message = self.a_message(at, pick)
        where = {} if at_head else {"at_message": message}
        fork = self.attempt(self.store.threads.fork, thread, **where)
        if fork is not None:
            path = self.store.messages.list(fork.id, limit=None)
            self.messages[fork.id] = [one.id for one in path]

    @rule(at=PICKS, pick=PICKS, include=st.sampled_from(INCLUDED))
    def erase(self, at, pick, include):
        thread, message = self.a_message(at, pick)
        made = self.attempt(self.store.privacy.erase, thread, message, include=include)
        self.erased |= made is not None

    @rule(at=PICKS, along=st.booleans())
    @precondition(lambda self: len(self.messages) > 1)
    def purge(self, at, along):
        thread = self.a_thread(at)
        forks = "purge" if along else "refuse"
        made = self.attempt(self.store.privacy.purge, thread, forks=forks)
        for gone in () if made is None else (thread, *made.forks):
            del self.messages[gone]
            self.runs.pop(gone, None)
        if not self.messages:
            self.begin_thread()

    @rule(at=PICKS, back=st.booleans())
    def delete_or_restore(self, at, back):
        act = self.store.threads.restore if back else self.store.threads.delete
        self.attempt(act, self.a_thread(at))

    # -- who follows -------------------------------------------------------------------------------

    @rule(patience=st.sampled_from(PATIENCE))
    def follow(self, patience):
        """Read on, to the end or until they stop; at the end, look."""
        for one in self.followers:
            one.patience = patience
        for status in self.whole.projections.status():
            if status.state == "failed":
                self.whole.projections.retry(status.name)
        found = self.whole.projections.catch_up(batch_events_max=4)
        stopped = [one.error for one in found if one.state == "failed"]
        assert all("Tired" in str(error) for error in stopped), stopped
        if not stopped:
            self.look()

    @rule(name=st.sampled_from(NAMES))
    def rebuild(self, name):
        self.whole.projections.rebuild(projection=name)

    def look(self):
        store, threads = self.store, self.threads
        said = words_in(store, threads)
        assert hits(store, "common") == having(said, "common")
        for number in {*range(self.said)[-8:], *range(0, self.said, 3)}:
            assert hits(store, f"w{number}") == having(said, f"w{number}"), number
        used = store.projections.read("usage", usage())
        told = {day[:2]: day[2:] for day in used}
        expected = expected_usage(store, threads)
        if self.erased:  # what was counted while it was there is not counted back
            told, expected = _without_characters(told), _without_characters(expected)
        assert told == expected


DRAWN = {
    "at": lambda dice: dice.randrange(256),
    "pick": lambda dice: dice.randrange(256),
    "back": lambda dice: dice.random() < 0.4,
    "at_head": lambda dice: dice.random() < 0.5,
    "along": lambda dice: dice.random() < 0.5,
    "include": lambda dice: dice.choice(INCLUDED),
    "patience": lambda dice: dice.choice(PATIENCE),
    "name": lambda dice: dice.choice(NAMES),
}
RULES = {
    "begin_thread": (),
    "say": ("at",),
    "edit": ("at", "pick"),
    "amend": ("at", "pick"),
    "rename": ("at", "pick"),
    "remove_or_restore": ("at", "pick", "back"),
    "start_or_end_a_run": ("at",),
    "fork": ("at", "pick", "at_head"),
    "erase": ("at", "pick", "include"),
    "purge": ("at", "along"),
    "delete_or_restore": ("at", "back"),
    "follow": ("patience",),
    "rebuild": ("name",),
}
SELDOM = ("begin_thread", "purge", "delete_or_restore", "rebuild", "rename")
OFTEN = [
    *SELDOM,
    *[name for name in RULES if name not in SELDOM] * 2,
    *["say", "remove_or_restore", "remove_or_restore", "follow"] * 3,
]


def walk(machine, seed, steps):
    """Go through rules drawn from a seed: Hypothesis uses fewer kinds of them in one life."""
    dice = random.Random(seed)
    state = machine()
    try:
        state.begin()
        for _ in range(steps):
            name = dice.choice(OFTEN)
            full = name in {"begin_thread", "fork"} and len(state.messages) >= THREADS_MAX
            if not full and not (name == "purge" and len(state.messages) < 2):
                getattr(state, name)(**{one: DRAWN[one](dice) for one in RULES[name]})
    finally:
        state.teardown()


def _without_characters(days):
    return {
        day: (counted[0], *counted[2:])
        for day, counted in days.items()
        if counted[0] or any(counted[2:])
    }
