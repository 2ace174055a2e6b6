"""Law 10: every mutation is found and named, and an untouched store has no finding."""

import pytest

from eventstore import ConversationStore
from tests.audit.mutations import LOG_MUTATIONS, SQLITE_ALONE, Scene, table_mutations
from tests.audit.world import fill, hand_on_file
from tests.conftest import LONG
from tests.storage.lives import environment

THREADS = 200 if LONG else 8
OF_THE_LOG = LOG_MUTATIONS | SQLITE_ALONE
SEEDS = range(10 if LONG else 1)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("audit") / "chat.db"


@pytest.fixture(scope="module")
def store(path):
    with ConversationStore.open(f"sqlite:///{path}", environment=environment()) as opened:
        fill(opened, THREADS)
        yield opened


@pytest.fixture(scope="module")
def hand(store, path):
    del store  # it is full by now
    made, close = hand_on_file(path)
    yield made
    close()


def check_found(store, hand, mutation, seed):
    """Mutate, verify, and hold that the finding is the expected one."""
    scene = Scene(hand, seed)
    try:
        expected = mutation(scene)
        report = store.audit.verify()
    finally:
        hand.undo()
    named = [
        one
        for one in report.findings
        if one.stream_id == expected.stream
        and expected.version in (None, one.version)
        and one.kind in expected.kinds
    ]
    assert named, (expected, report.findings)
    assert not report.ok
    return report


def test_an_untouched_store_has_no_finding(store, hand):
    report = store.audit.verify()
    assert report.findings == ()
    assert report.ok
    assert report.events == hand.all("SELECT count(*) FROM events WHERE tenant = 1")[0][0]
    assert report.threads_compared == len(hand.rows("threads", "tenant = 1"))
    assert store.tenant("acme").audit.verify().ok


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", OF_THE_LOG)
def test_a_mutation_of_the_log_is_found_and_named(store, hand, name, seed):
    report = check_found(store, hand, OF_THE_LOG[name], seed)
    assert len(report.findings) < 40


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mutation_of_any_column_of_a_table_is_found_and_named(store, hand, seed):
    for name, mutation in table_mutations(hand.columns).items():
        try:
            check_found(store, hand, mutation, seed)
        except AssertionError as error:
            raise AssertionError(name) from error


def test_the_store_is_as_it_was(store):
    assert store.audit.verify().ok
