"""Laws 1 to 7 and 9 over long random walks, the same each time; ``LAWS=long`` walks many more."""

import pytest

from eventstore.testing.comparison import Comparison
from eventstore.testing.machine import ConversationMachine
from tests.laws.examples import LONG
from tests.laws.wandering import walk

SEEDS = range(3000 if LONG else 20)


@pytest.mark.parametrize("seed", SEEDS)
def test_store_and_oracle_agree_all_the_way(seed):
    failure = walk(seed, steps=40)
    if failure is not None:
        pytest.fail(failure, pytrace=False)


def test_a_walk_that_fails_is_told_as_its_shortest_part(monkeypatch):
    monkeypatch.setattr(Comparison, "_check", lambda *_: None)  # where it fails is known

    class Forgetful(ConversationMachine):
        def rebuild(self, at):
            del at
            if len(self.threads) > 1:
                message = "rebuilt beside a fork"
                raise LookupError(message)

    failure = next(found for seed in range(20) if (found := walk(seed, 40, Forgetful)) is not None)
    head, *steps = failure.splitlines()
    assert "rebuilt beside a fork" in head
    first, *between, last = [step.partition("(")[0] for step in steps]
    assert (first, last) == ("machine.open", "machine.rebuild")
    assert {"machine.fork", "machine.erase_under_forks"} & {*between}
    assert len(between) <= 4, "of 38"
