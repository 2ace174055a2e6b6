"""In any history the words of a person are gone, and those of the others are there."""

import random
from contextlib import suppress

import pytest

from eventstore import ConversationStore, ConversationStoreError
from eventstore.read_models import MessageSearch, search
from tests.conftest import LONG
from tests.privacy.test_erased_bytes import found_in

WORDS = {"alice": "zzqvjxkw", "bob": "yyqvjxkw", None: "xxqvjxkw"}
SEEDS = range(60 if LONG else 3)


class History:
    """A random history in which everybody's words are their own, and about their own things."""

    def __init__(self, store, seed):
        self.store = store
        self.dice = random.Random(seed)
        self.threads = []
        self.said: dict[str | None, list[tuple[str, str]]] = {name: [] for name in WORDS}
        """Messages by their person, with their threads."""

    def live(self, steps):
        acts = [self.create, self.say, self.say, self.say, self.reword, self.edit, self.label]
        acts += [self.remove, self.fork, self.run, self.title]
        for _ in range(steps):
            name = self.dice.choice(list(WORDS))
            act = self.dice.choice(acts)
            with suppress(ConversationStoreError):  # some histories ask for what cannot be
                act(name, {} if name is None else {"subject": name}, WORDS[name])

    def create(self, _, hers, word):
        self.threads.append(self.store.threads.create(title=word, metadata={"w": word}, **hers).id)

    def thread(self):
        if not self.threads:
            self.threads.append(self.store.threads.create().id)
        return self.dice.choice(self.threads)

    def say(self, name, hers, word):
        thread = self.thread()
        text = word * self.dice.choice([1, 3, 6_000])
        made = self.store.messages.create(
            thread, role="user", content=text, name=word, external_id=word, **hers
        )
        self.said[name].append((thread, made.id))

    def own(self, name):
        return self.dice.choice(self.said[name] or [(self.thread(), f"msg_{'0' * 32}")])

    def reword(self, name, hers, word):
        place = self.own(name)
        self.store.messages.amend(*place, content=f"{word} again", reason=word, **hers)
        self.store.messages.update(*place, metadata={"m": word}, **hers)

    def edit(self, name, hers, word):
        thread, message = self.own(name)
        made = self.store.messages.edit(thread, message, content=f"{word} otherwise", **hers)
        self.said[name].append((thread, made.id))

    def label(self, name, hers, word):
        self.store.branches.label(*self.own(name), f"{word}{self.dice.random()}", **hers)

    def remove(self, name, hers, word):
        self.store.messages.remove(*self.own(name), reason=word, **hers)

    def fork(self, name, hers, word):
        thread, message = self.own(name)
        fork = self.store.threads.fork(thread, at_message=message, reason=word, **hers).id
        self.threads.append(fork)
        self.store.messages.amend(fork, message, content=f"{word} in a fork", **hers)

    def run(self, name, hers, word):
        thread = self.thread()
        run = self.store.runs.create(thread, instructions=word, **hers)
        self.store.runs.start(thread, run.id)
        said = {"role": "assistant", "run_id": run.id}
        made = self.store.messages.create(thread, content=f"{word} answered", **said)
        self.said[name].append((thread, made.id))
        self.store.runs.fail(thread, run.id, message=word, **hers)

    def title(self, _, hers, word):
        self.store.threads.update(self.thread(), title=f"{word} now", **hers)


def told(store):
    """Everything that the store tells, in every state and from the log."""
    texts = [one.model_dump_json() for one in store.events.read_all()]
    for thread in store.threads.list():
        texts.append(thread.model_dump_json())
        texts += [one.state.value().model_dump_json() for one in store.replay.steps(thread.id)]
        texts += [one.message.model_dump_json() for one in store.branches.tree(thread.id).nodes]
    return "".join(texts)


@pytest.mark.parametrize("seed", SEEDS)
def test_her_words_are_gone_and_theirs_are_there(tmp_path, seed):
    path = tmp_path / "chat.db"
    with ConversationStore.open(f"sqlite:///{path}") as store:
        store.projections.register(MessageSearch())
        history = History(store, seed)
        history.create("alice", {"subject": "alice"}, WORDS["alice"])
        history.live(60)
        if seed % 2:
            store.projections.catch_up()
        kept = [
            (thread, one.id, one.text)
            for name in ("bob", None)
            for thread, message in history.said[name]
            for one in [store.messages.get(thread, message, include_deleted=True)]
        ]
        made = store.privacy.erase(subject="alice")
        store.projections.catch_up()
        again = store.privacy.erase(subject="alice")
        assert (again.erased, again.pending, again.remains) == (made.erased, False, ())
        assert WORDS["alice"] not in told(store)
        assert found_in(path, WORDS["alice"]) == []
        assert list(store.projections.read("search", search(WORDS["alice"]))) == []
        for thread, message, text in kept:
            assert store.messages.get(thread, message, include_deleted=True).text == text
        assert store.projections.compare().findings == ()
        assert store.audit.verify(read_models=True).findings == ()
        for thread in history.threads:
            store.privacy.erase(thread)
        store.projections.catch_up()
        assert not any(word in told(store) for word in WORDS.values())
        for thread in history.threads:
            assert not store.privacy.erase(thread).pending
        assert [word for word in WORDS.values() if found_in(path, word)] == []
        assert store.audit.verify(read_models=True).findings == ()
        assert store.projections.compare().findings == ()
