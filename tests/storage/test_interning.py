"""Names as integers: asked for once by a transaction, and forgotten with one that failed."""

import pytest

from eventstore import ConversationStore, StoreUnavailable
from eventstore.testing.faults import Faults, failing


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/chat.db"


def asked(calls):
    """How often the number of a tenant was looked up."""
    return sum(call.startswith('SELECT id FROM "tenants"') for call in calls)


def test_the_first_transaction_of_a_store_asks_for_its_tenant_once(url, faults):
    with ConversationStore.open(url) as store:
        thread = store.threads.create().id
        said = store.messages.create(thread, role="user", content="x").id
    with ConversationStore.open(url, connect_args=faults.connect_args) as store:
        with faults.watched() as calls:
            store.privacy.erase(thread, said)
        assert asked(calls) == 1
        with faults.watched() as calls:
            store.messages.create(thread, role="user", content="y")
        assert asked(calls) == 0


def test_a_name_that_was_made_in_a_transaction_is_forgotten_with_it(url, faults):
    with ConversationStore.open(url, connect_args=faults.connect_args) as store:
        acme = store.tenant("acme")
        with (
            faults.each(lambda call: call == "COMMIT", failing("SQLITE_FULL")),
            pytest.raises(StoreUnavailable),
        ):
            acme.threads.create()
        store.tenant("other").threads.create()  # which has its number now
        thread = acme.threads.create().id
        assert [one.id for one in acme.threads.list()] == [thread]
        assert len(store.tenant("other").threads.list()) == 1
        assert store.projections.compare().findings == ()
    with ConversationStore.open(url) as store:
        assert [one.id for one in store.tenant("acme").threads.list()] == [thread]


def test_a_tenant_may_be_called_like_a_category(url):
    with ConversationStore.open(url) as store:
        store.threads.create()
        thread = store.tenant("thread").threads.create().id
    with ConversationStore.open(url) as store:
        tenant = store.tenant("thread")
        tenant.messages.create(thread, role="user", content="x")
        assert [event.version for event in tenant.events.read(thread)] == [1, 2]
        assert store.projections.compare().findings == ()
