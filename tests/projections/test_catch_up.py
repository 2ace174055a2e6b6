"""Projections that follow the log, on SQLite, in both faces."""

import asyncio
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import create_engine

from eventstore import AsyncConversationStore, ConversationStore, InvalidInput
from eventstore.api.open_options import system_environment
from eventstore.read_models.catch_up.definition import Registry
from eventstore.testing.conformance import blocking
from tests.concurrency.schedules import SECONDS
from tests.projections.counting import Counting
from tests.projections.following import Basics, Following, Killed


class OnSqlite(Following):
    durability = "full"

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.url = f"sqlite:///{tmp_path}/chat.db"


class TestSync(OnSqlite, Killed):
    def open(self, **options):
        return ConversationStore.open(self.url, **given(options))


class TestAsync(OnSqlite):
    def open(self, **options):
        return blocking(partial(AsyncConversationStore.open, self.url, **given(options)))


async def test_a_worker_that_is_cancelled_gives_its_lease_back(tmp_path):
    async with AsyncConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        store.projections.register(Counting())
        await store.threads.create()
        task = asyncio.create_task(store.projections.run(holder="me"))
        async with asyncio.timeout(SECONDS):
            while (await store.projections.status())[0].holder != "me":
                pass  # each look lets the worker go on
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        [status] = await store.projections.status()
        assert (status.holder, status.state) == (None, "idle")


@pytest.mark.parametrize("field", ["types", "categories"])
def test_more_names_than_a_database_takes_are_refused(field):
    with pytest.raises(InvalidInput, match=f"has 1001 {field}. Give up to 1000"):
        Registry().add(Counting(**{field: ["x"] * 1_001}))


def test_options_are_checked(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        for wrong in ({"lease_seconds": 0}, {"batch_events_max": 0.5}, {"poll_seconds": "1"}):
            with pytest.raises(InvalidInput, match=next(iter(wrong))):
                store.projections.catch_up(**wrong)
        with pytest.raises(TypeError, match="'pol_seconds'"):
            store.projections.catch_up(pol_seconds=1)  # type: ignore[call-arg]
        with pytest.raises(InvalidInput, match=r"is not registered .* Registered: none"):
            store.projections.catch_up("nobody")


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Usage"},
        {"name": "a__b"},
        {"name": 'x"; DROP TABLE events; --'},
        {"tables": "seen"},
        {"tables": ("seen", "a-b")},
        {"version": 0},
        {"version": "2"},
        {"types": "MessageAdded"},
        {"types": ()},
        {"apply": None, "create": None},
    ],
)
def test_what_is_no_projection_is_refused(wrong):
    given = Counting()
    given.__dict__.update(wrong)
    with pytest.raises(InvalidInput, match="projection"):
        Registry().add(given)


def test_a_name_that_a_database_would_cut_is_refused(tmp_path):
    counting = Counting()
    counting.name = "c" * 60
    with ConversationStore.open(f"sqlite:///{tmp_path}/chat.db") as store:
        store.projections.register(counting)
        with pytest.raises(InvalidInput, match="54 are allowed"):
            store.projections.catch_up()


class TestOnAnOwnedEngine(Basics):
    @contextmanager
    def open(self, **options):
        engine = create_engine(self.url)
        with ConversationStore.open(engine, durability="as_is", **given(options)) as store:
            yield store
        engine.dispose()

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path):
        self.url = f"sqlite:///{tmp_path}/app.db"


def given(options):
    """Options of `open()`, with a clock of the test's own."""
    clock = options.pop("clock", None)
    if clock is not None:
        options["environment"] = system_environment()._replace(clock=clock)
    return options
