"""Whatever ends a run closes its tool calls, right behind them; nothing else stands there."""

import pytest

from eventstore import ConversationStore, Refused

CALLS = [{"type": "tool_call", "id": name, "name": "look_up"} for name in ("one", "two")]


class Talk:
    """A thread in which a run has made two calls."""

    def __init__(self, store, *answered):
        self.store = store
        self.id = store.threads.create().id
        self.question = self.say("Well?")
        self.run = store.runs.create(self.id).id
        store.runs.start(self.id, self.run)
        self.call = self.say(["Looking.", *CALLS], role="assistant", run_id=self.run)
        for name in answered:
            self.answer(name)

    def say(self, content, role="user", **options):
        return self.store.messages.create(self.id, role=role, content=content, **options)

    def answer(self, name, **options):
        result = {"type": "tool_result", "call_id": name, "output": 42}
        return self.say([result], role="tool", run_id=self.run, **options)

    def path(self, **options):
        """What the path says, a result by its status."""
        messages = self.store.messages.list(self.id, **options)
        return [
            f"{part.call_id} {part.status}" if message.role == "tool" else message.text
            for message in messages
            for part in message.content[:1]
        ]

    def refused(self, act, *args, **options):
        version = self.store.threads.get(self.id).version
        with pytest.raises(Refused) as caught:
            act(*args, **options)
        assert self.store.threads.get(self.id).version == version
        return caught.value


@pytest.fixture
def store():
    with ConversationStore.open("sqlite://") as opened:
        yield opened
        assert opened.projections.compare().ok


@pytest.fixture
def talk(store):
    return Talk(store)


def cancel_twice(talk):
    talk.store.runs.cancel(talk.id, talk.run)
    talk.store.runs.cancel(talk.id, talk.run)


def cancel_while_waiting(talk):
    talk.store.runs.require_action(talk.id, talk.run)
    talk.store.runs.cancel(talk.id, talk.run)


def expire_while_waiting(talk):
    talk.store.runs.require_action(talk.id, talk.run)
    talk.store.runs.expire(talk.id, talk.run)


def interrupt_while_waiting(talk):
    talk.store.runs.require_action(talk.id, talk.run)
    talk.say("Stop.", on_busy="interrupt")


ENDS = {
    "cancel": (cancel_twice, "cancelled"),
    "expire": (lambda talk: talk.store.runs.expire(talk.id, talk.run), "cancelled"),
    "fail": (lambda talk: talk.store.runs.fail(talk.id, talk.run), "failed"),
    "cut off": (
        lambda talk: talk.store.runs.complete(talk.id, talk.run, incomplete_reason="max_tokens"),
        "cancelled",
    ),
    "interrupt": (lambda talk: talk.say("Stop.", on_busy="interrupt"), "cancelled"),
    "another run": (
        lambda talk: talk.store.runs.create(talk.id, on_busy="interrupt"),
        "cancelled",
    ),
    "cancel while waiting": (cancel_while_waiting, "cancelled"),
    "expire while waiting": (expire_while_waiting, "cancelled"),
    "interrupt while waiting": (interrupt_while_waiting, "cancelled"),
}


@pytest.mark.parametrize(("end", "outcome"), ENDS.values(), ids=ENDS)
def test_a_run_that_ends_closes_its_calls_behind_the_call(store, talk, end, outcome):
    end(talk)
    assert talk.path()[:4] == ["Well?", "Looking.", f"one {outcome}", f"two {outcome}"]
    run = store.runs.get(talk.id, talk.run)
    last = store.messages.list(talk.id).data[3]
    assert (last.role, last.run_id, last.id) == ("tool", talk.run, run.last_message_id)
    assert last.version < run.version, "an ended run writes nothing more"
    assert store.threads.get(talk.id).head_id == store.messages.list(talk.id).data[-1].id


@pytest.mark.parametrize("answered", [(), ("one",), ("two",), ("one", "two")])
def test_only_what_is_open_is_closed(store, answered):
    talk = Talk(store, *answered)
    talk.say("Stop.", on_busy="interrupt")
    given = [f"{name} completed" for name in answered]
    closed = [f"{name} cancelled" for name in ("one", "two") if name not in answered]
    assert talk.path() == ["Well?", "Looking.", *given, *closed, "Stop."]


def test_a_rollback_leaves_no_open_call_on_the_branch_it_leaves(talk):
    talk.say("Stop.", on_busy="rollback")
    assert talk.path() == ["Well?", "Stop."]
    left = talk.path(branch=talk.call.id)
    assert left == ["Well?", "Looking.", "one cancelled", "two cancelled"]


def test_what_waited_joins_behind_the_results(store, talk):
    talk.say("Meanwhile.")
    store.runs.fail(talk.id, talk.run)
    assert talk.path() == ["Well?", "Looking.", "one failed", "two failed", "Meanwhile."]


def test_a_head_elsewhere_stays_there(store, talk):
    other = talk.say("Or else?", parent_id=talk.question.id)
    store.runs.expire(talk.id, talk.run)
    assert store.threads.get(talk.id).head_id == other.id
    left = talk.path(branch=talk.call.id)
    assert left == ["Well?", "Looking.", "one cancelled", "two cancelled"]


def test_what_is_removed_is_closed_before_it_comes_back(store, talk):
    store.messages.remove(talk.id, talk.call.id)
    store.runs.fail(talk.id, talk.run)
    assert talk.path() == ["Well?"]
    store.messages.restore(talk.id, talk.call.id)
    assert talk.path() == ["Well?", "Looking.", "one failed", "two failed"]


def test_a_run_goes_on_only_once_its_calls_are_answered(store, talk):
    acts = [
        lambda: store.runs.complete(talk.id, talk.run),
        lambda: talk.say("So.", role="assistant", run_id=talk.run),
        lambda: talk.say(CALLS[:1], role="assistant", run_id=talk.run),
        lambda: store.messages.regenerate(talk.id, talk.call.id, content="So.", run_id=talk.run),
    ]
    for act in acts:
        refusal = talk.refused(act)
        assert refusal.reason == "open_tool_calls"
        assert "'one', 'two'" in refusal.problem
    talk.answer("two")
    for act in acts:
        assert "'one'" in talk.refused(act).problem
    talk.answer("one")
    talk.say("So.", role="assistant", run_id=talk.run)
    store.runs.complete(talk.id, talk.run)


def test_one_that_waits_for_outputs_can_fail(store, talk):
    store.runs.require_action(talk.id, talk.run)
    run = store.runs.fail(talk.id, talk.run, code="tool_down", message="gone")
    assert (run.status, run.error.code, run.required_calls) == ("failed", "tool_down", ())
    assert talk.path()[2:] == ["one failed", "two failed"]


def test_the_next_run_closes_what_is_open_on_its_path(store, talk):
    store.runs.fail(talk.id, talk.run)
    store.branches.select(talk.id, talk.call.id)
    fork = store.threads.fork(talk.id, at_message=talk.call.id).id
    store.messages.remove(talk.id, store.messages.list(talk.id).data[2].id)
    for thread in (talk.id, fork):
        head = store.threads.get(thread).head_id
        assert head == talk.call.id
        run = store.runs.start(thread, store.runs.create(thread).id)
        last = store.messages.list(thread).data
        assert [part.status for one in last[2:] for part in one.content] == ["cancelled"] * 2
        assert run.started_head_id == last[-1].id


def test_what_waited_closes_calls_that_are_open_at_the_head_by_then(store, talk):
    """Somebody selected another path while the run was busy."""
    talk.answer("one")
    talk.answer("two")
    store.branches.select(talk.id, talk.call.id)
    aside = talk.say(CALLS, role="assistant", parent_id=talk.question.id)
    assert store.threads.get(talk.id).head_id == aside.id
    talk.say("Meanwhile.")
    store.runs.complete(talk.id, talk.run)
    assert talk.path() == ["Well?", "", "one cancelled", "two cancelled", "Meanwhile."]


@pytest.mark.parametrize("on_busy", ["interrupt", "rollback"])
def test_so_does_a_message_that_interrupts(talk, on_busy):
    talk.say(CALLS, role="assistant", parent_id=talk.question.id)
    talk.say("Stop.", on_busy=on_busy)
    there = ["", "one cancelled", "two cancelled"] if on_busy == "interrupt" else []
    assert talk.path() == ["Well?", *there, "Stop."]


def test_and_one_that_is_restored_into_the_queue_after_its_turn(store, talk):
    waits = talk.say("Meanwhile.")
    store.messages.remove(talk.id, waits.id)
    store.runs.fail(talk.id, talk.run)
    talk.say(CALLS, role="assistant", parent_id=talk.question.id)
    store.messages.restore(talk.id, waits.id)
    assert talk.path() == ["Well?", "", "one cancelled", "two cancelled", "Meanwhile."]
