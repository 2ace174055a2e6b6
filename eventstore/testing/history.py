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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hypothesis import strategies as st
from hypothesis.control import cleanup

from eventstore import AsyncConversationStore, ConversationStore, NotFound, Refused
from eventstore.core.environment import Environment
from eventstore.testing.environments import jumping_environment
from eventstore.testing.history_actions import ACTIONS, LOOKED_AT, Calls, Played, Step, begin

__all__ = ["History", "histories", "stores_with_history"]


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
        yield begin(played, Step("begin"))
        for step in self.steps:
            yield ACTIONS[step.action](played, step)


# -- actions ---------------------------------------------------------------------------------------


_OFTEN: Final = ("edit", "regenerate", "select", "amend", "remove", "restore", "fork")
_WEIGHTS: Final = {
    **dict.fromkeys(ACTIONS, 1),
    **dict.fromkeys((*_OFTEN, "begin_run", "call_tool", "end_run"), 2),
    "say": 6,
    "answer": 6,
}
_ALPHABET: Final = "ab \né👩"
_THREADS: Final = 3
_MESSAGES: Final = 12


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
    if unknown := set(without) - ACTIONS.keys():
        raise ValueError(f"there is no action {min(unknown)!r}; there are {', '.join(ACTIONS)}")
    words = st.text(_ALPHABET, min_size=1, max_size=6) if text is None else text
    chosen = [name for name in ACTIONS if name not in without]
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
    looked_at = LOOKED_AT[action]
    return st.builds(
        Step,
        st.just(action),
        thread=st.integers(0, _THREADS - 1) if "thread" in looked_at else st.just(0),
        message=st.integers(0, _MESSAGES - 1) if "message" in looked_at else st.just(0),
        text=words if "text" in looked_at else st.just(""),
    )
