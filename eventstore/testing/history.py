"""A store with a history, for Hypothesis: threads in which users did everything they can do.

::

    @given(stores_with_history())
    def test_my_projection(store):
        store.projections.register(my_projection)
        store.projections.catch_up()
        ...                                     # compare its tables with the store

    @given(histories())
    def test_on_my_database(history):
        history.play(my_empty_store)

A history is a list of steps, which are plain data: an action, a thread, a message. Numbers are
taken modulo the number of things that exist by then. So each step means something in any history,
and a history that loses steps while Hypothesis shrinks it is still one. Steps that the store
refuses are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.control import cleanup

from eventstore import AsyncConversationStore, ConversationStore, NotFound, Refused
from eventstore.core.environment import Environment
from eventstore.testing.environments import jumping_environment

__all__ = ["History", "Played", "Step", "histories", "stores_with_history"]

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
        looked_at = _LOOKED_AT[self.action]
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


@dataclass(frozen=True, slots=True)
class History:
    """Steps that can be played into a store, and into another one with the same outcome."""

    steps: tuple[Step, ...]
    """The steps, in order."""

    def __repr__(self) -> str:
        """One step a line: this is what a failing test shows."""
        lines = "".join(f"    {step},\n" for step in self.steps)
        return f"History(\n{lines})" if lines else "History()"

    def play(self, store: ConversationStore) -> Played:
        """Do all of it in a store.

        Args:
            store: an open store; or one bound to a tenant, or to an actor. A history that is played
                into one store twice makes other threads the second time.

        Returns:
            The ids of what was made.
        """
        played = Played()
        for calls in self._calls(played):
            answer = None
            try:
                while True:
                    answer = calls.send(answer)(store)
            except StopIteration:
                pass
            except (Refused, NotFound):
                played.refused += 1
        return played

    async def play_async(self, store: AsyncConversationStore) -> Played:
        """Do all of it in an async store.

        Args:
            store: as :meth:`play` takes it.

        Returns:
            The ids of what was made.
        """
        played = Played()
        for calls in self._calls(played):
            answer = None
            try:
                while True:
                    answer = await calls.send(answer)(store)
            except StopIteration:
                pass
            except (Refused, NotFound):
                played.refused += 1
        return played

    def _calls(self, played: Played) -> Iterator[Calls]:
        yield _begin(played, Step("begin"))
        for step in self.steps:
            yield _ACTIONS[step.action](played, step)


# -- actions ---------------------------------------------------------------------------------------


def _begin(played: Played, step: Step) -> Calls:
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

_ACTIONS: Final[dict[str, Action]] = {
    "say": _say,
    "answer": _answer,
    "edit": _on_message("edit", says=True, makes=True),
    "regenerate": _on_message("regenerate", says=True, makes=True),
    "select": _select,
    "amend": _on_message("amend", says=True),
    "remove": _on_message("remove"),
    "restore": _on_message("restore"),
    "begin": _begin,
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
_LOOKED_AT: Final = {
    **dict.fromkeys(_ACTIONS, ("thread",)),
    **dict.fromkeys(_SAYS, ("thread", "text")),
    **dict.fromkeys(("select", "remove", "restore", "fork", "erase"), ("thread", "message")),
    **dict.fromkeys(("edit", "regenerate", "amend"), ("thread", "message", "text")),
    "begin": ("text",),
}
_OFTEN: Final = ("edit", "regenerate", "select", "amend", "remove", "restore", "fork")
_WEIGHTS: Final = {
    **dict.fromkeys(_ACTIONS, 1),
    **dict.fromkeys((*_OFTEN, "begin_run", "call_tool", "end_run"), 2),
    "say": 6,
    "answer": 6,
}
_ALPHABET: Final = "ab \né👩"
_THREADS: Final = 3
_MESSAGES: Final = 12


def _remember_thread(played: Played, thread_id: str) -> None:
    played.threads.append(thread_id)
    played.messages[thread_id] = []


def _thread(played: Played, step: Step) -> str:
    return played.threads[step.thread % len(played.threads)]


def _message(played: Played, step: Step) -> str | None:
    there = played.messages[_thread(played, step)]
    return there[step.message % len(there)] if there else None


# -- strategies ------------------------------------------------------------------------------------


def histories(
    *,
    max_steps: int = 20,
    text: st.SearchStrategy[str] | None = None,
    without: Sequence[str] = (),
) -> st.SearchStrategy[History]:
    """Return a strategy of histories, to be played into a store of your own.

    Args:
        max_steps: the most steps of one history.
        text: what people say and call things; by default a few characters, some of them rare.
            ``texts()`` gives all that a store takes.
        without: actions to leave out: ``"say"``, ``"answer"``, ``"edit"``, ``"regenerate"``,
            ``"select"``, ``"amend"``, ``"remove"``, ``"restore"``, ``"begin"`` (another thread),
            ``"fork"``, ``"retitle"``, ``"begin_run"``, ``"call_tool"``, ``"end_run"``,
            ``"archive"``, ``"unarchive"``, ``"delete_thread"``, ``"restore_thread"``, ``"erase"``.

    Raises:
        ValueError: there is no action of a name in ``without``.
    """
    if unknown := set(without) - _ACTIONS.keys():
        raise ValueError(f"there is no action {min(unknown)!r}; there are {', '.join(_ACTIONS)}")
    words = st.text(_ALPHABET, min_size=1, max_size=6) if text is None else text
    chosen = [name for name in _ACTIONS if name not in without]
    weighted = [name for name in chosen for _ in range(_WEIGHTS[name])]
    steps = st.sampled_from(weighted).flatmap(lambda action: _steps(action, words))
    return st.lists(steps, max_size=max_steps).map(lambda drawn: History(tuple(drawn)))


def stores_with_history(
    *,
    max_steps: int = 20,
    text: st.SearchStrategy[str] | None = None,
    without: Sequence[str] = (),
    environment: Callable[[], Environment] | None = None,
) -> st.SearchStrategy[ConversationStore]:
    """Return a strategy of open stores in memory, in each of which a history was played.

    A store is opened for each example and closed at its end. The report of a failing test shows
    the history. Say ``@settings(deadline=None)``: to open a store takes what the machine takes.

    Args:
        max_steps: the most steps of one history.
        text: what people say and call things; by default a few characters, some of them rare.
            ``texts()`` gives all that a store takes.
        without: actions to leave out, as in :func:`histories`.
        environment: makes the clock and the randomness of each store; ``jumping_environment`` by
            default, whose clock jumps back and forth, the same way in each run.
    """
    drawn = histories(max_steps=max_steps, text=text, without=without)

    def opened(history: History) -> ConversationStore:
        store = ConversationStore.open(
            "sqlite://", environment=(environment or jumping_environment)()
        )
        cleanup(store.close)
        history.play(store)
        return store

    return drawn.map(opened)


def _steps(action: str, words: st.SearchStrategy[str]) -> st.SearchStrategy[Step]:
    looked_at = _LOOKED_AT[action]
    return st.builds(
        Step,
        st.just(action),
        thread=st.integers(0, _THREADS - 1) if "thread" in looked_at else st.just(0),
        message=st.integers(0, _MESSAGES - 1) if "message" in looked_at else st.just(0),
        text=words if "text" in looked_at else st.just(""),
    )
