"""Law 9 and the context law with engines at work, on PostgreSQL: the lives of tests/laws."""

import random

import pytest

from tests.conftest import LONG
from tests.laws.engine_lives import World


@pytest.mark.newest_postgres
def test_runs_hold_to_the_laws_whatever_happens(store):
    seeds = range(4) if not LONG else [random.getrandbits(32) for _ in range(200)]
    for seed in seeds:
        World(store, seed).live(400 if LONG else 120)
