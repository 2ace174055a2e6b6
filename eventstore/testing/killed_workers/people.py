"""The users: each asks a question, reads the answer, hands in what the run waits for, may cancel.

Afterwards everything that was recorded of the run is compared with what was seen of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from eventstore import ConversationStore, Message, Refused, Run, ToolCallPart, ToolResultPart
from eventstore.testing.killed_workers.findings import Report
from eventstore.testing.killed_workers.readers import Reader
from eventstore.testing.killed_workers.stories import ASKING, ELSEWHERE, MODEL, TOOLS, Story
from eventstore.testing.killed_workers.worker import QUEUE, effects
from eventstore.testing.model_server import problem_of

__all__ = ["People"]

_TERMINAL: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})
_EVENTS_AT_ONCE: Final = 9
_STEPS_MAX: Final = 5
"""A little more than a story takes; steps that deaths cost do not count."""
_APPROVED_PERCENT: Final = 70


class People:
    """The users of all runs; any number of threads may call ``live``."""

    def __init__(
        self,
        store: ConversationStore,
        folder: Path,
        report: Report,
        is_alive: Callable[[str | None], bool],
    ) -> None:
        self._store = store
        self._folder = folder
        self._report = report
        self._is_alive = is_alive
        self._lock = threading.Lock()
        self._calls: dict[str, str] = {}
        """Names of all recorded calls."""
        self._approved: set[str] = set()
        """Calls that their users let happen."""
        self.begun: dict[int, Run] = {}
        """Runs that have not come to their end."""

    def live(self, number: int) -> None:
        """Live through a story from its question to the end of its run, and look back."""
        story = Story.drawn(self._report.seed, number)
        chance = Random(f"{self._report.seed}/reader/{number}")  # noqa: S311 (a seed is the point)
        asked = [{"role": "user", "content": story.question}]
        thread = self._store.threads.create(messages=asked)
        run = self._store.runs.create(
            thread.id,
            model=MODEL,
            tools=TOOLS,
            queue=QUEUE if story.queued else None,
            settings={"parallel_tool_calls": story.parallel, "steps_max": _STEPS_MAX},
        )
        self.begun[number] = run
        reader = Reader(self._store, run)
        self._read(story, run, reader, chance)
        self._look_back(story, run, reader)
        del self.begun[number]

    # -- meanwhile ---------------------------------------------------------------------------------

    def _read(self, story: Story, run: Run, reader: Reader, chance: Random) -> None:
        cancels = story.cancelled_after
        while True:
            if cancels is not None and len(reader.told) >= cancels:
                self._cancel(run)
                cancels = None
            left = None if cancels is None else cancels - len(reader.told)
            most = chance.choice([left, chance.randint(1, _EVENTS_AT_ONCE)])
            if not reader.read(most) or reader.told[-1].type == "run.in_progress":
                continue
            now = self._store.runs.get(run.thread_id, run.id)
            if now.status in _TERMINAL:
                return
            if now.status == "requires_action":
                self._answer(now, chance)

    def _cancel(self, run: Run) -> None:
        try:
            self._store.runs.cancel(run.thread_id, run.id)
        except Refused:  # it ended meanwhile
            return
        self._count("cancelled by people")

    def _answer(self, run: Run, chance: Random) -> None:
        """Hand in some or all of what a run waits for."""
        actions = run.required_actions
        some = chance.sample(
            actions, chance.choice([len(actions), chance.randint(1, len(actions))])
        )
        given = [self._output(run, one.call_id) for one in some if one.reason != "approval"]
        self._count("answers of people", len(some))
        if given:
            self._store.runs.submit_tool_outputs(run.thread_id, run.id, given)
        for one in some:
            if one.reason == "approval":
                self._decide(run, one.call_id, chance)

    def _decide(self, run: Run, call: str, chance: Random) -> None:
        """Let a call happen, or not."""
        if chance.random() * 100 < _APPROVED_PERCENT:
            self._approved.add(call)
            self._store.runs.approve(run.thread_id, run.id, call, actor="an officer")
        else:
            self._store.runs.deny(run.thread_id, run.id, call, actor="an officer")
        self._count("calls decided on")

    def _output(self, run: Run, call: str) -> Mapping[str, Any]:
        name = self._name(run, call)
        if name == ELSEWHERE:
            return {"call_id": call, "output": "from elsewhere"}
        self._count(f"outcomes of {name} unknown")
        happened = call in effects(self._folder, name)
        return {"call_id": call, "output": "it happened" if happened else "it did not happen"}

    def _name(self, run: Run, call: str) -> str:
        for message in reversed(self._messages(run)):
            for part in message.content:
                if isinstance(part, ToolCallPart) and part.id == call:
                    return part.name
        raise LookupError(call)

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._report.counts[what] += number

    # -- afterwards --------------------------------------------------------------------------------

    def _messages(self, run: Run) -> list[Message]:
        """Return every message of a run's thread, those on side branches included."""
        return [node.message for node in self._store.branches.tree(run.thread_id).nodes]

    def _look_back(self, story: Story, run: Run, reader: Reader) -> None:
        ended = self._store.runs.get(run.thread_id, run.id)
        messages = self._messages(run)
        wrong = [
            *(("lost_text", words) for words in self._of_text(run, reader, messages)),
            *(("open_calls", words) for words in self._of_calls(ended, messages)),
        ]
        if ended.status not in story.ends:
            wrong.append(
                ("ended_wrongly", f"{ended.status}, {ended.incomplete_reason or ended.error}")
            )
        with self._lock:
            report = self._report
            report.statuses[ended.status] += 1
            report.counts["readers resumed"] += reader.resumed
            report.counts["take-overs"] += sum(one.type == "run.taken_over" for one in reader.told)
            report.counts["messages interrupted"] += len(reader.ended("interrupted"))
            for kind, words in wrong:
                report.find(kind, f"{run.id} (story {story.number}): {words}")  # type: ignore[arg-type]
            for message in messages:
                for part in message.content:
                    if isinstance(part, ToolCallPart):
                        self._calls[part.id] = part.name

    def _of_text(self, run: Run, reader: Reader, messages: Sequence[Message]) -> list[str]:
        """Compare what the reader saw with what one sees who reads all at once, and the thread."""
        again = Reader(self._store, run)
        again.read()
        wrong = [*reader.wrong, *again.wrong]
        if reader.texts != again.texts:
            wrong.append(f"it read {_brief(reader.texts)}, another {_brief(again.texts)}")
        if reader.others != again.others:
            wrong.append(f"it was told {_types(reader)}, another {_types(again)}")
        stored = {one.id: one.text for one in messages if one.run_id == run.id and one.text}
        if {key: text for key, text in reader.texts.items() if text} != stored:
            wrong.append(f"it read {_brief(reader.texts)}, stored are {_brief(stored)}")
        wrong += [f"answer {text!r} has a hole" for text in stored.values() if not _whole(text)]
        return wrong

    def _of_calls(self, run: Run, messages: Sequence[Message]) -> list[str]:
        parts = [part for message in messages for part in message.content]
        made = sorted(part.id for part in parts if isinstance(part, ToolCallPart))
        closed = sorted(part.call_id for part in parts if isinstance(part, ToolResultPart))
        wrong = [] if made == closed else [f"calls {made} have results {closed}"]
        context = self._store.runs.context(run.thread_id, run.id)
        if context.head_id != run.last_message_id:
            wrong.append("its context ends above its last message")
        problem = problem_of(_as_chat(context.messages))
        if problem and run.started_at is not None:  # else nobody asked a model
            wrong.append(f"its context is refused: {problem}")
        steps = self._store.runs.steps.list(run.thread_id, run.id)
        wrong += [f"a step reads {one.status}" for one in steps if one.status == "in_progress"]
        return wrong

    def look_at_effects(self) -> None:
        """Compare the effects of tools with the recorded calls, once no worker lives any more."""
        for name in ("careful", "again", ASKING):
            left = effects(self._folder, name)
            self._report.counts[f"effects of {name}"] = len(left)
            often = sorted(call for call in set(left) if left.count(call) > 1)
            self._report.counts[f"calls of {name} made again"] = len(often)
            if name != "again":
                for call in often:
                    self._report.find("repeated", f"{call} happened {left.count(call)} times")
            if name == ASKING:
                for call in sorted(set(left) - self._approved):
                    self._report.find("unrecorded", f"{call} happened, and nobody approved it")
            for call in sorted(set(left)):
                if self._calls.get(call) != name:
                    self._report.find("unrecorded", f"{call} of {name}")


def _as_chat(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return messages in the outline that a service checks."""
    chat: list[dict[str, Any]] = []
    for message in messages:
        results = [part for part in message.content if isinstance(part, ToolResultPart)]
        chat += [{"role": "tool", "tool_call_id": part.call_id} for part in results]
        made = [{"id": part.id} for part in message.content if isinstance(part, ToolCallPart)]
        if not results:
            chat.append({"role": message.role, "content": message.text, "tool_calls": made})
    return chat


def _whole(text: str) -> bool:
    """Return whether words of one answer follow one another, the last one maybe cut."""
    words = [word.rstrip("_") for word in text.split()]
    mark = words[0].rpartition(".")[0]
    return words == [f"{mark}.{place}" for place in range(len(words))]


def _brief(texts: Mapping[str, str]) -> dict[str, int]:
    return {key[-6:]: len(text) for key, text in texts.items()}


def _types(reader: Reader) -> list[str]:
    return [one["type"] for one in reader.others]
