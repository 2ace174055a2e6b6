"""Random lives of threads in which engines execute runs, and everything else happens meanwhile.

The courses of all engines advance one request at a time, in an order that the dice choose, so that
any two can meet anywhere; nothing here has a thread, waits, or reads the real clock. An engine that
crashes is a course that goes no further. The store is real.
"""

import random
from collections import Counter, deque
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from eventstore import (
    ConversationStoreError,
    InvalidInput,
    LeaseLost,
    OutcomeUnknown,
    Refused,
    StoreBusy,
    TextPart,
    TokenUsage,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.engine import effects as f
from eventstore.engine import tool
from eventstore.engine.courses import Begin, Clock, HandBack, Next, TakenOver
from eventstore.engine.desk import Desk
from eventstore.engine.models import Models
from eventstore.engine.requests import Ask, Together
from eventstore.engine.toolbox import Toolbox
from eventstore.engine.working import Claimed, claimed, work
from tests.laws.test_contexts import check_accepted, check_chat

ELSEWHERE = {"type": "function", "function": {"name": "elsewhere", "parameters": {}}}
ENDED = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})
USAGE = TokenUsage(input_tokens=7, output_tokens=5, total_tokens=12)
MOMENTS_TO_END = 4_000


@tool
def careful() -> str:
    """Must not happen twice."""
    return ""


@tool(repeatable=True)
def again() -> str:
    """May happen twice."""
    return ""


@tool(approval=True)
def asking() -> str:
    """Happens when people let it."""
    return ""


TOOLS = [careful, again, asking]
OFFERED = [*TOOLS, ELSEWHERE]
NAMES = ["careful", "again", "asking", "elsewhere", "unheard_of"]


class Course:
    """An engine at one run: the request that it waits for, and its effects under way."""

    def __init__(self, world, desk, key):
        self.world, self.desk, self.key = world, desk, key
        self.inbox: deque[Any] = deque()
        self.effects = []
        """What is yet to happen, of each effect that is under way."""
        self.words = ""
        self.over = False
        self._course = self._whole()
        self._advance(partial(next, self._course))

    def _whole(self):
        outcome = yield from claimed(self.key[0], self.key[1], self.desk)
        if isinstance(outcome, Claimed):
            yield from work(outcome.claim, self.desk)

    def _advance(self, act):
        try:
            self.op = act()
        except StopIteration:
            self.over = True

    def moment(self):
        """Perform its request, or let something that is under way happen."""
        if isinstance(self.op, Next) and not self.inbox and self.effects:
            self.happen()
        else:
            self._perform()

    def _perform(self):
        try:
            answer = self._answer()
        except ConversationStoreError as error:
            self._advance(partial(self._course.throw, error))
        else:
            self._advance(partial(self._course.send, answer))

    def _answer(self):
        world, op = self.world, self.op
        match op:
            case Next(seconds):
                if self.inbox:
                    return self.inbox.popleft()
                assert seconds is not None, "waits for a stop, and nothing is under way"
                world.time_passes(seconds)
                return None
            case Begin(effect):
                self._begin(effect)
                return None
            case Ask(call):
                return world.troubled(lambda: call(world.store), Ask)
            case Together(thread, collect):
                return world.troubled(partial(world.batch, thread, collect), Together)

    def _begin(self, effect):
        match effect:
            case f.AskModel(step, request):
                self.world.check_request(request)
                says = [partial(self._say, step, piece) for piece in self.world.pieces()]
                self.effects.append(deque([*says, partial(self._end, self.world.outcome())]))
            case f.CallTool(call, name):
                self.effects.append(
                    deque([partial(self._call, call, name), partial(self._return, call)])
                )
            case f.Stop(reason):
                parts = (TextPart(text=self.words),) if self.words else ()
                self.effects.clear()
                self.inbox.append(f.Stopped(reason, parts))

    def happen(self):
        """Let the next thing of one effect happen."""
        effect = self.world.dice.choice(self.effects)
        effect.popleft()()
        if not effect and effect in self.effects:
            self.effects.remove(effect)

    def _say(self, step, piece):
        self.words += piece
        self.inbox.append(f.TextArrived(step, piece))

    def _end(self, outcome):
        text = (TextPart(text=self.words),) if self.words else ()
        calls, reason = outcome
        if reason == "broken":
            self.inbox.append(f.ModelFailed("server_error", "It broke.", text))
        else:
            self.inbox.append(f.ModelAnswered((*text, *calls), reason, USAGE))
        self.words = ""

    def _call(self, call, name):
        self.world.effects[call, name] += 1

    def _return(self, call):
        status = self.world.dice.choice(["completed", "completed", "failed"])
        self.inbox.append(f.ToolReturned(call, "output", status))


class World:
    """A store, engines, people, a clock, and dice."""

    def __init__(self, store, seed):
        self.store = store
        self.dice = random.Random(seed)
        self.began = datetime.now(UTC)
        self.passed = 0.0
        self.clock = Clock(now=self.now, monotonic=lambda: self.passed)
        self.threads = [store.threads.create().id for _ in range(2)]
        self.desks = [self._desk(number) for number in range(3)]
        self.born = 3
        self.courses = []
        self.effects: Counter[tuple[str, str]] = Counter()
        self.allowed: Counter[str] = Counter()
        self.happened: Counter[str] = Counter()
        self.calls = 0
        self.calm = False
        """True once nothing bad happens any more."""

    def now(self):
        return self.began + timedelta(seconds=self.passed)

    def time_passes(self, seconds):
        self.passed += seconds + 0.001

    def _desk(self, number):
        return Desk(
            holder=f"engine {number}",
            tools=Toolbox(TOOLS),
            models=Models({}),
            external=frozenset({"elsewhere"}),
            clock=self.clock,
        )

    # -- lives -------------------------------------------------------------------------------------

    def live(self, moments):
        acts = [self.people, self.news, self.crash, self.wait, self.begin, self.begin]
        for _ in range(moments):
            chance = self.dice.random()
            if chance < 0.85 and self.courses:
                self.advance()
            else:
                act = self.dice.choice(acts)
                act()
        self.calm = True
        self.settle()
        for thread in self.threads:
            self.check(thread)
        self.check_effects()

    def advance(self):
        course = self.dice.choice(self.courses)
        if self.dice.random() < 0.3 and course.effects:
            course.happen()
        else:
            course.moment()
        self._drop(course)

    def _drop(self, course):
        if course.over and course in self.courses:
            self.courses.remove(course)
            self.happened["courses over"] += 1

    def settle(self):
        """Let everything end: engines look again and again, people answer, leases run out."""
        for moment in range(MOMENTS_TO_END):
            open_runs = self.open_runs()
            if not open_runs and not self.courses:
                return
            if self.courses and moment % 40:
                self.advance()
                continue
            self.time_passes(self.dice.choice([0, 5, 40]))
            for run in open_runs:
                if run.status == "requires_action":
                    self._answer_or_cancel(run)
                self._begin(self.dice.choice(self.desks), run)
        states = [(run.id, run.status, run.holder) for run in self.open_runs()]
        raise AssertionError(f"these runs do not end: {states}")

    def _answer_or_cancel(self, run):
        try:
            self.submit(run)
        except Refused:  # people removed the call that it waits for
            self.store.runs.cancel(run.thread_id, run.id)

    def open_runs(self):
        runs = [run for thread in self.threads for run in self.store.runs.list(thread).data]
        return [run for run in runs if run.status not in ENDED]

    # -- engines -----------------------------------------------------------------------------------

    def begin(self):
        """Let an engine look at a run; it cannot be at the same run twice."""
        runs = self.open_runs()
        if runs:
            self._begin(self.dice.choice(self.desks), self.dice.choice(runs))

    def _begin(self, desk, run):
        key = (run.thread_id, run.id)
        if not any(course.desk is desk and course.key == key for course in self.courses):
            self.courses.append(Course(self, desk, key))

    def crash(self):
        if self.dice.random() < 0.5:
            desk = self.dice.choice(self.desks)
            self.courses = [course for course in self.courses if course.desk is not desk]
            self.desks[self.desks.index(desk)] = self._desk(self.born)
            self.born += 1
            self.happened["crashes"] += 1

    def news(self):
        """Tell a course what others did; news may come late, or never."""
        if self.courses:
            course = self.dice.choice(self.courses)
            run = self.store.runs.get(*course.key)
            if run.holder not in {None, course.desk.holder}:
                course.inbox.append(TakenOver())
            elif run.status in {"cancelling", *ENDED}:
                course.inbox.append(f.CancelRequested())
            elif self.dice.random() < 0.1:
                course.inbox.append(HandBack())

    def wait(self):
        self.time_passes(self.dice.choice([0.5, 5, 15, 31]))

    def batch(self, thread, collect):
        with self.store.threads.batch(thread) as batch:
            return collect(batch)

    def troubled(self, act, kind):
        """Perform a request, or let it fail; after a write it may be unknown whether it did."""
        chance = 1 if self.calm else self.dice.random()
        if chance < 0.02:
            raise StoreBusy("the database is busy")
        if chance < 0.04 and kind is Together:
            raise OutcomeUnknown("the connection broke")
        answer = act()
        if chance < 0.06 and kind is Together:
            raise OutcomeUnknown("the connection broke")
        return answer

    # -- models ------------------------------------------------------------------------------------

    def pieces(self):
        return ["word " * self.dice.randint(1, 3) for _ in range(self.dice.choice([0, 1, 2, 4]))]

    def outcome(self):
        """Return the calls of an answer, and how it ends."""
        names = self.dice.choices(NAMES, k=self.dice.choice([0, 1, 1, 2, 3]))
        made = []
        for name in [] if self.calm else names:
            self.calls += 1
            made.append(ToolCallPart(id=f"call_{self.calls}", name=name, arguments={}))
        reason = self.dice.choice(["stop"] * 8 + ["length", "content_filter", "broken"])
        return (made if reason == "stop" else []), reason

    def check_request(self, request):
        """Hold what a model is asked to the context law."""
        check_accepted(request.messages)
        check_chat(request.messages)
        self.happened["models asked"] += 1

    # -- people ------------------------------------------------------------------------------------

    def people(self):
        thread = self.dice.choice(self.threads)
        deeds = [self.ask, self.ask, self.say, self.edit, self.regenerate, self.select]
        deeds += [self.remove, self.cancel, self.expire, self.answer, self.answer, self.fork]
        deed = self.dice.choice(deeds)
        try:
            deed(thread)
        except (Refused, InvalidInput, LeaseLost):
            self.happened[f"{deed.__name__} refused"] += 1
        else:
            self.happened[deed.__name__] += 1
        self.check(thread)

    def _busy(self):
        return self.dice.choice(["enqueue", "enqueue", "interrupt", "rollback"])

    def ask(self, thread):
        self.store.messages.create(thread, role="user", content="why?", on_busy=self._busy())
        given = {"expires_seconds": self.dice.choice([600, 86_400]), "steps_max": 4}
        given["parallel_tool_calls"] = self.dice.choice([True, False])
        self.store.runs.create(
            thread, model="m", tools=OFFERED, settings=given, on_busy=self._busy()
        )

    def say(self, thread):
        self.store.messages.create(thread, role="user", content="words", on_busy=self._busy())

    def _message(self, thread):
        nodes = self.store.branches.tree(thread).nodes
        return self.dice.choice(nodes).message if nodes else None

    def edit(self, thread):
        if message := self._message(thread):
            self.store.messages.edit(thread, message.id, content="other words")

    def regenerate(self, thread):
        if message := self._message(thread):
            self.store.runs.create(
                thread, model="m", tools=OFFERED, regenerates=message.id, on_busy=self._busy()
            )

    def select(self, thread):
        if message := self._message(thread):
            self.store.branches.select(thread, message.id)

    def remove(self, thread):
        if message := self._message(thread):
            self.store.messages.remove(thread, message.id)

    def fork(self, thread):
        message = self._message(thread)
        if message and len(self.threads) < 4:
            self.threads.append(self.store.threads.fork(thread, at_message=message.id).id)

    def _run(self, thread, *statuses):
        runs = [run for run in self.store.runs.list(thread).data if run.status in statuses]
        return self.dice.choice(runs) if runs else None

    def cancel(self, thread):
        if run := self._run(thread, "queued", "in_progress", "requires_action"):
            self.store.runs.cancel(thread, run.id)

    def expire(self, thread):
        if run := self._run(thread, "queued", "in_progress", "requires_action"):
            self.store.runs.expire(thread, run.id)

    def answer(self, thread):
        if run := self._run(thread, "requires_action"):
            self.submit(run)

    def submit(self, run):
        """Hand in outputs of all or of some calls, or let the engine make them."""
        waits = run.required_actions
        some = waits if self.calm else [one for one in waits if self.dice.random() < 0.7]
        given = []
        for one in some:
            if one.reason != "outputs" and self.dice.random() < 0.4:
                self.allowed[one.call_id] += 1
                given.append({"call_id": one.call_id, "approved": True})
            else:
                given.append({"call_id": one.call_id, "output": "of people"})
        if given:
            self.store.runs.submit_tool_outputs(run.thread_id, run.id, given)

    # -- what must hold ----------------------------------------------------------------------------

    def check(self, thread):
        check_lives(self.store.events.read(thread))
        for run in self.store.runs.list(thread):
            seen = self.store.runs.context(thread, run.id)
            check_accepted(seen.messages)
            check_chat(seen.messages)
            if run.ended_at is not None:
                assert seen.head_id == run.last_message_id, "an ended run leaves no call open"

    def check_effects(self):
        recorded: dict[str, str] = {}
        for thread in self.threads:
            nodes = [node.message for node in self.store.branches.tree(thread).nodes]
            parts = [part for message in nodes for part in message.content]
            recorded |= {one.id: one.name for one in parts if isinstance(one, ToolCallPart)}
            self.happened["results"] += sum(isinstance(one, ToolResultPart) for one in parts)
        for (call, name), count in self.effects.items():
            assert call in recorded or self.happened["remove"], "made, and not recorded"
            first = 0 if name == "asking" else 1
            if name != "again":
                assert count <= first + self.allowed[call], f"{call} of {name} was made again"
            self.happened[f"effects of {name}"] += count


HELD: set[str | None] = {"in_progress", "cancelling"}
MOVES: dict[str, tuple[set[str | None], str | None]] = {
    "RunQueued": ({None}, "queued"),
    "RunStarted": ({"queued"}, "in_progress"),
    "RunTakenOver": (HELD, None),
    "RunActionRequired": ({"in_progress"}, "requires_action"),
    "ToolOutputsSubmitted": ({"requires_action"}, None),
    "RunCancelling": ({"in_progress", "requires_action"}, "cancelling"),
    "RunCompleted": (HELD, "completed"),
    "RunIncomplete": (HELD, "incomplete"),
    "RunFailed": ({*HELD, "queued", "requires_action"}, "failed"),
    "RunExpired": ({*HELD, "queued", "requires_action"}, "expired"),
    "RunCancelled": ({"queued", "cancelling"}, "cancelled"),
}
"""By event: the states in which a run may be, and its next one; None leaves it as it is."""


def check_lives(events):
    """Hold the events of a thread to law 9: legal moves, one run past queued, in their order."""
    states: dict[str, str | None] = {}
    begun: set[str] = set()
    for event in events:
        if event.type not in MOVES:
            continue
        run = event.data["run_id"]
        allowed, after = MOVES[event.type]
        assert states.get(run) in allowed, f"{event.type} of a run that is {states.get(run)}"
        if event.type == "ToolOutputsSubmitted" and event.data["all_in"]:
            after = "queued"
        if event.type == "RunStarted" and run not in begun:
            first = next(one for one, state in states.items() if state == "queued")
            assert run == first, "a run began before its turn"
            begun.add(run)
        states[run] = after or states[run]
        active = [one for one in begun if states[one] not in ENDED]
        assert len(active) <= 1, f"{event.type}: two runs at once"
