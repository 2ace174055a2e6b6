"""What holds for every projection that follows the log, whatever the database and the face."""

import signal
import threading
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any, ClassVar

import pytest
from sqlalchemy import create_engine, inspect

from eventstore import (
    InvalidInput,
    LeaseLost,
    Refused,
    StoreClosed,
    StoreUnavailable,
    UndecodableEvent,
)
from eventstore.api.operations import catch_up
from eventstore.api.operations import recorded as recording
from eventstore.api.operations.catch_up_terms import changing
from eventstore.api.operations.operation import Read
from eventstore.read_models import projection
from eventstore.read_models.catch_up import leases
from eventstore.read_models.catch_up.failing import Failure
from eventstore.read_models.catch_up.generations import Generation, generations
from eventstore.read_models.catch_up.held import Held
from eventstore.read_models.catch_up.holding import advance, fail, renew, swap, take
from tests.concurrency.schedules import SECONDS, Gate, thread
from tests.concurrency.test_processes import Process
from tests.projections.counting import OPTIONS, Counting, once_each, times, total, write
from tests.subscriptions.ways import until

A_DAY = 86_400
EVERY = {"batch_events_max": 1}
FAILED_CONNECTION = (ConnectionResetError, StoreUnavailable)
"""What a driver raises, or what a store makes of it where drivers raise that."""


def status_of(store, *, active=True):
    found = [one for one in store.projections.status() if one.active == active]
    return found[0] if found else None


@contextmanager
def running(store, *names, **options):
    """A worker in a thread beside the block."""
    stop = threading.Event()

    def run():
        store.projections.run(*names, stop=stop, **{**OPTIONS, **options})

    with thread(run):
        try:
            yield stop
        finally:
            stop.set()


class Basics:
    """Needs `open(**options)`, which gives a store on the same database each time."""

    url: str
    durability: str
    prefixed: ClassVar[dict[str, Any]] = {}
    """What `open` says of the names of tables."""
    one_clock = False
    """The database has one, by which leases are judged."""
    grace = False
    """Tables that were dropped are gone for readers, too."""

    @pytest.fixture(autouse=True)
    def _stores(self):
        with ExitStack() as self.stack:
            yield

    def open(self, **options):
        raise NotImplementedError

    def opened(self, counting=None, **options):
        store = self.stack.enter_context(self.open(**options))
        if counting is not None:
            store.projections.register(counting)
        return store

    # -- catching up -------------------------------------------------------------------------------

    def test_every_event_is_applied_once(self):
        store = self.opened(Counting())
        for _ in range(3):
            write(store, 5)
            store.projections.catch_up(batch_events_max=4)
        assert times(store) == once_each(store)
        assert total(store) == 18

    def test_catching_up_again_applies_nothing(self):
        store = self.opened(Counting())
        write(store, 3)
        [first] = store.projections.catch_up()
        [again] = store.projections.catch_up()
        assert first == again
        assert total(store) == 4
        assert (first.lag_events, first.state, first.generation) == (0, "idle", 1)

    def test_what_is_filtered_out_moves_the_checkpoint_all_the_same(self):
        store = self.opened(Counting(types=("MessageAdded",)))
        write(store, 3)
        store.assistants.create(model="m")
        [status] = store.projections.catch_up()
        kinds = store.projections.query("counting", "SELECT DISTINCT kind FROM {seen}")
        assert kinds == [("MessageAdded",)]
        assert (total(store), status.lag_events) == (3, 0)

    def test_a_category_that_has_no_events_yet_is_waited_for(self):
        store = self.opened(Counting(categories=("asst", "unheard_of")))
        write(store, 2)
        [status] = store.projections.catch_up()
        assert (total(store), status.lag_events) == (0, 0)
        assistant = store.assistants.create(model="m")
        store.projections.catch_up()
        assert times(store) == {(assistant.id, 1): 1}

    def test_while_others_append_nothing_is_missed_or_doubled(self):
        store = self.opened(Counting())
        with running(store, batch_events_max=3), ExitStack() as writers:
            for _ in range(3):
                writers.enter_context(thread(write, store, 20))
        store.projections.catch_up()
        until(lambda: total(store) == 63)
        assert times(store) == once_each(store)

    def test_a_function_with_a_decorator_is_a_projection(self):
        @projection(
            "threads_of",
            tables=("threads",),
            create="CREATE TABLE {threads} (id TEXT, by_whom TEXT)",
        )
        def threads_of(tables, event):
            if event.type == "ThreadCreated":
                whose = f"{tables.tenant}:{event.metadata.get('actor')}"
                tables.run_many("INSERT INTO {threads} VALUES (?, ?)", [(event.stream_id, whose)])

        store = self.opened(threads_of)
        one = store.acting(actor="ann").threads.create()
        two = store.tenant("north").threads.create()
        store.projections.catch_up("threads_of")
        rows = store.projections.read("threads_of", lambda t: t.all("SELECT * FROM {threads}"))
        assert sorted(rows) == sorted([(one.id, ":ann"), (two.id, "north:None")])

    @pytest.mark.parametrize("making", ["CREATE TABLE", "CREATE TABLE IF NOT EXISTS"])
    def test_tables_of_another_store_that_would_have_the_same_names_are_passed_over(self, making):
        def named(name):
            made = f"{making} {{streams}} (id TEXT)"

            @projection(name, tables=("streams",), create=made, types=("ThreadCreated",))
            def follow(tables, event):
                tables.run("INSERT INTO {streams} VALUES (?)", (event.stream_id,))

            return follow

        def followed(store, name):
            [status] = store.projections.status()
            assert (status.name, status.error, status.lag_events) == (name, None, 0)
            return status.generation, store.projections.query(name, "SELECT id FROM {streams}")

        prefix = self.prefixed.get("prefix", "")
        one = self.opened(named("x"), prefix=f"{prefix}a_")
        two = self.opened(named("a_x"))
        first, second = one.threads.create().id, two.threads.create().id
        for store in (one, two):
            store.projections.catch_up()
        assert followed(one, "x") == (1, [(first,)])
        assert followed(two, "a_x") == (2, [(second,)])
        one.projections.rebuild(projection="x")
        until(lambda: one.projections.catch_up()[0].generation == 3)
        assert followed(one, "x") == (3, [(first,)])
        assert followed(two, "a_x") == (2, [(second,)])

    def test_tables_that_another_worker_made_just_now_are_not_passed_over(self, monkeypatch):
        store = self.opened(Counting())
        write(store, 2)
        store.projections.catch_up()
        before: list[list[Generation]] = [[]]  # what was there when this worker looked

        def look(tx, name):
            return before.pop() if before else generations(tx, name)

        monkeypatch.setattr("eventstore.read_models.catch_up.generations.generations", look)
        assert store.projections.rebuild(projection="counting").begun is False
        assert before == []
        monkeypatch.undo()
        assert [one.generation for one in store.projections.status()] == [1]

    def test_a_tenant_is_told_of_its_own_events_alone(self):
        store = self.opened(Counting())
        store.tenant("north").threads.create(messages=[{"role": "user", "content": "x"}] * 2)
        write(store, 1)
        bound = [store.tenant("north"), store.tenant("nobody"), store]
        assert [one.health().events for one in bound[:2]] == [3, 0]
        assert [status_of(one).lag_events for one in bound] == [3, 0, 5]

    def test_who_reads_needs_no_rules(self):
        write(self.opened(), 2)
        worker = self.opened(Counting())
        worker.projections.catch_up()
        assert total(self.opened()) == 3

    def test_before_it_was_run_there_is_nothing_to_read(self):
        store = self.opened(Counting())
        with pytest.raises(InvalidInput, match="has no tables yet"):
            times(store)
        write(store, 1)
        status = status_of(store)
        assert (status.generation, status.lag_events, status.state) == (0, 2, "idle")

    def test_a_table_it_does_not_have_is_named(self):
        store = self.opened(Counting())
        store.projections.catch_up()
        with pytest.raises(InvalidInput, match="Its tables are seen, total"):
            store.projections.query("counting", "SELECT * FROM {events}")

    # -- following ---------------------------------------------------------------------------------

    def test_a_worker_follows_until_it_is_stopped(self):
        store = self.opened(Counting())
        with running(store, holder="w1"):
            write(store, 3)
            until(lambda: status_of(store).lag_events == 0 and status_of(store).generation)
            assert status_of(store).holder == "w1"
            assert status_of(store).state == "running"
            write(store, 3)
            until(lambda: total(store) == 8)
        assert (status_of(store).holder, status_of(store).state) == (None, "idle")

    def test_a_commit_wakes_a_worker_that_waits(self):
        store = self.opened(Counting())
        with running(store, poll_seconds=A_DAY) as stop:
            for count in (2, 4, 6):
                write(store, 1)
                until(partial(self.is_at, store, count))
            stop.set()
            write(store, 0)  # it hears of the stop, too

    def is_at(self, store, count):
        return status_of(store).generation and total(store) == count

    def test_lag_is_told_in_events_and_in_seconds(self):
        store = self.opened(Counting())
        store.projections.catch_up()
        write(store, 4)
        write(store, 0)
        behind = status_of(store)
        assert behind.lag_events == 6
        assert 0 < behind.lag_seconds < SECONDS
        store.projections.catch_up()
        assert (status_of(store).lag_events, status_of(store).lag_seconds) == (0, 0)

    # -- faults ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("where", ["before", "after"])
    def test_checkpoint_and_rows_stand_or_fall_together(self, where):
        """The connection fails in the middle of a batch, once; then it is done again, once."""
        fails = [True]

        def strike(event):
            if event.version == 3 and fails.pop() if fails else False:
                raise ConnectionResetError

        store = self.opened(Counting(**{where: strike}))
        write(store, 5)
        with pytest.raises(FAILED_CONNECTION):
            store.projections.catch_up()
        assert (times(store), total(store)) == ({}, 0)
        assert status_of(store).lag_events == 6
        assert status_of(store).state == "idle"
        store.projections.catch_up()
        assert times(store) == once_each(store)

    def test_a_worker_that_follows_outlives_a_failing_connection(self):
        fails = [True, True]

        def strike(event):
            if event.version == 2 and fails:
                fails.pop()
                raise ConnectionResetError

        store = self.opened(Counting(before=strike))
        with running(store):
            write(store, 3)
            until(lambda: status_of(store).lag_events == 0 and not fails)
        assert times(store) == once_each(store)

    def test_appends_go_on_beside_a_batch_that_fails(self):
        def strike(_):
            raise ConnectionResetError

        store = self.opened(Counting(before=strike))
        thread_id = write(store, 2)
        with pytest.raises(FAILED_CONNECTION):
            store.projections.catch_up()
        store.messages.create(thread_id, role="user", content="still here")
        assert len(list(store.messages.list(thread_id))) == 3


class Following(Basics):
    """Everything."""

    # -- the lease ---------------------------------------------------------------------------------

    def test_one_works_and_the_other_stands_by(self):
        one, two = self.opened(Counting()), self.opened(Counting())
        write(one, 5)
        with running(one, holder="one"):
            until(lambda: status_of(one).holder == "one")
            with running(two, holder="two"):
                write(two, 30)
                until(lambda: total(two) == 37)
                assert status_of(one).holder == "one"
                assert times(two) == once_each(two)

    def test_who_comes_back_too_late_writes_nothing(self):
        """A worker stops in the middle of its batch's reading, past its lease; another goes on."""
        store = self.opened(Counting())
        write(store, 3)
        store.projections.catch_up()
        [seen] = self.looked(store)
        early = self.taken(store, seen, "early", lease_us=10)
        late = self.taken(store, early, "late", lease_us=10**12)
        assert (late.holder, late.token) == ("late", early.token + 1)
        for act in (
            lambda tx: advance(tx, early, early.position, 10**12),
            lambda tx: renew(tx, early, 10**12),
            lambda tx: fail(tx, early, Failure("thread_1", 1, "T", "E")),
        ):
            with pytest.raises(LeaseLost, match="is held by 'late' now"):
                self.written(store, act)
        assert self.looked(store) == [late]
        self.written(store, lambda tx: advance(tx, late, late.position, 10**12))

    def test_a_lease_that_was_renewed_since_it_was_judged_is_not_taken(self):
        store = self.opened(Counting())
        store.projections.catch_up()
        [seen] = self.looked(store)
        first = self.taken(store, seen, "first", lease_us=1)
        self.written(store, lambda tx: renew(tx, first, 10**12))
        assert self.taken(store, first, "second", lease_us=1) is None
        [now] = self.looked(store)
        assert (now.holder, now.renewals) == ("first", first.renewals + 1)

    @pytest.mark.parametrize("wrong_by", [A_DAY * 365, -A_DAY * 365])
    def test_a_holder_that_died_is_waited_for_as_long_as_it_asked_for(self, wrong_by, monkeypatch):
        """Whatever its clock said: by what was seen of it, or by the clock of the database."""
        passed = self.passing(monkeypatch)
        store, other = self.opened(Counting()), self.opened(Counting())
        store.projections.catch_up()
        [seen] = self.looked(store)
        self.taken(store, seen, "dead", lease_us=50_000_000)
        if not self.one_clock:
            self.sql(f"UPDATE projections SET renewed_at = renewed_at + {wrong_by * 1_000_000}")
        write(store, 2)
        assert status_of(other).holder == "dead"
        done = threading.Event()

        def catching_up():
            other.projections.catch_up(lease_seconds=1, **OPTIONS)
            done.set()

        with thread(catching_up):
            passed(40)
            assert (status_of(store).holder, status_of(store).lag_events) == ("dead", 3)
            assert not done.is_set()
            passed(10)
            assert done.wait(SECONDS)
        assert total(other) == 3

    def test_a_holder_that_renews_is_never_taken_for_dead(self, monkeypatch):
        passed = self.passing(monkeypatch)
        store, other = self.opened(Counting()), self.opened(Counting())
        store.projections.catch_up()
        [seen] = self.looked(store)
        held = self.taken(store, seen, "alive", lease_us=50_000_000)
        for _ in range(4):
            assert status_of(other).holder == "alive"
            passed(40)
            self.written(store, lambda tx: renew(tx, held, 50_000_000))
        assert status_of(other).holder == "alive"
        passed(60)
        assert (status_of(other).holder, status_of(other).state) == (None, "idle")

    @pytest.mark.parametrize("alive", [False, True])
    def test_retrying_frees_a_lease_and_does_no_harm(self, alive):
        store, other = self.opened(Counting()), self.opened(Counting())
        store.projections.catch_up()
        if alive:
            with running(store, holder="alive", lease_seconds=A_DAY):
                until(lambda: status_of(other).holder == "alive")
                assert other.projections.retry("counting") == 1
                write(other, 4)
                until(lambda: total(other) == 5)
            assert times(other) == once_each(other)
        else:
            [seen] = self.looked(store)
            held = self.taken(store, seen, "dead", lease_us=A_DAY * 1_000_000)
            write(other, 4)
            assert other.projections.retry("counting") == 1
            assert other.projections.retry("counting") == 0
            other.projections.catch_up()
            assert total(other) == 5
            with pytest.raises(LeaseLost, match="was freed"):
                self.written(store, lambda tx: advance(tx, held, held.position, 1))

    def test_a_paused_worker_is_replaced_and_does_no_harm(self, monkeypatch, caplog):
        """It has read its first page and not written it when its lease runs out."""
        gate, passed = Gate(), self.passing(monkeypatch)
        recorded = recording.recorded

        def slow_clock():
            return 1_000_000_000_000

        def pausing(log, stored):
            if log.environment.clock is slow_clock:
                gate()
            return recorded(log, stored)

        monkeypatch.setattr(catch_up, "recorded", pausing)
        slow = self.opened(Counting(), clock=slow_clock)
        other = self.opened(Counting())
        write(other, 6)
        with running(slow, holder="slow", lease_seconds=5):
            assert gate.reached.wait(SECONDS)
            assert status_of(other).holder == "slow"
            passed(5)
            with running(other, holder="other", lease_seconds=5):
                until(lambda: status_of(other).lag_events == 0)
                gate.opened.set()
                write(other, 2)
                until(lambda: status_of(other).lag_events == 0)
                until(lambda: "is held by 'other' now" in caplog.text)
                assert status_of(other).holder == "other"
        assert times(other) == once_each(other)

    # -- closing under a worker --------------------------------------------------------------------

    def follower(self, store, ended):
        """A worker that would keep its lease for a day, and hears of the end of its store."""

        def run():
            try:
                store.projections.run(holder="me", poll_seconds=A_DAY, lease_seconds=A_DAY)
            except StoreClosed:
                ended.append(True)

        return thread(run)

    def test_a_store_that_is_closed_under_a_worker_gives_its_lease_back(self):
        watcher, ended = self.opened(), list[bool]()
        store = self.opened(Counting())
        write(store, 3)
        with self.follower(store, ended):
            until(lambda: (found := status_of(watcher)) and found.lag_events == 0)
            assert status_of(watcher).holder == "me"
            store.close()
            assert status_of(watcher).holder is None
        assert ended == [True]
        store.close()

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_a_lease_that_is_being_taken_while_the_store_closes_is_given_back(
        self, when, monkeypatch
    ):
        """The worker is inside the transaction that takes it, and has written it down or not."""
        watcher, ended, gate = self.opened(), list[bool](), Gate()
        store = self.opened(Counting())
        write(store, 3)
        store.projections.catch_up()
        adding = Held.add

        def take_and_wait(*args, **options):
            taken = take(*args, **options)
            gate()
            return taken

        def add_and_wait(held, lease):
            adding(held, lease)
            gate()

        if when == "before":
            monkeypatch.setattr(catch_up, "take", take_and_wait)
        else:
            monkeypatch.setattr(Held, "add", add_and_wait)
        with self.follower(store, ended):
            assert gate.reached.wait(SECONDS)
            with thread(store.close):
                until(lambda: store.scope.registry.held.closed)
                gate.opened.set()
        assert ended == [True]
        assert status_of(watcher).holder is None

    # -- an event that cannot be applied -----------------------------------------------------------

    def test_a_poison_event_stops_its_projection_alone_and_is_named(self):
        broken = [True]

        def strike(event):
            if broken and event.version == 3:
                raise ValueError("somebody's secret words")

        store = self.opened(Counting(before=strike))
        other = Counting()
        other.name = "other"
        store.projections.register(other)
        thread_id = write(store, 5, "secret")
        statuses = {one.name: one for one in store.projections.catch_up()}
        failed = statuses["counting"]
        assert failed.state == "failed"
        assert (failed.failed.stream_id, failed.failed.version) == (thread_id, 3)
        assert failed.failed.type == "MessageAdded"
        assert failed.error.startswith("ValueError in strike, line ") or (
            failed.error.startswith("ValueError in apply, line ")
        )
        assert "secret" not in str(statuses)
        assert failed.lag_events == 4
        assert sorted(times(store)) == [(thread_id, 1), (thread_id, 2)]
        assert statuses["other"].lag_events == 0

        assert store.projections.catch_up()[0].state == "failed"  # it does not try by itself
        broken.clear()
        assert store.projections.retry("counting") == 1
        assert store.projections.catch_up()[0].state == "idle"
        assert times(store) == once_each(store)
        assert store.projections.retry("counting") == 0

    ends_with_an_error = False
    """What the database does with a transaction in which a statement failed."""

    @pytest.mark.parametrize("asks", [True, False], ids=["asks more", "asks nothing more"])
    def test_an_error_that_a_rule_catches_stops_it_if_the_transaction_is_over(self, asks):
        """And is not taken for a server that will do again: nobody would ever hear of it."""

        def catch(tables):
            try:
                tables.run("INSERT INTO {total} VALUES (NULL)")
            except Exception:  # noqa: BLE001 (of any driver)
                if asks:
                    tables.all("SELECT events FROM {total}")

        class Catching(Counting):
            def apply(self, tables, event):
                super().apply(tables, event)
                if event.version == 3:
                    catch(tables)

        store = self.opened(Catching())
        thread_id = write(store, 5)
        [status] = store.projections.catch_up()
        if self.ends_with_an_error:
            assert status.state == "failed"
            assert (status.failed.stream_id, status.failed.version) == (thread_id, 3)
            assert ") in catch, line " in status.error
            assert sorted(times(store)) == [(thread_id, 1), (thread_id, 2)]
        else:
            assert status.state == "idle"
            assert times(store) == once_each(store)

    def test_an_error_that_is_caught_while_tables_are_made_is_heard_of(self):
        class Catching(Counting):
            def create(self, tables):
                super().create(tables)
                with suppress(Exception):
                    tables.run("INSERT INTO {total} VALUES (NULL)")

        store = self.opened(Catching())
        write(store, 1)
        [status] = store.projections.catch_up()
        assert status.state == ("failed" if self.ends_with_an_error else "idle")

    @pytest.mark.parametrize(
        "sql",
        [
            "INSERT INTO {total} VALUES (NULL)",
            "INSERT INTO {seen} SELECT * FROM {seen}",
            "INSERT INTO {total} (nonsense) VALUES (1)",
            "UPDATE {no_such_table} SET x = 1",
            "SELEKT",
        ],
    )
    def test_a_statement_that_the_database_refuses_is_poison_too(self, sql):
        class Wrong(Counting):
            def apply(self, tables, event):
                super().apply(tables, event)
                tables.run(sql)

        store = self.opened(Wrong())
        write(store, 1)
        [status] = store.projections.catch_up()
        assert (status.state, status.failed.version, status.lag_events) == ("failed", 1, 2)
        assert times(store) == {}

    def test_an_event_that_does_not_decode_is_poison_too(self, monkeypatch):
        recorded = recording.recorded

        def decoded(log, stored):
            if stored.version == 3:
                raise UndecodableEvent(stored.stream.text, stored.version, stored.type, "a test")
            return recorded(log, stored)

        monkeypatch.setattr(catch_up, "recorded", decoded)
        store = self.opened(Counting())
        thread_id = write(store, 4)
        [status] = store.projections.catch_up()
        assert (status.state, status.failed.version, status.lag_events) == ("failed", 3, 3)
        assert status.error.startswith("UndecodableEvent: event 3 of thread_")
        monkeypatch.undo()
        assert sorted(times(store)) == [(thread_id, 1), (thread_id, 2)]
        store.projections.retry("counting")
        store.projections.catch_up()
        assert times(store) == once_each(store)

    # -- tables that cannot be made ----------------------------------------------------------------

    def unmakable(self, fails, **options):
        """A projection that cannot make its second table."""

        class Unmakable(Counting):
            def create(self, tables):
                super().create(tables)
                fails(tables)

        return Unmakable(**options)

    @pytest.mark.parametrize(
        "fails",
        [
            lambda _: {"": 0}["somebody's secret words"],
            lambda tables: tables.run("CREATE TABLE {seen} (again TEXT)"),
            lambda tables: tables.run("CREATE TABLE {unknown} (x TEXT)"),
        ],
        ids=["python", "database", "library"],
    )
    def test_tables_that_cannot_be_made_stop_their_projection_alone(self, fails):
        store = self.opened(self.unmakable(fails))
        other = Counting()
        other.name = "other"
        store.projections.register(other)
        write(store, 3)
        tried = {one.name: one for one in store.projections.catch_up()}
        assert (tried["other"].state, tried["other"].lag_events) == ("idle", 0)
        failed = tried["counting"]
        assert (failed.state, failed.failed, failed.active) == ("failed", None, False)
        assert failed.error.startswith(("KeyError in ", "InvalidInput: sql: ")) or ", line " in (
            failed.error
        )
        assert "secret" not in failed.error
        with pytest.raises(InvalidInput, match="has no tables yet"):
            times(store)

        store.projections.catch_up()
        again = status_of(store, active=False)  # it does not try by itself
        assert (again.state, again.error) == ("failed", failed.error)
        store.projections.register(Counting())
        assert store.projections.retry("counting") == 1
        store.projections.catch_up()
        assert times(store) == once_each(store)
        assert {one.state for one in store.projections.status()} == {"idle"}
        assert store.projections.retry("counting") == 0

    def test_a_worker_goes_on_beside_a_projection_that_cannot_make_its_tables(self):
        fails = [True]

        def fail(_):
            if fails:
                raise RuntimeError

        store = self.opened(self.unmakable(fail))
        other = Counting()
        other.name = "other"
        store.projections.register(other)
        with running(store):
            until(lambda: (found := status_of(store, active=False)) and found.state == "failed")
            write(store, 3)
            until(lambda: (found := status_of(store)) and found.lag_events == 0)
            fails.clear()
            store.projections.retry("counting")
            until(lambda: all(one.lag_events == 0 for one in store.projections.status()))
            assert times(store) == once_each(store)

    def test_new_tables_that_cannot_be_made_leave_the_old_ones_in_use(self):
        store = self.opened(Counting())
        write(store, 2)
        store.projections.catch_up()
        store.projections.register(self.unmakable(lambda _: 1 / 0, version=2))
        store.projections.catch_up()
        assert status_of(store, active=False).error.startswith("ZeroDivisionError in ")
        assert times(store) == once_each(store)
        with pytest.raises(Refused, match="cannot create its tables: ZeroDivisionError") as caught:
            store.projections.rebuild(projection="counting")
        assert caught.value.reason == "projection_unmade"
        store.projections.register(Counting(version=3))  # another version tries by itself
        store.projections.catch_up()
        assert [(one.version, one.active) for one in store.projections.status()] == [(3, True)]
        assert times(store) == once_each(store)

    def test_a_rebuild_makes_the_first_tables_where_they_could_not_be_made(self):
        store = self.opened(self.unmakable(lambda _: 1 / 0))
        write(store, 2)
        store.projections.catch_up()
        store.projections.register(Counting())
        assert store.projections.rebuild(projection="counting").begun is True
        store.projections.catch_up()
        assert times(store) == once_each(store)
        assert len(store.projections.status()) == 1

    def test_a_database_that_fails_while_tables_are_made_is_waited_for(self):
        fails = [True]

        def strike(_):
            if fails:
                fails.pop()
                raise ConnectionResetError

        store = self.opened(self.unmakable(strike))
        write(store, 2)
        with running(store):
            until(lambda: (found := status_of(store)) and found.generation and not found.lag_events)
        assert times(store) == once_each(store)

    def test_a_swap_by_who_lost_the_lease_changes_nothing(self):
        store = self.opened(Counting())
        write(store, 2)
        store.projections.catch_up()
        store.projections.rebuild(projection="counting")
        _, seen = self.looked(store)
        early = self.taken(store, seen, "early", lease_us=10)
        late = self.taken(store, early, "late", lease_us=10**12)
        ahead = early._replace(position=status_of(store).position)
        with pytest.raises(LeaseLost):
            self.written(store, lambda tx: swap(tx, ahead))
        assert [one.status for one in self.looked(store)] == ["active", "building"]
        assert self.written(store, lambda tx: swap(tx, late)) is False  # it is not as far

    def test_a_value_that_no_column_takes_is_poison_too(self):
        class Wrong(Counting):
            def apply(self, tables, event):
                super().apply(tables, event)
                tables.run("UPDATE {total} SET events = ?", ({"a": "dict"},))

        store = self.opened(Wrong())
        write(store, 1)
        [status] = store.projections.catch_up()
        assert (status.state, status.failed.version) == ("failed", 1)

    # -- building anew -----------------------------------------------------------------------------

    def test_a_read_model_kept_live_is_the_one_that_is_rebuilt(self):
        store = self.opened(Counting())
        for _ in range(4):
            write(store, 3)
            store.projections.catch_up(batch_events_max=2)
        live = times(store)
        assert store.projections.rebuild(projection="counting").begun is True
        assert times(store) == live
        [status] = store.projections.catch_up(batch_events_max=5)
        assert (status.generation, status.active) == (2, True)
        assert times(store) == live == once_each(store)

    def test_rebuilt_while_appends_and_reads_go_on_nothing_is_lost(self):
        gate = Gate()
        second = threading.Event()

        def hold(event):
            if second.is_set() and event.version == 4:
                gate()

        store = self.opened(Counting())
        builder = self.opened(Counting(version=2, before=hold))
        write(store, 5)
        store.projections.catch_up()
        with running(store, holder="old"):
            second.set()
            with running(builder, holder="new", **EVERY), ExitStack() as writers:
                assert gate.reached.wait(SECONDS)  # the new tables are half built
                self.unlock(gate, second)
                for _ in range(2):
                    writers.enter_context(thread(write, store, 10))
                until(lambda: (found := status_of(store)) and found.version == 2)
            write(store, 2)
            builder.projections.catch_up()
        until(lambda: self.caught_up(builder))
        assert times(builder) == once_each(builder)
        rules = builder.projections.query("counting", "SELECT DISTINCT rules FROM {seen}")
        assert rules == [(2,)]

    def unlock(self, gate, second):
        second.clear()
        gate.opened.set()

    def caught_up(self, store):
        store.projections.catch_up()
        return status_of(store).lag_events == 0

    def test_the_old_tables_are_read_and_kept_current_until_the_swap(self):
        old, new = self.opened(Counting()), self.opened(Counting(version=2))
        write(old, 3)
        old.projections.catch_up()
        new.projections.register(Counting(version=2, before=self.stop_at(2)))
        new.projections.catch_up()
        building = status_of(new, active=False)
        assert (building.generation, building.state, building.version) == (2, "failed", 2)
        write(old, 2)
        old.projections.catch_up()
        assert times(new) == once_each(new)
        assert status_of(new).generation == 1
        new.projections.register(Counting(version=2))
        new.projections.retry("counting")
        new.projections.catch_up()
        assert status_of(new).generation == 2
        assert times(old) == once_each(old)

    def stop_at(self, version):
        def stop(event):
            if event.version == version:
                raise RuntimeError

        return stop

    def test_older_rules_leave_newer_tables_alone(self):
        new = self.opened(Counting(version=2))
        write(new, 2)
        new.projections.catch_up()
        old = self.opened(Counting(version=1))
        write(old, 2)
        [status] = old.projections.catch_up()
        assert (status.version, status.generation, status.lag_events) == (2, 1, 3)

    def test_a_rebuild_begun_twice_is_built_once(self):
        store = self.opened(Counting())
        write(store, 3)
        store.projections.catch_up()
        store.projections.rebuild(projection="counting")
        store.projections.rebuild(projection="counting")
        assert [one.generation for one in store.projections.status()] == [1, 3]
        store.projections.catch_up()
        assert [one.generation for one in store.projections.status()] == [3]
        assert times(store) == once_each(store)

    def test_the_tables_that_nobody_reads_any_more_are_dropped(self, monkeypatch):
        """At once where a reader's snapshot keeps them, after a minute where nothing does."""
        passed = self.passing(monkeypatch)
        store = self.opened(Counting())
        store.projections.catch_up()
        before = self.tables()
        assert {"counting__seen_g1", "counting__total_g1"} <= before
        store.projections.rebuild(projection="counting")
        store.projections.catch_up()
        assert "counting__seen_g2" in self.tables()
        passed(55)
        store.projections.catch_up()
        assert ("counting__seen_g1" in self.tables()) is self.grace
        passed(5)
        store.projections.catch_up()
        assert self.tables() == {name.replace("_g1", "_g2") for name in before}
        assert len(self.looked(store)) == 1

    def tables(self):
        engine = create_engine(self.url)
        found = set(inspect(engine).get_table_names())
        engine.dispose()
        return found

    def test_what_is_not_registered_cannot_be_rebuilt(self):
        with pytest.raises(InvalidInput, match="not registered in this process"):
            self.opened().projections.rebuild(projection="counting")

    @pytest.mark.parametrize(
        ("sql", "cause"),
        [
            ("INSERT INTO {seen} (nowhere) VALUES (1)", "nowhere"),
            ("SELEC 1", "SELEC"),
            ("SELECT 1 FROM nowhere", "nowhere"),
        ],
    )
    def test_a_statement_that_is_refused_says_why(self, sql, cause):
        @projection("wrong", tables=("seen",), create="CREATE TABLE {seen} (event TEXT)")
        def wrong(tables, _):
            tables.run(sql)

        store = self.opened(wrong)
        write(store, 1)
        [status] = store.projections.catch_up()
        assert status.state == "failed"
        assert cause in status.error.partition(": ")[2]
        with pytest.raises(StoreUnavailable, match=f"refused the statement: .*{cause}"):
            store.projections.query("wrong", sql)

    def test_the_cause_holds_no_value(self):
        """Databases quote values: what no integer is, or what a search names as a column."""
        sqlite = "CREATE VIRTUAL TABLE {seen} USING fts5(event)"

        def create(tables):
            tables.run(sqlite if tables.dialect == "sqlite" else "CREATE TABLE {seen} (event TEXT)")

        @projection("wrong", tables=("seen",), create=create)
        def wrong(tables, _):
            if tables.dialect == "sqlite":
                tables.all("SELECT 1 FROM {seen} WHERE {seen} MATCH ?", ["words: x"])
            tables.all("SELECT CAST(CAST(? AS TEXT) AS BIGINT)", ["words"])

        store = self.opened(wrong)
        write(store, 1)
        [status] = store.projections.catch_up()
        assert status.state == "failed"
        assert "words" not in status.error

    def test_a_rebuild_is_of_decision_tables_or_of_a_projection(self):
        store = self.opened(Counting())
        thread = store.threads.create().id
        told = store.projections.rebuild(thread)
        assert (told.threads, told.begun) == (1, False)
        told = store.projections.rebuild(projection="counting")
        assert (told.threads, told.rows, told.begun) == (0, 0, True)
        with pytest.raises(InvalidInput, match="together with a thread_id"):
            store.projections.rebuild(thread, projection="counting")

    # -- beneath -----------------------------------------------------------------------------------

    def looked(self, store):
        return store.perform(Read(generations))

    def taken(self, store, seen, holder, *, lease_us):
        return self.written(store, lambda tx: take(tx, seen, holder, lease_us))

    def passing(self, monkeypatch):
        """Return what lets time pass by which leases are judged.

        It is the clock of each process, or the database's: which goes on as it does, so the rows
        are made older.
        """
        if self.one_clock:
            older = "UPDATE projections SET renewed_at = renewed_at - {}"
            return lambda seconds: self.sql(older.format(int(seconds * 1_000_000)))
        now = [1_000.0]
        for module in (leases, catch_up):
            monkeypatch.setattr(module, "monotonic", lambda: now[0])

        def passed(seconds):
            now[0] += seconds

        return passed

    def sql(self, statement):
        engine = create_engine(self.url.replace("+asyncpg", "+psycopg"))
        with engine.begin() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def written(self, store, act):
        return store.perform(changing(act))


class Killed(Basics):
    """The same, for a process that dies; `url` and `durability` are handed to it."""

    def test_killed_at_any_moment_every_event_is_applied_once(self):
        store = self.opened(Counting())
        store.projections.catch_up()
        for number in range(3):
            write(store, 20)
            arguments = (self.url, f"w{number}", self.durability)
            with Process("-m", "tests.projections.counting", *arguments) as child:
                child.wait_for_lines(5 + number * 3)
                child.kill()
                assert child.wait() == -signal.SIGKILL
            assert set(times(store).values()) <= {1}
        with running(store, holder="heir", batch_events_max=7, lease_seconds=1):
            until(lambda: status_of(store).lag_events == 0)
        assert times(store) == once_each(store)
        assert total(store) == 63
