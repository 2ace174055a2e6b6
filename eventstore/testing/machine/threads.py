"""Rules of the machine about branches, forks, and the life of threads."""

# ruff: noqa: FBT001 (rules take what Hypothesis draws for them, by name)

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from eventstore.conversation.values import Message
from eventstore.errors import ConversationStoreError
from eventstore.testing.machine.base import MOSTLY, PICKS, Machine
from eventstore.testing.oracle import Refusal, code_of
from eventstore.testing.strategies import NAMES

__all__ = ["ThreadRules"]


class ThreadRules(Machine):
    """Rules about branches and threads."""

    @rule(at=PICKS, pick=PICKS, by_name=MOSTLY, keyed=st.booleans())
    def select(self, at: int, pick: int, by_name: bool, keyed: bool) -> None:
        """Go to another branch, by message or by label."""
        at = self.a_thread(at)
        thread = self.threads[at]
        branch = self.a_message(pick, thread) if by_name else NAMES[pick % len(NAMES)]
        self.both.do(
            at,
            lambda options: self.store.branches.select(thread.id, branch, **options),
            lambda o, _: o.select(branch),
            keyed=keyed,
        )

    @rule(at=PICKS, one=PICKS, two=PICKS)
    def there_and_back(self, at: int, one: int, two: int) -> None:
        """Check law 4: selecting A, then B, then A gives A's path again."""
        at = self.a_thread(at)
        thread = self.threads[at]
        leaves = thread.leaves()
        if len(leaves) < 2 or thread.deleted or thread.archived:  # noqa: PLR2004 (there and back)
            return
        here, there = leaves[one % len(leaves)], leaves[two % len(leaves)]
        before = self._path_after_selecting(at, here)
        self._path_after_selecting(at, there)
        assert self._path_after_selecting(at, here) == before

    def _path_after_selecting(self, at: int, leaf: str) -> tuple[Message, ...]:
        thread = self.threads[at]
        self.both.do(
            at,
            lambda options: self.store.branches.select(thread.id, leaf, **options),
            lambda o, _: o.select(leaf),
        )
        return self.store.messages.list(thread.id).data

    @rule(at=PICKS, pick=PICKS, where=st.sampled_from(["head", "message", "past"]))
    @precondition(lambda self: len(self.threads) < self.threads_max)
    def fork(self, at: int, pick: int, where: str) -> None:
        """Check law 6: fork a thread, at its head, at a message, or at a version of its past."""
        at = self.a_thread(at)
        source = self.threads[at]
        message = None if where == "head" else self.a_message(pick, source)
        arguments: dict[str, Any] = {"at_message": message, "fork_id": self.both.new_id("thread")}
        if where == "past":
            versions = [version for thread, version in self.both.past if thread == source.id]
            arguments["at_version"] = versions[pick % len(versions)]
            source = self.both.past[source.id, arguments["at_version"]]
            if pick % 2:
                arguments["at_message"] = message = None
        expected = refused = fork = None
        try:
            self.threads[at].check_living()
            fork = source.fork(arguments["fork_id"], message)
        except Refusal as refusal:
            expected = refusal.code
        try:
            self.store.threads.fork(source.id, **arguments)
        except ConversationStoreError as error:
            refused = code_of(error)
        assert refused == expected, f"the store said {refused}, the oracle {expected}"
        if fork is not None:
            self.both.take(fork)

    @rule(at=PICKS, what=st.sampled_from(["update", "archive", "delete"]), back=MOSTLY)
    def live(self, at: int, what: str, back: bool) -> None:
        """Change a thread's title; or archive or delete it, and mostly restore it."""
        at = self.a_thread(at)
        thread = self.threads[at]
        threads = self.store.threads
        user = "u_2" if back else "u_1"
        if thread.deleted:
            self.both.do(
                at, lambda o: threads.restore(thread.id, **o), lambda o, _: o.restore_thread()
            )
        elif thread.archived:
            self.both.do(
                at, lambda o: threads.unarchive(thread.id, **o), lambda o, _: o.unarchive()
            )
        elif what == "update":
            given: dict[str, Any] = {"title": f"For {user}", "metadata": {"user": user}}
            self.both.do(
                at,
                lambda options: threads.update(thread.id, **given, **options),
                lambda o, _: o.update(f"For {user}", {"user": user}),
                keyed=True,
            )
        else:
            act = threads.archive if what == "archive" else threads.delete
            self.both.do(
                at,
                lambda options: act(thread.id, **options),
                lambda o, _: o.archive() if what == "archive" else o.delete(),
            )
            thread = self.threads[at]
            if back and (thread.archived or thread.deleted):
                self.ask(at, "Hello?")
                self.live(at, what, back=True)
