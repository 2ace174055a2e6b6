"""Rules of the machine that erase a message, with its copies, or purge a thread."""

# ruff: noqa: FBT001 (rules take what Hypothesis draws for them, by name)

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from eventstore.testing.comparison_erasing import erase_in_both, purge_in_both
from eventstore.testing.machine.base import MOSTLY, PICKS, Machine
from eventstore.testing.oracle import Words
from eventstore.testing.oracle.erasing import family

__all__ = ["ErasingRules"]

INCLUDED: Final = st.sampled_from([(), (), ("edits",), ("run",), ("edits", "run")])
"""The copies that are erased, too."""


class ErasingRules(Machine):
    """Rules about erasing and purging."""

    @rule(at=PICKS, pick=PICKS, include=INCLUDED)
    def erase(self, at: int, pick: int, include: tuple[str, ...]) -> None:
        """Check law 11: erase a message, shown or hidden, mostly where it was written."""
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

    @rule(at=PICKS, along=MOSTLY)
    @precondition(lambda self: len(self.threads) > 1)
    def purge(self, at: int, along: bool) -> None:
        """Purge a thread; its forks, if it has any, prevent that or go with it."""
        thread = self.threads[self.a_thread(at)]
        below = family({one.id: one for one in self.threads}, thread)
        if len(below) == len(self.threads):
            return  # the machine wants a thread to go on with
        if along and len(below) > 1:
            assert purge_in_both(self.both, thread.id, along=False) is None
        forks = purge_in_both(self.both, thread.id, along=along)
        went = "refused" if forks is None else f"{min(len(forks), 2)} forks went along"
        self.tell(f"purging: {went}")

    @rule(at=PICKS, pick=PICKS, deeper=st.booleans(), include=INCLUDED)
    @precondition(lambda self: len(self.threads) < self.threads_max)
    def erase_under_forks(self, at: int, pick: int, deeper: bool, include: tuple[str, ...]) -> None:
        """Erase a message that a fork, or a fork of one, changed."""
        at = self.a_thread(at)
        thread = self.threads[at]
        shown = [one for one in thread.up_from(thread.head) if one.home == thread.id]
        worded = [one.id for one in shown if not one.wordings[-1].erased]
        if not worded or thread.deleted:
            return
        target = self.one_of(pick, worded)
        place = self._fork(self._fork(at) if deeper else at)
        fork = self.threads[place]
        first = fork.messages[target].wordings[0]
        said = Words(f"{first.text} in a fork", first.calls, first.answer)
        self.both.do(
            place,
            lambda options: self.store.messages.amend(
                fork.id, target, content=said.content, **options
            ),
            lambda o, _: o.amend(target, said),
        )
        gone = erase_in_both(self.both, thread.id, target, include)
        assert gone is not None
        assert len({thread_id for thread_id, _ in gone.now}) > 1, "the fork said something"
        self.tell(f"erasing: in forks, too{', and theirs' if deeper else ''}")

    def _fork(self, at: int) -> int:
        """Fork a thread at its head; return the place of the fork."""
        source, fork_id = self.threads[at], self.both.new_id("thread")
        self.store.threads.fork(source.id, fork_id=fork_id)
        return self.both.take(source.fork(fork_id, None))
