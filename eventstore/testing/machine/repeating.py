"""Rules of the machine that repeat writes, and rebuild tables."""

# ruff: noqa: FBT001 (rules take what Hypothesis draws for them, by name)

from __future__ import annotations

from contextlib import suppress

from hypothesis.stateful import precondition, rule

from eventstore.conversation.run_values import Run
from eventstore.errors import IdempotencyConflict
from eventstore.testing.machine.base import MOSTLY, PICKS, Machine

__all__ = ["RepeatingRules"]


def without_lease(result: object) -> object:
    """Return a result without the end of a lease, which no event tells."""
    return result.model_copy(update={"lease_ends_at": None}) if isinstance(result, Run) else result


class RepeatingRules(Machine):
    """Rules that change nothing."""

    @rule(pick=PICKS, same=MOSTLY)
    @precondition(lambda self: self.both.done)
    def use_a_key_again(self, pick: int, same: bool) -> None:
        """Check law 7: the same command gives the first result again; another one conflicts."""
        done = self.both.done[-(pick % len(self.both.done)) - 1]
        before = self.store.threads.get(done.thread_id, include_deleted=True)
        if same:
            assert without_lease(done.again()) == without_lease(done.result)
        else:
            with suppress(IdempotencyConflict):
                self.store.messages.create(
                    done.thread_id, role="system", content="other", idempotency_key=done.key
                )
                assert not done.digested, "a used key was taken for another command"
        assert self.store.threads.get(done.thread_id, include_deleted=True) == before

    @rule(at=PICKS)
    def rebuild(self, at: int) -> None:
        """Check law 2: drop a thread's tables and fold its events; nothing looks different."""
        at = self.a_thread(at)
        self.store.projections.rebuild(self.threads[at].id)
        self.both.look_at(self.threads[at], self.threads[at].version)
