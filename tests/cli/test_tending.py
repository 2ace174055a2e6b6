"""The command that looks after projections."""

import pytest

from eventstore import ConversationStore
from eventstore.api.operations.catch_up_terms import changing
from eventstore.api.operations.operation import Read
from eventstore.read_models.catch_up.generations import generations
from eventstore.read_models.catch_up.holding import take
from tests.cli.test_looking import lines, objects
from tests.projections.counting import Counting

A_DAY_US = 86_400 * 1_000_000


@pytest.fixture
def held(talk):
    """A projection whose worker died, having asked for a day, and an event that it has not seen."""
    with ConversationStore.open(talk.url) as store:
        store.projections.register(Counting())
        store.projections.catch_up()
        [seen] = store.perform(Read(generations))
        store.perform(changing(lambda tx: take(tx, seen, "a worker", A_DAY_US)))
        store.threads.create()
    return talk


def test_projections_are_listed_with_their_workers(run, held):
    heading, line = lines(run("projections", "--db", held.url, columns=100))
    assert heading.split() == ["projection", "state", "events", "behind", "held", "by"]
    assert line.split()[:5] == ["counting", "running", "1", "a", "worker,"]
    [status] = objects(run("projections", "--db", held.url, "--json"))
    assert (status["name"], status["holder"], status["lag_events"]) == ("counting", "a worker", 1)


def test_one_that_is_held_is_freed_and_can_be_run_by_another(run, held):
    result = run("projections", "--db", held.url, "--free", "counting")
    assert result.exit_code == 0
    assert "counting: freed 1 set of tables" in result.stderr
    assert result.stdout.splitlines()[1].split() == ["counting", "idle", "1", "nobody"]
    with ConversationStore.open(held.url) as store:
        store.projections.register(Counting())
        assert [one.lag_events for one in store.projections.catch_up()] == [0]


def test_what_nobody_holds_cannot_be_freed(run, talk):
    result = run("projections", "--db", talk.url, "--free", "search")
    assert result.exit_code == 1
    assert "search: no worker holds it" in result.stderr
    assert "no projection was run on this store" in result.stdout


def test_where_one_stopped_is_told(run, talk):
    def strike(_):
        raise ZeroDivisionError

    with ConversationStore.open(talk.url) as store:
        store.projections.register(Counting(before=strike))
        store.projections.catch_up()
    _, line, stopped = lines(run("projections", "--db", talk.url))
    assert line.split()[:2] == ["counting", "failed"]
    assert stopped.startswith("  stopped at event 1 of thread_")
    assert "ZeroDivisionError" in stopped
    assert run("projections", "--db", talk.url, "--free", "counting").exit_code == 0
