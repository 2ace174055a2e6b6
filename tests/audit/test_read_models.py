"""Read models are compared with the log: search, usage by day, and those that offer contents."""

import random
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from eventstore import ConversationStore, InvalidInput
from eventstore.cli.app import app
from eventstore.read_models import MessageSearch, Usage, projection
from tests.privacy.test_erasing_persons import lived


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chat.db"


@projection(
    "created", tables=["created"], create="CREATE TABLE {created} (tenant TEXT, thread TEXT)"
)
def created(tables, event):
    if event.type == "ThreadCreated":
        tables.run("INSERT INTO {created} VALUES (?, ?)", (tables.tenant, event.stream_id))


class Counted:
    """A projection of the application's that offers a comparison."""

    name = "counted"
    tables = ("counted",)

    def create(self, tables):
        tables.run("CREATE TABLE {counted} (thread TEXT PRIMARY KEY, events INTEGER)")

    def apply(self, tables, event):
        said = "INSERT INTO {counted} AS c VALUES (?, 1) ON CONFLICT (thread) DO UPDATE SET events"
        tables.run(f"{said} = c.events + 1", (event.stream_id,))

    def contents(self, tables):
        return tables.all("SELECT thread, events FROM {counted}")


def filled(store):
    for one in (MessageSearch(), Usage(), created, Counted()):
        store.projections.register(one)
    lived(store, words="unlike others")
    lived_threads = [one.id for one in store.threads.list()]
    store.threads.update(lived_threads[0], title="another title")
    store.threads.delete(lived_threads[1])
    store.projections.catch_up()
    return lived_threads


def check_untouched(store):
    filled(store)
    report = store.audit.verify(read_models=True)
    assert report.ok
    assert sorted(report.read_models) == ["counted", "search", "usage"]
    thread = store.threads.create(title="one more").id
    store.messages.create(thread, role="user", content="words " + "a_" * 400)
    assert store.audit.verify(read_models=True).ok, "they are behind, and right as far as they came"
    store.privacy.erase(subject="alice")
    assert store.audit.verify(read_models=True).read_models == (), "they hold what was erased"
    store.projections.catch_up()
    report = store.audit.verify(read_models=True)
    assert (report.ok, len(report.read_models)) == (True, 3)
    store.projections.rebuild(projection="search")
    store.projections.catch_up()
    assert store.audit.verify(read_models=True).ok


def test_untouched_ones_have_no_finding(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        check_untouched(store)


def verify(path, *options):
    given = ["verify", "--read-models", "--db", f"sqlite:///{path}", *options]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, given, prog_name="eventstore")


def test_they_belong_to_the_store_as_a_whole(path):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        acme = store.tenant("acme")
        acme.threads.create()
        with pytest.raises(InvalidInput, match="all tenants"):
            acme.audit.verify(read_models=True)
        store.threads.create()
    shown = verify(path, "--all-tenants")
    assert (shown.exit_code, "no read model was compared" in shown.stderr) == (0, True)
    with ConversationStore.open(f"sqlite:///{path}") as store:
        filled(store)
    shown = verify(path)
    assert (shown.exit_code, "search" in shown.stdout) == (0, True), shown.output


CHANGES = {
    "search__words_g1": "UPDATE {} SET text = 'altered' WHERE rowid = {}",
    "search__messages_g1": "DELETE FROM {} WHERE number = {}",
    "search__deleted_g1": "DELETE FROM {} WHERE {} > 0",
    "usage__messages_g1": "UPDATE {} SET messages = messages + {}",
    "usage__runs_g1": "DELETE FROM {} WHERE {} > 0",
    "counted__counted_g1": "UPDATE {} SET events = events + {}",
}


@pytest.mark.parametrize("table", CHANGES)
def test_a_row_that_was_changed_is_found_and_its_thread_named(path, table):
    with ConversationStore.open(f"sqlite:///{path}") as store:
        known = filled(store)
        number = random.Random(table).choice([2, 3])
        with closing(sqlite3.connect(path)) as file:
            assert file.execute(CHANGES[table].format(table, number)).rowcount > 0
            file.commit()
        report = store.audit.verify(read_models=True)
        assert {one.kind for one in report.findings} == {"projection_differs"}
        named = {one.stream_id for one in report.findings}
        assert any(thread in named for thread in known)
        assert all(table.partition("__")[0] in one.message for one in report.findings)
        store.projections.rebuild(projection=table.partition("__")[0])
        store.projections.catch_up()
        assert store.audit.verify(read_models=True).ok, "as the remedy says"
