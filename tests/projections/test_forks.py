"""Forks are looked for by their source, whoever else has threads."""

import pytest

from eventstore import ConversationStore
from eventstore.api.operations.operation import Read
from eventstore.threads import forks

LOOKUPS = {
    "direct": (forks._FORKS, 2),  # noqa: SLF001 (the very statements)
    "below": (forks._BELOW, 3),  # noqa: SLF001
}


@pytest.mark.parametrize("which", LOOKUPS)
def test_the_index_leads_to_them(which):
    text, count = LOOKUPS[which]
    parameters = (b"x" * 16, 1, 1)[:count]
    with ConversationStore.open("sqlite://") as store:
        plan = store.perform(
            Read(lambda tx: list(tx.all(f"EXPLAIN QUERY PLAN {text}", parameters)))
        )
    steps = [detail for *_, detail in plan if "threads" in detail or detail.endswith(" t")]
    assert steps
    for step in steps:
        assert "INDEX threads_by_source (fork_thread=?)" in step
