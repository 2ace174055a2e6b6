"""The context law: a model API accepts every context of every run, at every moment of any life."""

import json
import random
from collections import Counter

import pytest
from hypothesis import given
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from eventstore import ConversationStore, ConversationStoreError, InvalidInput, LeaseLost, Refused
from eventstore.engine.models.chat import to_chat
from tests.laws.examples import LONG, of_a_law
from tests.laws.test_laws_one_by_one import SEEDS

WRITES = 200 if LONG else 60
OPENAI = TypeAdapter(ChatCompletionMessageParam)
CALLS = ("a", "b", "c")


def check_accepted(messages):
    """Hold messages against the rules of model APIs: each call has its results right behind it."""
    waiting: list[str] = []
    for message in messages:
        kinds = [part.type for part in message.content]
        calls = [part.id for part in message.content if part.type == "tool_call"]
        answers = [part.call_id for part in message.content if part.type == "tool_result"]
        assert message.role in {"system", "user", "assistant", "tool"}
        assert len(set(calls)) == len(calls)
        assert not calls or message.role == "assistant"
        assert (message.role == "tool") == bool(answers), "a result says what it answers"
        assert not waiting or message.role == "tool", f"{kinds} where results of {waiting} belong"
        assert set(answers) <= set(waiting), "a result without its call, or a second one"
        assert len(set(answers)) == len(answers)
        waiting = [call for call in waiting if call not in answers] + calls
    assert not waiting, "calls without a result at the end"


def check_chat(messages):
    """Hold the chat messages that are sent against the SDK's types, and against the same rules."""
    waiting: list[str] = []
    for chat in [chat for message in messages for chat in to_chat(message)]:
        OPENAI.validate_python(chat)
        if chat["role"] == "tool":
            waiting.remove(chat["tool_call_id"])
            continue
        assert not waiting
        waiting = [call["id"] for call in chat.get("tool_calls", ())]
        for call in chat.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert not waiting


class Life:
    """A few threads to which anything happens; refusals are part of life."""

    def __init__(self, store, seed, *, erases):
        self.store = store
        self.dice = random.Random(seed)
        self.threads = [store.threads.create().id]
        self.happened: Counter[str] = Counter()
        self.erases = erases
        self.acts = [
            *[self.say, self.say, self.begin, self.call, self.call, self.answer, self.answer],
            *[self.end, self.end, self.wait, self.submit, self.say_in_run, self.text],
            *[self.select, self.remove, self.restore, self.edit, self.regenerate, self.fork],
            *[self.take_in, self.take_over, self.step, self.amend],
            *([self.erase] if erases else []),
        ]

    def live(self):
        for _ in range(WRITES):
            thread, act = self.dice.choice(self.threads), self.dice.choice(self.acts)
            try:
                act(thread)
            except (Refused, InvalidInput, LeaseLost) as refused:
                self.happened[getattr(refused, "reason", "other")] += 1
            else:
                self.happened[act.__name__] += 1
            self.check(thread)
        for thread in self.threads:
            self.check(thread)

    # -- what is checked -----------------------------------------------------------------------

    def check(self, thread):
        for run in self.store.runs.list(thread):
            whole = self.store.runs.context(thread, run.id)
            shown = [message.id for message in whole.messages]
            check_accepted(whole.messages)
            check_chat(whole.messages)
            if not self.erases:  # else what is left of an exchange is left out
                assert whole.left_out == (), "kept whole, and not by leaving out what is broken"
            if run.ended_at is not None:
                assert whole.head_id == run.last_message_id, "an ended run leaves no call open"
            for last in (1, 2, 5):
                cut = self.store.runs.context(thread, run.id, last_messages=last)
                check_accepted(cut.messages)
                kept = [message.id for message in cut.messages]
                assert kept == shown[len(shown) - len(kept) :]
                if len(kept) < len(shown) and kept:
                    assert cut.messages[0].role == "user", "only before a user's message"
            left = self.dice.sample(shown, min(len(shown), 2))
            less = self.store.runs.context(thread, run.id, leave_out=left)
            check_accepted(less.messages)
            assert {*left} <= {*less.left_out}

    # -- what happens --------------------------------------------------------------------------

    def known(self, thread):
        nodes = self.store.branches.tree(thread).nodes
        return [node.message for node in nodes]

    def a_message(self, thread):
        return self.dice.choice(self.known(thread) or [None])

    def a_run(self, thread):
        runs = self.store.runs.list(thread).data
        open_runs = [run for run in runs if run.ended_at is None]
        return (open_runs or [*runs] or [None])[0]

    def calls(self):
        chosen = self.dice.sample(CALLS, self.dice.choice([1, 2, 2, 3]))
        made = [{"type": "tool_call", "id": one, "name": "f", "arguments": {}} for one in chosen]
        return [*self.dice.choice([[], ["Looking."]]), *made]

    def say(self, thread):
        options = {"on_busy": self.dice.choice(["enqueue", "interrupt", "rollback"])}
        if self.dice.random() < 0.3 and (above := self.a_message(thread)):
            options["parent_id"] = above.id
        role = self.dice.choice(["user", "user", "user", "assistant", "system"])
        content = self.calls() if role == "assistant" and self.dice.random() < 0.5 else "words"
        select = self.dice.random() < 0.8
        self.store.messages.create(thread, role=role, content=content, select=select, **options)

    def begin(self, thread):
        regenerates = self.a_message(thread) if self.dice.random() < 0.3 else None
        run = self.a_run(thread)
        if run is None or run.ended_at is not None or self.dice.random() < 0.3:
            run = self.store.runs.create(
                thread,
                regenerates=regenerates.id if regenerates else None,
                on_busy=self.dice.choice(["enqueue", "interrupt", "rollback"]),
            )
        started = self.store.runs.start(thread, run.id)
        if not run.started_at:
            seen = self.store.runs.context(thread, run.id)
            assert seen.head_id == started.started_head_id, "calls on its path are closed"

    def _in_run(self, thread, role, content, **options):
        run = self.a_run(thread)
        if run is not None:
            self.store.messages.create(
                thread, role=role, content=content, run_id=run.id, fence=run.fence, **options
            )

    def call(self, thread):
        self._in_run(thread, "assistant", self.calls())

    def say_in_run(self, thread):
        status = self.dice.choice(["completed", "incomplete"])
        self._in_run(thread, "assistant", "An answer.", status=status)

    def text(self, thread):
        run = self.a_run(thread)
        if run is not None:
            written = f"msg_{self.dice.getrandbits(128):032x}"
            self.store.runs.write_text(
                thread, run.id, "An ans", message_id=written, offset=0, fence=run.fence
            )

    def answer(self, thread):
        chosen = self.dice.sample(CALLS, self.dice.choice([1, 1, 2]))
        results = [{"type": "tool_result", "call_id": one, "output": 1} for one in chosen]
        if self.dice.random() < 0.7:
            self._in_run(thread, "tool", results)
        else:
            above = self.a_message(thread)
            self.store.messages.create(
                thread, role="tool", content=results, parent_id=above.id if above else None
            )

    def wait(self, thread):
        run = self.a_run(thread)
        if run is not None:
            calls = self.dice.choice([None, None, list(CALLS[:1])])
            self.store.runs.require_action(thread, run.id, calls=calls, fence=run.fence)

    def submit(self, thread):
        run = self.a_run(thread)
        if run is not None:
            calls = [call for call in run.required_calls if self.dice.random() < 0.7]
            outputs = [{"call_id": call, "output": 1} for call in calls]
            self.store.runs.submit_tool_outputs(thread, run.id, outputs)

    def end(self, thread):
        run = self.a_run(thread)
        if run is not None:
            runs, given = self.store.runs, (thread, run.id)
            self.dice.choice(
                [
                    lambda: runs.complete(*given, fence=run.fence),
                    lambda: runs.complete(*given, incomplete_reason="long", fence=run.fence),
                    lambda: runs.fail(*given, fence=run.fence),
                    lambda: runs.cancel(*given, fence=run.fence),
                    lambda: runs.expire(*given, fence=run.fence),
                ]
            )()

    def take_over(self, thread):
        run = self.a_run(thread)
        if run is not None:
            self.store.runs.start(thread, run.id, take_over=True, holder="another")

    def step(self, thread):
        run = self.a_run(thread)
        if run is not None:
            seen = self.store.runs.context(thread, run.id, last_messages=3)
            step = self.store.runs.steps.start(thread, run.id, context=seen, fence=run.fence)
            assert self.store.runs.context(thread, run.id, step_id=step.id).verified

    def _on_one(self, act, thread, *args, **options):
        message = self.a_message(thread)
        if message is not None:
            act(thread, message.id, *args, **options)

    def select(self, thread):
        self._on_one(self.store.branches.select, thread)

    def remove(self, thread):
        self._on_one(self.store.messages.remove, thread)

    def restore(self, thread):
        gone = [
            event.data["message_id"]
            for event in self.store.events.read(thread)
            if event.type == "MessageRemoved"
        ]
        if gone:
            self.store.messages.restore(thread, self.dice.choice(gone))

    def edit(self, thread):
        self._on_one(self.store.messages.edit, thread, content="other words")

    def amend(self, thread):
        self._on_one(self.store.messages.amend, thread, content="better words")

    def regenerate(self, thread):
        run = self.a_run(thread) if self.dice.random() < 0.3 else None
        content = self.dice.choice(["another answer", self.calls()])
        options = {} if run is None else {"run_id": run.id, "fence": run.fence}
        self._on_one(self.store.messages.regenerate, thread, content=content, **options)

    def fork(self, thread):
        if len(self.threads) < 4:
            self._on_one(self._fork, thread)

    def _fork(self, thread, message):
        self.threads.append(self.store.threads.fork(thread, at_message=message).id)

    def take_in(self, thread):
        """Import a conversation that breaks off at a call."""
        said = [("user", "Well?"), ("assistant", self.calls())]
        given = [{"role": role, "content": content} for role, content in said]
        if self.dice.random() < 0.5:
            given[0]["parent_id"] = None
        self.store.messages.create_many(thread, given)

    def erase(self, thread):
        self._on_one(self.store.privacy.erase, thread)


@of_a_law
@given(seed=SEEDS)
def test_a_model_accepts_every_context(seed):
    with ConversationStore.open("sqlite://") as store:
        Life(store, seed, erases=False).live()


@of_a_law
@given(seed=SEEDS)
def test_and_so_it_does_when_messages_were_erased(seed):
    with ConversationStore.open("sqlite://") as store:
        Life(store, seed, erases=True).live()


def test_these_lives_are_full():
    happened: Counter[str] = Counter()
    acts: set[str] = set()
    for seed in range(6):
        with ConversationStore.open("sqlite://") as store:
            life = Life(store, seed, erases=True)
            life.live()
            happened += life.happened
            acts |= {act.__name__ for act in life.acts}
    assert acts <= happened.keys()
    assert happened["open_tool_calls"] > 5
    assert happened["call_not_open"] > 5


@pytest.mark.parametrize("broken", range(4))
def test_the_rules_are_noticed_when_they_are_broken(broken):
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        call = {"type": "tool_call", "id": "a", "name": "f", "arguments": {}}
        result = {"type": "tool_result", "call_id": "a", "output": 1}
        said = [("user", "x"), ("assistant", [call]), ("tool", [result]), ("user", "y")]
        given = [{"role": role, "content": content} for role, content in said]
        user, calls, answer, last = store.messages.create_many(thread, given)
        check_accepted([user, calls, answer, last])
        check_chat([user, calls, answer, last])
    wrong = [
        [user, calls],
        [user, calls, last, answer],
        [user, answer, last],
        [user, calls, answer, answer],
    ][broken]
    for check in (check_accepted, check_chat):
        with pytest.raises((AssertionError, ValueError)):
            check(wrong)


def test_a_context_begins_with_the_users_message_next_above():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        say = store.messages.create
        say(thread, role="user", content="first")
        say(thread, role="user", content="second")
        for number in range(150):
            say(thread, role="assistant", content=f"answer {number}")
        run = store.runs.create(thread).id
        for last, length in [(1, 151), (150, 151), (151, 151), (152, 152), (500, 152)]:
            seen = store.runs.context(thread, run, last_messages=last).messages
            assert len(seen) == length, last
        with pytest.raises(ConversationStoreError):
            store.runs.context(thread, run, last_messages=0)
