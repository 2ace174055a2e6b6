"""The actions of a random history: what each one asks of a store."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

__all__ = ["ACTIONS", "LOOKED_AT", "Action", "Call", "Calls", "Played", "Step", "Store", "begin"]


Store: TypeAlias = Any
"""A store of either face; an async one returns awaitables."""


Call: TypeAlias = Callable[[Store], Any]


Calls: TypeAlias = Generator[Call, Any, None]
"""Yields calls of the store, and is sent their results."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that somebody does."""

    action: str
    """The name of the action: ``"say"``, ``"edit"``, ``"fork"`` and so on."""
    thread: int = 0
    """The number of the thread, among those that were made by then."""
    message: int = 0
    """The number of the message, among those of the thread."""
    text: str = ""
    """The words, for actions that have some."""

    def __repr__(self) -> str:
        """Show the step as a call, with the arguments that its action uses."""
        looked_at = LOOKED_AT[self.action]
        given = ", ".join(f"{name}={getattr(self, name)!r}" for name in looked_at)
        return f"{self.action}({given})"


@dataclass(slots=True)
class Played:
    """The ids of the things that a history made."""

    threads: list[str] = field(default_factory=list)
    """Every thread, forks and deleted ones included, in the order in which they were made."""
    messages: dict[str, list[str]] = field(default_factory=dict)
    """The messages of each thread, in the order in which they were made."""
    runs: dict[str, str] = field(default_factory=dict)
    """The last run of each thread that had one."""
    refused: int = 0
    """The number of steps that the store refused."""


def begin(played: Played, step: Step) -> Calls:
    made = yield lambda store: store.threads.create(title=step.text or None)
    _remember_thread(played, made.id)


def _say(played: Played, step: Step) -> Calls:
    thread = _thread(played, step)
    made = yield lambda store: store.messages.create(thread, role="user", content=step.text)
    played.messages[thread].append(made.id)


def _answer(played: Played, step: Step) -> Calls:
    """Answer, in the current run if there is one."""
    thread = _thread(played, step)
    run = played.runs.get(thread)
    made = yield lambda store: store.messages.create(
        thread, role="assistant", content=step.text, run_id=run
    )
    played.messages[thread].append(made.id)


def _on_message(method: str, *, says: bool = False, makes: bool = False) -> Action:
    """Return an action that calls a method of ``messages`` with a message."""

    def act(played: Played, step: Step) -> Calls:
        thread, message = _thread(played, step), _message(played, step)
        words = {"content": step.text} if says else {}
        if message is not None:
            made = yield lambda store: getattr(store.messages, method)(thread, message, **words)
            if makes:
                played.messages[thread].append(made.id)

    return act


def _select(played: Played, step: Step) -> Calls:
    thread, message = _thread(played, step), _message(played, step)
    if message is not None:
        yield lambda store: store.branches.select(thread, message)


def _erase(played: Played, step: Step) -> Calls:
    thread, message = _thread(played, step), _message(played, step)
    if message is not None:
        yield lambda store: store.privacy.erase(thread, message)


def _fork(played: Played, step: Step) -> Calls:
    thread, message = _thread(played, step), _message(played, step)
    made = yield lambda store: store.threads.fork(thread, at_message=message)
    _remember_thread(played, made.id)
    path = yield lambda store: store.messages.list(made.id)
    played.messages[made.id] = [message.id for message in path.data]


def _on_thread(method: str) -> Action:
    """Return an action that calls a method of ``threads`` with a thread."""

    def act(played: Played, step: Step) -> Calls:
        thread = _thread(played, step)
        yield lambda store: getattr(store.threads, method)(thread)

    return act


def _retitle(played: Played, step: Step) -> Calls:
    thread = _thread(played, step)
    yield lambda store: store.threads.update(thread, title=step.text)


def _begin_run(played: Played, step: Step) -> Calls:
    thread = _thread(played, step)
    run = yield lambda store: store.runs.create(thread)
    played.runs[thread] = run.id
    yield lambda store: store.runs.start(thread, run.id)


def _call_tool(played: Played, step: Step) -> Calls:
    """Call a tool in the current run, and answer the call."""
    thread = _thread(played, step)
    run = played.runs.get(thread)
    if run is None:
        return
    call = {"type": "tool_call", "id": f"call_{len(played.messages[thread])}", "name": "look_up"}
    made = yield lambda store: store.messages.create(
        thread, role="assistant", content=[call], run_id=run
    )
    played.messages[thread].append(made.id)
    yield lambda store: store.runs.require_action(thread, run)
    outputs = [{"call_id": call["id"], "output": step.text}]
    yield lambda store: store.runs.submit_tool_outputs(thread, run, outputs)
    yield lambda store: store.runs.start(thread, run)


def _end_run(played: Played, step: Step) -> Calls:
    thread = _thread(played, step)
    run = played.runs.pop(thread, None)
    if run is not None:
        yield lambda store: store.runs.complete(thread, run)


Action: TypeAlias = Callable[[Played, Step], Calls]


ACTIONS: Final[dict[str, Action]] = {
    "say": _say,
    "answer": _answer,
    "edit": _on_message("edit", says=True, makes=True),
    "regenerate": _on_message("regenerate", says=True, makes=True),
    "select": _select,
    "amend": _on_message("amend", says=True),
    "remove": _on_message("remove"),
    "restore": _on_message("restore"),
    "begin": begin,
    "fork": _fork,
    "retitle": _retitle,
    "begin_run": _begin_run,
    "call_tool": _call_tool,
    "end_run": _end_run,
    "archive": _on_thread("archive"),
    "unarchive": _on_thread("unarchive"),
    "delete_thread": _on_thread("delete"),
    "restore_thread": _on_thread("restore"),
    "erase": _erase,
}
"""Actions, the simplest first: Hypothesis shrinks towards the first."""


_SAYS: Final = frozenset({"say", "answer", "begin", "retitle", "call_tool"})


LOOKED_AT: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(ACTIONS, ("thread",)),
    **dict.fromkeys(_SAYS, ("thread", "text")),
    **dict.fromkeys(("select", "remove", "restore", "fork", "erase"), ("thread", "message")),
    **dict.fromkeys(("edit", "regenerate", "amend"), ("thread", "message", "text")),
    "begin": ("text",),
}


def _remember_thread(played: Played, thread_id: str) -> None:
    played.threads.append(thread_id)
    played.messages[thread_id] = []


def _thread(played: Played, step: Step) -> str:
    return played.threads[step.thread % len(played.threads)]


def _message(played: Played, step: Step) -> str | None:
    there = played.messages[_thread(played, step)]
    return there[step.message % len(there)] if there else None
