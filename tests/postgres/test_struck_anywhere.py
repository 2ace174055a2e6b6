"""Interrupts and cancellations that strike a write, with both of PostgreSQL's drivers."""

import gc
from random import Random

import pytest
from sqlalchemy import create_engine

from eventstore import AsyncConversationStore
from tests.concurrency.striking import NEVER
from tests.concurrency.test_struck_anywhere import (
    WRITES,
    Scene,
    hold_cancellations,
    moments,
)

pytestmark = pytest.mark.newest_postgres

SAMPLE = 30


@pytest.fixture(autouse=True)
def collected():
    """Collect what a test left behind before the next one begins, not within it."""
    yield
    gc.collect()


# A strike inside the pool leaves a connection that nobody has; the collector closes it.
@pytest.mark.filterwarnings("ignore:.*was deleted while still open:ResourceWarning")
@pytest.mark.parametrize("where", ["url", "engine"])
@pytest.mark.parametrize("strike", WRITES.values(), ids=WRITES.keys())
def test_interrupts_at_moments_that_are_drawn_leave_nothing_behind(strike, where, url):
    random = Random(f"{where} {strike.__name__}")
    target = url if where == "url" else create_engine(url)
    made = Scene(target)
    count = moments(strike, made)
    for number in range(SAMPLE):
        second = random.randint(1, 40) if number % 3 else NEVER
        strike(made, random.randint(1, count), second)
    made.close()
    if not isinstance(target, str):
        target.dispose()


async def test_a_task_that_is_cancelled_at_any_turn_leaves_nothing_behind(server, migrated):
    url = server.url(driver="asyncpg", database=migrated)
    async with AsyncConversationStore.open(url, durability="as_is") as store:
        await hold_cancellations(store, 30)
