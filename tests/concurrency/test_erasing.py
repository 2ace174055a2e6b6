"""Erasures beside steps that record what they read, on a file that two stores have open."""

from eventstore import ConversationStore
from tests.concurrency.erasing import steps_begin_beside_erasures


def test_no_step_keeps_the_digest_of_words_erased_while_it_began(tmp_path):
    proven, refused = steps_begin_beside_erasures(
        lambda: ConversationStore.open(f"sqlite:///{tmp_path}/chat.db")
    )
    assert proven
    assert refused
