"""Laws 2, 6 and 11 far down: forks of forks of forks, each of which changes what it inherits."""

import random

import pytest

from eventstore import ConversationStore
from eventstore.testing.machine import ConversationMachine
from tests.laws.examples import LONG
from tests.laws.wandering import RULES, START, failure_of, shortened

SEEDS = range(400 if LONG else 6)
FORKS = 30 if LONG else 10
BETWEEN = (
    *("change", "change", "change", "edit_or_regenerate", "edit_or_regenerate", "select", "select"),
    *("select", "remove_or_restore", "remove_or_restore", "create", "there_and_back", "batch"),
    *("erase", "rebuild"),
)


class Downwards(ConversationMachine):
    """Forks the thread that was forked last, and mostly talks there."""

    threads_max = FORKS + 1

    def a_thread(self, pick):
        return pick % len(self.threads) if pick % 4 == 3 else len(self.threads) - 1


def drawn(dice, name):
    return name, {key: draw(dice) for key, draw in RULES[name].items()}


def down(seed):
    dice = random.Random(seed)
    path = [(START, {"seed": seed})]
    for _ in range(FORKS):
        path += [drawn(dice, dice.choice(BETWEEN)) for _ in range(dice.randint(1, 4))]
        path.append(drawn(dice, "fork"))
    return [*path, *[drawn(dice, dice.choice(BETWEEN)) for _ in range(4)]]


@pytest.mark.parametrize("seed", SEEDS)
def test_store_and_oracle_agree_all_the_way_down(seed):
    path = down(seed)
    failure = failure_of(path, Downwards)
    if failure is not None:
        path = shortened(path, failure, Downwards)
        steps = [f"machine.{name}({given})" for name, given in path]
        pytest.fail("\n".join([f"seed {seed}: {failure}", *steps]), pytrace=False)


def test_a_thousandth_fork_is_read_written_folded_and_compared():
    """Nothing nests in calls as deeply as forks nest in each other."""
    depth = 1_000 if LONG else 300
    with ConversationStore.open("sqlite://") as store:
        leaf = store.threads.create(title="Deep").id
        first = store.messages.create(leaf, role="user", content="m 0").id
        said = [first]
        for number in range(1, depth + 1):
            leaf = store.threads.fork(leaf).id
            said.append(store.messages.create(leaf, role="user", content=f"m {number}").id)
            if number % 50 == 0:
                store.messages.amend(leaf, first, content=f"amended {number}")
        assert [message.id for message in store.messages.list(leaf)] == said
        store.messages.amend(leaf, said[1], content="amended last")
        edited = store.messages.edit(leaf, said[2], content="otherwise", select=False)
        assert len(store.branches.siblings(leaf, edited.id)) == 2
        store.messages.remove(leaf, said[2])
        assert store.threads.get(leaf).head_id == said[1]
        store.messages.restore(leaf, said[2])
        assert store.branches.select(leaf, said[3]).leaf_id == said[-1]
        state = store.replay.state(leaf)
        assert tuple(state.messages) == store.messages.list(leaf).data
        assert state.messages[0].text == f"amended {depth - depth % 50}"
        assert len(store.branches.tree(leaf).nodes) == depth + 2
        assert store.projections.compare(leaf).findings == ()
        store.projections.rebuild(leaf)
        assert store.projections.compare(leaf).findings == ()
