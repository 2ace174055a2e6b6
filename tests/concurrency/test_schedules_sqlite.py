"""The store on one SQLite file, through the schedules; and the schedules' own eyes.

`EVENTSTORE_TORTURE_APPENDS=100000 make pytest PYTEST="-k schedules"` for more of it.
"""

import io
import os
import signal
from contextlib import contextmanager

import pytest

from eventstore.testing.schedules import (
    Append,
    Delivered,
    LostConnection,
    Progress,
    Schedule,
    long_schedule,
    run,
)
from eventstore.testing.schedules.ledgers import Entry, Ledgers, Outcome
from eventstore.testing.schedules.names import Names
from eventstore.testing.schedules.ours import OurStore
from eventstore.testing.schedules.plan import END, Life, lives, transactions
from eventstore.testing.schedules.reading import Reading
from eventstore.testing.schedules.report import report_of
from eventstore.testing.schedules.telling import ProgressLine

APPENDS = int(os.environ.get("EVENTSTORE_TORTURE_APPENDS", "20000"))


@pytest.mark.timeout(120 + APPENDS // 20)
def test_nothing_is_lost_doubled_reordered_or_stalled_while_processes_are_killed(tmp_path):
    store = OurStore(f"sqlite:///{tmp_path}/chat.db")
    told: list[Progress] = []
    report = run(long_schedule(APPENDS, seed=1), store, told.append)
    assert report.ok, str(report)
    assert report.killed == 2
    assert report.stored >= report.acknowledged > report.transactions > APPENDS * 0.8
    assert [progress.ended for progress in told] == sorted(progress.ended for progress in told)


# -- what the readers see ----------------------------------------------------------------------


class SourcedEvent:
    """A store that tells its readers what it was given, a page a list."""

    def __init__(self, *pages):
        self.pages = [*pages, []]

    @contextmanager
    def reader(self):
        yield self

    def read_after(self, cursor, limit):  # noqa: ARG002
        page = self.pages.pop(0) if self.pages else []
        if page is LostConnection:
            raise LostConnection
        return [Delivered(name, stream, version, name) for stream, version, name in page]


SCHEDULE = Schedule(appends=3, readers=1, settle_seconds=0)
LAST = ("b", 1, END)


def account(*pages, name="it"):
    """A reader that was told this, and has come to its end."""
    reading = Reading(name, SourcedEvent(*pages).reader, SCHEDULE)
    if not any(LAST in page for page in pages if page is not LostConnection):
        reading.give_up()
    reading.run()
    assert reading.error is None
    return reading


def report(reading, *, late=None, acknowledged=("x", "y"), refused=()):
    late = late or account([("a", 1, "x"), ("a", 2, "y"), LAST], name="the late one")
    ledgers = Ledgers(["a", "b"])
    for name in (*acknowledged, END):
        ledgers.add(Entry(Outcome.ACKNOWLEDGED, 0, 1, (Append("a", (name,)),)))
    for name in refused:
        ledgers.add(Entry(Outcome.REFUSED, 0, 1, (Append("a", (name,)),)))
    return report_of(
        SCHEDULE, [reading], late, ledgers, killed=0, servers_killed=0, began=0, seconds=0
    )


def counts(found):
    return {name: count for name, count in found.counts.items() if count}


def test_all_that_is_promised_and_in_order_is_well():
    assert report(account([("a", 1, "x")], [("a", 2, "y")], [LAST])).ok


def test_a_connection_that_is_lost_is_opened_again():
    assert report(account([("a", 1, "x")], LostConnection, [("a", 2, "y"), LAST])).ok


def test_what_is_never_told_is_lost():
    found = report(account([("a", 2, "y"), LAST]))
    assert counts(found) == {"lost": 1}
    assert "it was never told of x" in str(found)


def test_what_is_acknowledged_and_not_stored_is_lost_to_everybody():
    everything = [("a", 1, "x"), ("a", 2, "y"), LAST]
    found = report(account(everything), acknowledged=("x", "y", "z"))
    assert counts(found) == {"lost": 2}


def test_what_was_never_acknowledged_and_is_stored_must_be_told_too():
    late = account([("a", 1, "x"), ("a", 2, "y"), ("a", 3, "unknown"), LAST])
    assert counts(report(account([("a", 1, "x"), ("a", 2, "y"), LAST]), late=late)) == {"lost": 1}


def test_what_is_told_twice_is_doubled():
    assert counts(report(account([("a", 1, "x")], [("a", 1, "x")], [("a", 2, "y"), LAST]))) == {
        "doubled": 1
    }


def test_an_older_version_after_a_newer_one_is_reordered():
    assert counts(report(account([("a", 2, "y"), ("a", 1, "x"), LAST]))) == {"reordered": 1}


def test_two_events_of_one_version_are_duplicated_for_whoever_reads_them():
    late = account([("a", 1, "x"), ("a", 1, "y"), LAST])
    found = report(account([("a", 1, "y"), ("a", 1, "x"), LAST]), late=late)
    assert counts(found) == {"duplicated": 1}
    assert "a has version 1 twice: x and y" in str(found)


def test_what_comes_after_a_duplicated_version_is_in_order():
    late = account([("a", 1, "x"), ("a", 2, "y"), ("a", 2, "z"), ("a", 3, "w"), LAST])
    assert counts(report(late, late=late)) == {"duplicated": 1}


def test_a_reader_that_is_told_the_last_page_for_ever_comes_to_an_end():
    everything = [("a", 1, "x"), ("a", 2, "y"), LAST]
    assert counts(report(account(everything, [LAST]))) == {"doubled": 1}


def test_what_was_refused_and_is_there_all_the_same_is_a_phantom():
    late = account([("a", 1, "x"), ("a", 2, "y"), ("a", 3, "z"), LAST])
    assert counts(report(late, late=late, refused=("z", "v"))) == {"phantoms": 1}


def test_who_does_not_come_to_the_end_has_stalled():
    found = report(account([("a", 1, "x")]))
    assert counts(found) == {"stalled": 1}


def test_a_version_that_is_missing_is_a_gap():
    late = account([("a", 1, "x"), ("a", 3, "y"), LAST])
    assert counts(report(late, late=late)) == {"gaps": 1}


def test_what_was_taken_back_is_a_phantom():
    late = account([("a", 1, "x"), ("a", 2, "y"), ("a", 3, "z!"), LAST])
    assert counts(report(late, late=late)) == {"phantoms": 1}


def test_names_are_numbers_and_what_is_no_number_is_a_name_all_the_same():
    some, others = Names(["p0a.1.0", "p0a.1.2", "evt_x", "p0a.1.3!"]), Names(["p0a.1.2", "end.0"])
    assert [some.add(name) for name in ("p0a.1.2", "p0a.1.1", "evt_x", "evt_y")] == [
        *(False, True, False, True),
    ]
    assert len(some) == 6 == len(set(some))
    assert "p0a.1.1" in some
    assert "p0a.1.3" not in some
    assert "p9.0" not in some
    assert list(some.without(others)) == ["evt_x", "evt_y", "p0a.1.3!", "p0a.1.0", "p0a.1.1"]
    assert list(others.without(some)) == ["end.0"]


# -- what the writers do -----------------------------------------------------------------------


def test_a_seed_says_what_every_writer_does():
    def plan(seed):
        schedule, life = Schedule(appends=50, seed=seed), Life("p0", (50,))
        return list(transactions(schedule, life, 0, OurStore("sqlite://"), ["a", "b", "c"]))

    assert plan(1) == plan(1) != plan(2)
    names = [name for transaction in plan(1) for name in transaction.event_ids]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kills", [0, 1, 3])
def test_every_append_is_somebodys(kills):
    schedule = Schedule(appends=1001, processes=3, threads=4, kills=kills)
    assert sum(sum(life.appends) for one in lives(schedule) for life in one) == 1001


def test_those_who_are_killed_are_followed_by_others():
    schedule = Schedule(appends=320, processes=2, threads=2, kills=3)
    first, second = lives(schedule)
    assert [life.dies_at is None for life in first] == [False, False, True]
    assert [life.dies_at is None for life in second] == [False, True]
    assert len({life.name for life in (*first, *second)}) == 5


def test_a_server_can_only_be_killed_if_there_is_one():
    with pytest.raises(ValueError, match="server_kills"):
        run(Schedule(appends=1, server_kills=1), OurStore("sqlite://"))
    with pytest.raises(ValueError, match="`processes="):
        run(Schedule(appends=1, kills=1), OurStore("sqlite://"))


class OfAMissingThread(OurStore):
    """Its writers write to a thread that nobody made."""

    def prepare(self, streams):
        super().prepare(streams)
        return ["thread_" + "0" * 32]


def test_a_store_that_stands_in_the_program_itself_is_refused_before_anything_is_made():
    """As a user's first try has it; the processes of the writers could not import its class."""
    mine = type("MyStore", (OurStore,), {"__module__": "__main__"})
    with pytest.raises(ValueError, match="MyStore stands in the program"):
        run(Schedule(appends=1, processes=1), mine("sqlite://"))


def test_a_writer_that_fails_by_itself_ends_the_schedule(tmp_path):
    with pytest.raises(RuntimeError, match="ThreadNotFound"):
        run(
            Schedule(appends=2, processes=1, threads=1),
            OfAMissingThread(f"sqlite:///{tmp_path}/chat.db"),
        )


def test_writers_do_not_outlive_a_schedule_that_takes_too_long(tmp_path, monkeypatch):
    ended, kill = [], os.kill

    def end(process, sent):
        ended.append((process, sent))
        kill(process, sent)

    monkeypatch.setattr("os.kill", end)
    endless = Schedule(appends=1_000_000, processes=2, threads=1, seconds=0)
    with pytest.raises(RuntimeError, match="longer than 0"):
        run(endless, OurStore(f"sqlite:///{tmp_path}/chat.db"))
    assert [sent for _, sent in ended] == [signal.SIGKILL] * 2
    for process, _ in ended:
        with pytest.raises(ProcessLookupError):
            kill(process, 0)


# -- what whoever waits is shown -----------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(out, *told):
    line = ProgressLine("sqlite", out)
    for progress in told:
        line(progress)
    return out.getvalue()


def test_a_terminal_shows_the_rate_of_late_and_the_time_that_is_left():
    slow_start = [Progress(100 * n, 10_000, 90 * n, 10.0 * n) for n in range(1, 4)]
    then_quick = [Progress(300 + 1_000 * n, 10_000, 900, 30 + 10.0 * n) for n in range(1, 6)]
    last = shown(Terminal(), *slow_start, *then_quick).split("\r\x1b[K")[-1]
    assert " 53%, 5,300 of 10,000 appends, 900 events read, 100/s, 0:47 min left" in last


def test_the_second_reading_is_not_taken_for_a_standstill():
    last = shown(Terminal(), Progress(950, 1_000, 30, 9.0, late=True))
    assert last.endswith(" 95%, 30 events read once more from the beginning")


def test_elsewhere_there_is_a_line_a_minute():
    told = [Progress(n, 1_000, n, float(n)) for n in range(200)]
    assert shown(io.StringIO(), *told).count("\n") == 3
