"""Given events, when a command, then events or a refusal: a decider's test in one sentence.

::

    account = Scenario(decide, evolve, Account, refusals=(Overdrawn,))

    account.given(Deposited(100)).when(Withdraw(30)).then(Withdrawn(30))
    account.given(Deposited(100)).when(Withdraw(500)).then_refused(Overdrawn)

    @given(account.histories(commands))
    def test_nobody_withdraws_what_is_not_there(history):
        assert account.state(*history).balance >= 0

``thread`` is a scenario of this library's threads; make a :class:`Scenario` for a decider of your
own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any, Final, Generic, TypeVar

from hypothesis import strategies as st

from eventstore.conversation.commands import Command
from eventstore.conversation.rules import decide
from eventstore.conversation.state import FoldedThread
from eventstore.core.events import Decided, Event, EventContent, EventData
from eventstore.errors import ConversationStoreError, Refused
from eventstore.testing.environments import counting_ids

__all__ = ["THREAD_ID", "Given", "Outcome", "Scenario", "fold_decided", "thread"]

S = TypeVar("S")
C = TypeVar("C")
E = TypeVar("E")

THREAD_ID: Final = bytes(15) + b"\x01"
"""The thread that a scenario of threads is about."""


class Outcome(Generic[E]):
    """The outcome of a command: the events it led to, or the error that refused it."""

    def __init__(self, events: Sequence[E], refusal: Exception | None) -> None:
        self.events: tuple[E, ...] = tuple(events)
        """The events that the command led to; none if it was refused or changed nothing."""
        self.refusal = refusal
        """The error that refused the command; None if it was taken."""

    def then(self, *expected: E) -> None:
        """Assert that the command led to exactly these events.

        Args:
            expected: the events, in order; none means that the command changed nothing.
        """
        assert self.refusal is None, f"refused: {self.refusal!r}"
        assert self.events == expected, f"got {self.events}, expected {expected}"

    def then_refused(self, why: str | type[Exception]) -> None:
        """Assert that the command was refused.

        Args:
            why: the class of the error; or its name, or the reason code of a ``Refused``.
        """
        assert self.refusal is not None, f"not refused, led to {self.events}"
        if isinstance(why, str):
            code = _code(self.refusal)
            assert code == why, f"refused as {code}, not {why}"
        else:
            assert isinstance(self.refusal, why), f"refused as {self.refusal!r}, not {why}"


class Given(Generic[S, C, E]):
    """A history, ready for a command; :meth:`Scenario.given` makes it."""

    def __init__(self, scenario: Scenario[S, C, E], history: Iterable[E]) -> None:
        self._scenario = scenario
        self._history = tuple(history)

    def when(self, command: C) -> Outcome[E]:
        """Decide a command on the state that the history leads to.

        Args:
            command: what the decider takes.

        Returns:
            The events it led to, or the refusal. An error that is no refusal is raised.
        """
        return self._scenario.outcome(self._scenario.state(*self._history), command)


class Scenario(Generic[S, C, E]):
    """A decider under test: ``decide(state, command)``, ``evolve(state, event)``, and a start.

    Args:
        decide: returns the events that a command leads to, or raises a refusal.
        evolve: returns the state after one more event.
        initial_state: returns the state before the first event.
        refusals: the errors by which ``decide`` refuses a command, besides those of this library;
            any other error is a bug, and fails the test.
    """

    def __init__(
        self,
        decide: Callable[[S, C], Sequence[E]],
        evolve: Callable[[S, E], S],
        initial_state: Callable[[], S],
        *,
        refusals: tuple[type[Exception], ...] = (),
    ) -> None:
        self.decide = decide
        self.evolve = evolve
        self.initial_state = initial_state
        self.refusals: tuple[type[Exception], ...] = (ConversationStoreError, *refusals)

    def given(self, *history: E) -> Given[S, C, E]:
        """Begin a sentence with what has happened.

        Args:
            history: the events so far, oldest first; none for a decider that is at its start.
        """
        return Given(self, history)

    def state(self, *history: E) -> S:
        """Return the state that a history leads to.

        Args:
            history: the events, oldest first.
        """
        return reduce(self.evolve, history, self.initial_state())

    def outcome(self, state: S, command: C) -> Outcome[E]:
        """Decide a command on a state.

        Args:
            state: as ``evolve`` returns it.
            command: what the decider takes.
        """
        try:
            return Outcome(list(self.decide(state, command)), None)
        except self.refusals as refusal:
            return Outcome([], refusal)

    def histories(
        self, commands: st.SearchStrategy[C], *, max_commands: int = 20
    ) -> st.SearchStrategy[tuple[E, ...]]:
        """Return a Hypothesis strategy of histories that this decider itself can lead to.

        Commands are decided one after another, each on what came before; refused ones leave
        nothing.

        Args:
            commands: a strategy of single commands.
            max_commands: the most commands that lead to one history.
        """
        return st.lists(commands, max_size=max_commands).map(self._history)

    def _history(self, commands: Sequence[C]) -> tuple[E, ...]:
        state, history = self.initial_state(), list[E]()
        for command in commands:
            for event in self.outcome(state, command).events:
                state = self.evolve(state, event)
                history.append(event)
        return tuple(history)


def _code(error: Exception) -> str:
    return error.reason if isinstance(error, Refused) else type(error).__name__


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
    """Return the data of the events without their content, which repeats the command."""
    return [decided.data for decided in decide(state, command, counting_ids())]


thread: Final[Scenario[FoldedThread, Command, Any]] = Scenario(
    _decide_thread, _evolve_thread, lambda: FoldedThread(THREAD_ID)
)
"""The scenario of threads: history is event data, with or without content; so are outcomes."""
