"""The part that the machine's rules share: a store, and ways to choose among its things."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from hypothesis import currently_in_test_context, event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from eventstore.api.store import ConversationStore
from eventstore.core.environment import Environment
from eventstore.testing.comparison import Comparison
from eventstore.testing.environments import jumping_environment
from eventstore.testing.oracle import OracleThread, Words
from eventstore.testing.strategies import ON_BUSY, words

__all__ = ["ANSWERED", "BUSY", "GUARDS", "MOSTLY", "PICKS", "SAID", "Machine"]

PICKS: Final = st.integers(0, 255)
"""A choice among existing things: the number is taken modulo how many there are."""

GUARDS: Final = ("head", "version", "another head", "another version")
"""The writer's expectation, right or wrong."""

MOSTLY: Final = st.sampled_from([True, True, True, False])
BUSY: Final = st.sampled_from(ON_BUSY)
SAID: Final = words("user")
ANSWERED: Final = words("assistant")


class Machine(RuleBasedStateMachine):
    """An open store without rules."""

    threads_max: int = 4
    """The most forks: each costs a comparison after each rule."""

    def __init__(self) -> None:
        super().__init__()
        self.exits = ExitStack()
        self.both: Comparison

    def open_store(self, environment: Environment) -> ConversationStore:
        """Open the store under test, which is empty. Override it for your own.

        Args:
            environment: a clock that jumps backwards, and repeatable randomness, for ``open()``.
        """
        return ConversationStore.open("sqlite://", environment=environment)

    @initialize(seed=st.integers(0, 2**16))
    def open(self, seed: int) -> None:
        """Open a store, and write a short conversation into its first thread."""
        self.store = self.exits.enter_context(self.open_store(jumping_environment(seed)))
        self.both = Comparison(self.store)
        first = self.both.begin()
        for text in ("Why?", "Because.", "Really?", "Yes."):
            self.ask(first, text)

    def teardown(self) -> None:
        """Compare everything once more, and close."""
        try:
            if hasattr(self, "both") and self.both.sound:
                self.both.look_back()
        finally:
            self.exits.close()

    @property
    def threads(self) -> list[OracleThread]:
        """The oracle's threads, in the order in which they were made."""
        return self.both.threads

    def tell(self, what: str) -> None:
        """Count an event among Hypothesis's statistics."""
        if currently_in_test_context():
            event(what)

    # -- choosing ------------------------------------------------------------------------------

    def a_thread(self, pick: int) -> int:
        """Return the place of a thread."""
        return pick % len(self.threads)

    def one_of(self, pick: int, options: Sequence[str], prefix: str = "msg") -> str:
        """Return one of the options; an unknown id if there are none."""
        return options[-(pick % len(options)) - 1] if options else f"{prefix}_{'f' * 32}"

    def a_message(self, pick: int, thread: OracleThread) -> str:
        """Return a message: mostly a visible one, sometimes a hidden or an unknown one."""
        if pick % 8:
            return self.one_of(pick, thread.visible_tree())
        return self.one_of(pick, list(thread.messages) if pick % 16 else [])

    def fence_of(self, pick: int, thread: OracleThread, run: str | None) -> int | None:
        """Return the fence of a run's holder, or sometimes none, or that of an earlier holder."""
        known = None if run is None else thread.runs.get(run)
        if known is None or pick % 3 == 0:
            return None
        return 1 if pick % 7 == 0 and known.fence is not None else known.fence

    def a_run(self, pick: int, thread: OracleThread) -> str:
        """Return a run; mostly the current one."""
        waiting = [run.id for run in thread.open_runs()]
        if waiting and pick % 4:
            return waiting[0]
        return self.one_of(pick, list(thread.runs), "run")

    def ask(self, at: int, text: str) -> None:
        """Add a message at the head, without further arguments."""
        thread, new = self.threads[at], self.both.new_id()
        self.both.do(
            at,
            lambda options: self.store.messages.create(
                thread.id, role="assistant", content=text, message_id=new, **options
            ),
            lambda o, fresh: o.create(new, "assistant", Words(text), fresh),
        )
