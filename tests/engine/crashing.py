"""Engines that die at their n-th request to the store, before it or right after it.

The second engine lives in a later hour, so it finds every lease ended and waits for nothing.
"""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import partial

from eventstore import ConversationStoreError, StoreClosed
from eventstore.engine import Engine, tool
from eventstore.engine import sync_engine as module
from eventstore.engine.courses import Clock
from eventstore.engine.driving import drive
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.requests import Ask, Together

SETTINGS = {"expires_seconds": 86_400}
AN_HOUR_LATER = Clock(now=lambda: datetime.now(UTC) + timedelta(hours=1))
ELSEWHERE = {"type": "function", "function": {"name": "elsewhere", "parameters": {}}}
CALLS = [
    ToolCall("call_1", "careful"),
    ToolCall("call_2", "again"),
    ToolCall("call_3", "elsewhere"),
]


class Died(BaseException):
    """The process is gone."""


def looks_for_runs():
    """Whether this is the thread of an engine that works on no run."""
    return threading.current_thread().name == "eventstore-engine"


class Life:
    """A run whose engine dies, and another that goes on with it."""

    def __init__(self, store, thread):
        self.store, self.thread = store, thread
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        careful = tool(name="careful")(self._counted("careful"))
        again = tool(repeatable=True, name="again")(self._counted("again"))
        self.tools = [careful, again]
        self.run = store.runs.create(
            thread.id, model="m", tools=[*self.tools, ELSEWHERE], settings=SETTINGS
        )

    def _counted(self, name):
        def call() -> str:
            with self._lock:
                self.calls[name] += 1
            return "done"

        return call

    def engine(self, **options):
        models = {"m": ScriptedModel(answer)}
        return Engine(
            self.store,
            tools=self.tools,
            models=models,
            external_tools=["elsewhere"],
            recover=False,
            **options,
        )

    def dies(self, monkeypatch, at, *, after):
        """Execute until the n-th request; return whether it came to that."""
        seen = 0

        def dying(course, store, begin, inbox):
            if seen >= at:  # the dead do nothing
                raise StoreClosed if looks_for_runs() else Died
            return drive(course if looks_for_runs() else relayed(course, died), store, begin, inbox)

        def died(op, *, done):
            nonlocal seen
            if isinstance(op, Ask | Together):
                seen += not done
                if seen == at and done is after:
                    raise Died

        with monkeypatch.context() as patched:
            patched.setattr(module, "drive", dying)
            with self.engine() as engine:
                self._executed(engine)
        return seen >= at

    def in_trouble(self, monkeypatch, at, trouble, kinds, *, after):
        """Execute to the end, with one error of the store at the n-th request of these kinds."""
        seen = 0

        def troubled(course, store, begin, inbox):
            if looks_for_runs():
                return drive(course, store, begin, inbox)
            return drive(watched(course), store, begin, inbox)

        def watched(course):
            nonlocal seen
            act = partial(next, course)
            while True:
                try:
                    op = act()
                except StopIteration as end:
                    return end.value
                seen += isinstance(op, kinds)
                strikes = isinstance(op, kinds) and seen == at
                try:
                    answer = None if strikes and not after else (yield op)
                except ConversationStoreError as error:
                    act = partial(course.throw, error)
                    continue
                act = partial(course.throw, trouble) if strikes else partial(course.send, answer)

        with monkeypatch.context() as patched:
            patched.setattr(module, "drive", troubled)
            with self.engine() as engine:
                run = self._executed(engine)
        return run, seen >= at

    def goes_on(self):
        """Execute to the end in a later hour."""
        with self.engine(clock=AN_HOUR_LATER) as engine:
            return self._executed(engine)

    def _executed(self, engine):
        """Execute, with people who answer."""
        run = engine.execute(self.thread.id, self.run.id)
        while run.status == "requires_action":
            outputs = [{"call_id": call, "output": "done"} for call in run.required_calls]
            engine.submit_tool_outputs(self.thread.id, run.id, outputs)
            run = engine.execute(self.thread.id, run.id)
        return run


def relayed(course, look):
    """Pass on what a course asks for; look at each request before it and right after it."""
    act = partial(next, course)
    while True:
        try:
            op = act()
        except StopIteration as end:
            return end.value
        look(op, done=False)
        try:
            act = partial(course.send, (yield op))
        except ConversationStoreError as error:
            act = partial(course.throw, error)
        look(op, done=True)


def answer(request):
    return "All done." if request.messages[-1].role == "tool" else CALLS
