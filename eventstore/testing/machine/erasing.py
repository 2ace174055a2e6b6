"""The machine takes back what was said, for good: a message, with its copies, or a thread."""

# ruff: noqa: FBT001 (rules take what Hypothesis draws for them, by name)

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from eventstore.testing.comparison_erasing import erase_in_both, purge_in_both
from eventstore.testing.machine.base import MOSTLY, PICKS, Machine

__all__ = ["ErasingRules"]

INCLUDED: Final = st.sampled_from([(), (), ("edits",), ("run",), ("edits", "run")])
"""What is taken along."""


class ErasingRules(Machine):
    """Rules about erasing and purging."""

    @rule(at=PICKS, pick=PICKS, include=INCLUDED)
    def erase(self, at: int, pick: int, include: tuple[str, ...]) -> None:
        """Law 11: erase what a message says, shown or hidden, mostly where it was written."""
        thread = self.threads[self.a_thread(at)]
        own = [one.id for one in thread.messages.values() if one.home == thread.id]
        worded = [one for one in own if not thread.messages[one].wordings[-1].erased]
        options = worded if pick % 5 else own
        target = self.one_of(pick, options) if pick % 8 else self.a_message(pick, thread)
        gone = erase_in_both(self.both, thread.id, target, include)
        if gone is None:
            self.tell("erasing: refused")
            return
        self.tell(f"erasing: {'something' if gone.now else 'nothing'} went")
        if len({thread_id for thread_id, _ in gone.now}) > 1:
            self.tell("erasing: in forks, too")
        if any(kind == "fork" for kind, _, __ in gone.copies):
            self.tell("erasing: a copy was left beside")

    @rule(at=PICKS, copying=MOSTLY)
    @precondition(lambda self: len(self.threads) > 1)
    def purge(self, at: int, copying: bool) -> None:
        """Remove a thread for good; its forks, if it has any, read as before."""
        thread = self.threads[self.a_thread(at)]
        forks = purge_in_both(self.both, thread.id, copying=copying)
        self.tell(
            f"purging: {'refused' if forks is None else f'{min(len(forks), 2)} forks copied'}"
        )
