"""The laws hold with encryption: a few lives here; ``LAWS_SEALED=1`` runs all of ``tests/laws``."""

from hypothesis import settings

from eventstore import ConversationStore
from eventstore.testing.machine import ConversationMachine
from tests.encryption.vaults import in_the_database
from tests.laws.examples import LONG, of_a_law


class SealedMachine(ConversationMachine):
    def open_store(self, environment):
        encryption = in_the_database(may_store_words=["search"])
        return ConversationStore.open("sqlite://", environment=environment, encryption=encryption)


TestSealedConversations = SealedMachine.TestCase
TestSealedConversations.settings = (
    of_a_law if LONG else settings(of_a_law, max_examples=2, stateful_step_count=12)
)
