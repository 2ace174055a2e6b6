"""Random lives of a run that shows its text, and readers that drop and resume meanwhile."""

import secrets
from typing import Any

import pytest
from hypothesis import strategies as st

from eventstore import LeaseLost, Refused

ENDS = ["complete", "incomplete", "fail", "expire", "cancel", "interrupt", "rollback"]
ACTS = st.one_of(
    st.tuples(st.just("write"), st.text(max_size=6)),
    st.tuples(st.just("again"), st.integers(0, 8)),
    st.tuples(st.just("finish"), st.text(max_size=4)),
    st.tuples(st.just("say"), st.text(min_size=1, max_size=4)),
    st.tuples(st.just("read"), st.floats(0, 1)),
    st.tuples(st.sampled_from(["drop", "take over", "give up", "step", "tools", "ask"]), st.none()),
)
_READ, _DROP, _STEP = ("read", 1.0), ("drop", None), ("step", None)
SEEN_BEFORE = (
    [("write", "abc"), _READ, _STEP, _READ, _DROP, ("write", "de"), _READ, ("finish", "f")],
    [("write", "abc"), ("read", 0.5), _DROP, ("take over", None), ("write", "x"), _READ],
    [("write", "abc"), _READ, ("give up", None), _DROP, ("write", "y"), ("finish", "")],
    [("write", "abc"), _READ, ("finish", ""), _DROP, ("tools", None), ("ask", None), ("say", "z")],
)
"""Lives that are always tried: each meets a way to lose or repeat text."""
LIVES = st.tuples(st.lists(ACTS, max_size=25), st.sampled_from(ENDS))


def new_message():
    return f"msg_{secrets.token_hex(16)}"


class Reader:
    """Reads a run up to an amount of its text; it may drop, and resumes behind its last event."""

    def __init__(self, runs, thread, run):
        self._events: Any = None
        self._stream = lambda cursor: runs.stream(thread, run, after=cursor)
        self.cursor: str | None = None
        self.told: list[Any] = []
        self.text = ""

    def until(self, length):
        while len(self.text) < length:
            self.take(next(self.events))

    def rest(self):
        for event in self.events:
            self.take(event)
        self._events = None

    @property
    def events(self):
        if self._events is None:
            self._events = iter(self._stream(self.cursor))
        return self._events

    def take(self, event):
        self.cursor = event.cursor
        if event.type == "message.delta":
            assert event.offset == len(self.text)
            self.text += event.text
        self.told.append(event)

    def drop(self):
        self._events = None

    @property
    def facts(self):
        """What was told, however the text was cut: what happened, and the text of each message.

        A step that ended while a message was written stands before or behind pieces of it.
        """
        texts: dict[str, str] = {}
        for event in self.told:
            if event.type == "message.delta":
                texts[event.message_id] = texts.get(event.message_id, "") + event.text
            elif event.type in {"message.completed", "message.interrupted"}:
                texts.setdefault(event.message_id, "")
                assert list(texts)[-1] == event.message_id, "a text after the end of its message"
        others = [one for one in self.told if one.type != "message.delta"]
        return [one.model_dump(exclude={"cursor"}) for one in others], texts


class Life:
    """A run, its text as a reader must see it, and two readers: one drops, one stays."""

    def __init__(self, store):
        self.store = store
        self.thread = store.threads.create(messages=[{"role": "user", "content": "why?"}]).id
        self.run = store.runs.create(self.thread).id
        self.fence = store.runs.start(self.thread, self.run).fence
        self.text = ""
        self.message: str | None = None
        self.shown = ""
        self.interrupted = {}
        self.drops = Reader(store.runs, self.thread, self.run)
        self.stays = Reader(store.runs, self.thread, self.run)

    def act(self, what, how):
        getattr(self, f"_{what.replace(' ', '_')}")(how)

    def _write(self, piece):
        if self.message is None:
            self.message, self.shown = new_message(), ""
        offset = self._put(piece, len(self.shown))
        self.shown, self.text = self.shown + piece, self.text + piece
        assert offset == len(self.shown)

    def _put(self, piece, offset):
        return self._put_to(self.message, piece, offset, self.fence)

    def _put_to(self, message, piece, offset, fence):
        return self.store.runs.write_text(
            self.thread, self.run, piece, message_id=message, offset=offset, fence=fence
        )

    def _again(self, back):
        if self.message is not None:
            begins = max(0, len(self.shown) - back)
            self._put(self.shown[begins:], begins)

    def _finish(self, more):
        if self.message is not None:
            more = more or ("" if self.shown else ".")  # no message is empty
            self._create(self.shown + more, message_id=self.message)
            self.text += more
            self.message = None

    def _say(self, text):
        if self.message is None:
            self._create(text)
            self.text += text

    def _create(self, content, **options):
        self.store.messages.create(
            self.thread,
            role="assistant",
            content=content,
            run_id=self.run,
            fence=self.fence,
            **options,
        )

    def _take_over(self, _):
        dead, writing, shown = self.fence, self.message or new_message(), self.shown
        self._interrupt()
        self.fence = self.store.runs.start(self.thread, self.run, take_over=True).fence
        for fence in (dead, None):  # it was only slow, and did not notice
            for message, offset in ((writing, len(shown)), (new_message(), 0)):
                with pytest.raises(LeaseLost):
                    self._put_to(message, "late", offset, fence)

    def _give_up(self, _):
        self._interrupt()
        self._write("")

    def _interrupt(self):
        if self.message is not None and self.shown:
            self.interrupted[self.message] = self.shown
        self.message = None

    def _step(self, _):
        steps = self.store.runs.steps
        step = steps.start(self.thread, self.run, fence=self.fence)
        steps.complete(self.thread, step.id, fence=self.fence)

    def _tools(self, _):
        if self.message is None:
            call = {"type": "tool_call", "id": secrets.token_hex(4), "name": "look"}
            self._create(["Hm", call])
            self.text += "Hm"
            with pytest.raises(Refused) as refused:
                self._put_to(new_message(), "x", 0, self.fence)
            assert refused.value.reason == "open_tool_calls"
            self.store.messages.create(
                self.thread,
                role="tool",
                content=[{"type": "tool_result", "call_id": call["id"], "output": 1}],
                run_id=self.run,
                fence=self.fence,
            )

    def _ask(self, _):
        if self.message is None:
            call = {"type": "tool_call", "id": secrets.token_hex(4), "name": "look"}
            self._create([call])
            self.store.runs.require_action(self.thread, self.run, fence=self.fence)
            self.drops.rest()  # it ends here
            self.stays.rest()
            assert self.drops.text == self.stays.text == self.text
            output = {"call_id": call["id"], "output": 1}
            self.store.runs.submit_tool_outputs(self.thread, self.run, [output])
            self.fence = self.store.runs.start(self.thread, self.run).fence

    def _read(self, share):
        for reader in (self.drops, self.stays):
            reader.until(int(share * len(self.text)))

    def _drop(self, _):
        self.drops.drop()

    def end(self, how):
        if how == "incomplete":
            self._end("complete", incomplete_reason="max_tokens")
        elif how in {"interrupt", "rollback"}:
            self.store.messages.create(self.thread, role="user", content="no", on_busy=how)
        elif how == "cancel":
            self._cancel()
        else:
            self._end(how)
        self._interrupt()

    def _end(self, how, **options):
        getattr(self.store.runs, how)(self.thread, self.run, fence=self.fence, **options)

    def _cancel(self):
        """Its loop goes on for a moment, and dies; another one ends what is left."""
        self.store.runs.cancel(self.thread, self.run)
        self._read(1)
        self._drop(None)
        self._write("bye")
        self._read(1)
        self.fence = self.store.runs.start(self.thread, self.run, take_over=True).fence
        self._drop(None)
        self._read(1)
        self._end("cancel")

    def check(self):
        """What was told is the text, once; what was shown is there; nothing is left of chunks."""
        again = Reader(self.store.runs, self.thread, self.run)
        for reader in (self.drops, self.stays, again):
            reader.rest()
            assert reader.text == self.text
        assert self.drops.facts == self.stays.facts == again.facts
        told = [one.message_id for one in again.told if one.type == "message.interrupted"]
        assert told == list(self.interrupted)
        for message, text in self.interrupted.items():
            kept = self.store.messages.get(self.thread, message)
            assert (kept.text, kept.status) == (text, "incomplete")
        assert self.store.runs.wait(self.thread, self.run).status
        assert self.store.projections.compare(self.thread).ok


def live(store, acts, end):
    life = Life(store)
    for what, how in acts:
        life.act(what, how)
    life.end(end)
    life.check()
    return life
