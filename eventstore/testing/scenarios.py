"""Given events, when a command, then events or a refusal: a decider's test in one sentence.

::

    thread.given(ThreadCreated(), question).when(SelectBranch(branch=QUESTION)).then()
    thread.given(ThreadCreated()).when(CreateThread()).then_refused("InvalidInput")

The helper is itself the fold: :meth:`Given.when` evolves a state over the events that were given
and decides on it, nothing else. ``thread`` is a scenario of this library's threads; make a
:class:`Scenario` for a decider of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, Final, Generic, TypeVar

from eventstore.conversation.commands import Command
from eventstore.conversation.decide import decide
from eventstore.conversation.state import FoldedThread
from eventstore.core.events import Decided, Event, EventContent, EventData
from eventstore.errors import ConversationStoreError
from eventstore.testing.oracle import code_of
from eventstore.testing.sources import counting_ids

__all__ = ["THREAD_ID", "Given", "Outcome", "Scenario", "fold_decided", "thread"]

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E")

THREAD_ID: Final = bytes(15) + b"\x01"
"""The thread that a scenario of threads is about."""


class Outcome(Generic[E]):
    """What came of a command."""

    def __init__(self, events: Sequence[E], refusal: Exception | None) -> None:
        self.events = tuple(events)
        self.refusal = refusal

    def then(self, *expected: E) -> None:
        """Hold that the command led to exactly these events; none means it changed nothing."""
        assert self.refusal is None, f"refused: {self.refusal}"
        assert self.events == expected, f"got {self.events}, expected {expected}"

    def then_refused(self, why: str | type[Exception]) -> None:
        """Hold that the command was refused, with a reason's code or by a kind of error."""
        assert self.refusal is not None, f"not refused, led to {self.events}"
        if isinstance(why, str):
            assert isinstance(self.refusal, ConversationStoreError)
            assert code_of(self.refusal) == why, f"refused as {code_of(self.refusal)}, not {why}"
        else:
            assert isinstance(self.refusal, why), f"refused as {self.refusal!r}, not {why}"


class Given(Generic[S, C, E]):
    """A history, ready for a command."""

    def __init__(self, scenario: Scenario[S, C, E], history: Iterable[E]) -> None:
        self._scenario = scenario
        self._history = history

    def when(self, command: C) -> Outcome[E]:
        """Decide a command on the state that the history leads to."""
        state = reduce(self._scenario.evolve, self._history, self._scenario.initial_state())
        try:
            return Outcome(list(self._scenario.decide(state, command)), None)
        except ConversationStoreError as refusal:
            return Outcome([], refusal)


class Scenario(Generic[S, C, E]):
    """A decider: ``decide(state, command)``, ``evolve(state, event)``, and a start."""

    def __init__(
        self,
        decide: Callable[[S, C], Sequence[E]],
        evolve: Callable[[S, E], S],
        initial_state: Callable[[], S],
    ) -> None:
        self.decide = decide
        self.evolve = evolve
        self.initial_state = initial_state

    def given(self, *history: E) -> Given[S, C, E]:
        """Begin a sentence with what has happened."""
        return Given(self, history)


def fold_decided(state: FoldedThread, decided: Decided) -> FoldedThread:
    """Return a thread's state after one more event, numbered and timed by its place."""
    version = state.version + 1
    data, content = decided.data, decided.content
    return state.after(Event(decided.type, version, version, version, data, content, None))


def _evolve_thread(
    state: FoldedThread, happened: Decided | EventData | tuple[EventData, EventContent]
) -> FoldedThread:
    if isinstance(happened, Decided):
        return fold_decided(state, happened)
    data, content = happened if isinstance(happened, tuple) else (happened, None)
    return fold_decided(state, Decided(type(data).__name__, data, content))


def _decide_thread(state: FoldedThread, command: Command) -> list[Any]:
    """Return the data of the events alone: what was said is in the command for all to see."""
    return [decided.data for decided in decide(state, command, counting_ids())]


thread: Final[Scenario[FoldedThread, Command, Any]] = Scenario(
    _decide_thread, _evolve_thread, lambda: FoldedThread(THREAD_ID)
)
"""Threads. History is told as event data, alone or with its content; outcomes are event data."""
