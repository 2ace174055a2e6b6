"""The store a command looks into: tenant, prefix and schema. Checks that looked at nothing."""

import json

import pytest

from eventstore import ConversationStore

COMMANDS = (
    *("threads", "show", "tree", "log", "replay", "check", "verify", "erase", "purge"),
    "retain",
    *("import", "projections", "tenants"),
)


@pytest.fixture
def shared(database):
    """A store of three tenants behind a prefix; returns the threads by tenant."""
    made = {}
    with ConversationStore.open(database, prefix="chat_") as store:
        for name in ("", "acme", "zeta"):
            tenant = store.tenant(name)
            made[name] = tenant.threads.create(title=f"of {name or 'nobody'}").id
            tenant.messages.create(made[name], role="user", content=f"hello from {name}")
    return made


@pytest.fixture
def at(run, database):
    def at(command, *more):
        return run(*command.split(), "--db", database, "--prefix", "chat_", *more)

    return at


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_the_options(run, command):
    shown = run(command, "--help").stdout
    assert all(name in shown for name in ("--tenant", "--all-tenants", "--prefix", "--schema"))


def test_a_command_looks_into_one_tenant(at, shared):
    assert "of nobody" in at("threads").stdout
    assert "of acme" in at("threads", "--tenant", "acme").stdout
    assert "of acme" not in at("threads").stdout
    missing = at("show", shared["acme"])
    assert missing.exit_code == 1
    assert "hello from acme" in at("show", shared["acme"], "--tenant", "acme").stdout


def test_or_into_all_and_names_each(at, shared):
    shown = at("threads", "--all-tenants").stdout
    for name, title in (("the default tenant", "nobody"), ("'acme'", "acme"), ("'zeta'", "zeta")):
        assert name in shown
        assert f"of {title}" in shown
    lines = at("threads", "--all-tenants", "--json").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert {one["tenant"]: one["id"] for one in found} == shared


def test_a_thread_is_looked_for_in_all(at, shared):
    shown = at("show", shared["zeta"], "--all-tenants")
    assert shown.exit_code == 0
    assert "hello from zeta" in shown.stdout
    assert "acme" not in shown.stdout
    nowhere = at("show", "00000000", "--all-tenants")
    assert nowhere.exit_code == 1
    assert "ThreadNotFound" in nowhere.stderr
    several = at("show", shared["zeta"][7:10], "--all-tenants")
    assert several.exit_code == 1
    assert "several tenants" in several.stderr


@pytest.mark.parametrize("command", ["check", "verify"])
def test_checks_of_all_tenants(at, shared, command):
    del shared
    done = at(command, "--all-tenants")
    assert done.exit_code == 0
    assert done.stdout.count("match") == 3
    reports = at(command, "--all-tenants", "--json").stdout.splitlines()
    assert [json.loads(line)["tenant"] for line in reports] == ["", "acme", "zeta"]


@pytest.mark.parametrize("command", ["check", "verify"])
def test_a_check_that_looked_at_nothing_says_so(at, database, shared, command):
    done = at(command, "--tenant", "nobody")
    assert done.exit_code == 1
    assert "there was nothing to" in done.stdout
    done = at(command, "--tenant", "nobody", "--json")
    assert done.exit_code == 1
    assert "there was nothing to" in done.stderr
    del shared
    with ConversationStore.open(database, prefix="empty_"):
        pass
    for more in ([], ["--all-tenants"]):
        done = at(command, "--prefix", "empty_", *more)
        assert done.exit_code == 1
        assert "nothing" in done.output


def test_tenants_are_listed_with_their_sizes(at, shared):
    del shared
    shown = at("tenants").stdout
    assert "(default)" in shown
    assert "acme" in shown
    found = [json.loads(line) for line in at("tenants", "--json", "--measure").stdout.splitlines()]
    assert [(one["name"], one["threads"], one["events"]) for one in found] == [
        ("", 1, 2),
        ("acme", 1, 2),
        ("zeta", 1, 2),
    ]
    assert all(one["content_bytes"] > 20 for one in found)
    alone = [
        json.loads(line)
        for line in at("tenants", "--tenant", "acme", "--json").stdout.split("\n")[:-1]
    ]
    assert [one["name"] for one in alone] == ["acme"]


def test_options_that_do_not_go_together(at, shared, tmp_path):
    del shared
    assert at("threads", "--tenant", "acme", "--all-tenants").exit_code == 2
    file = tmp_path / "trees.jsonl"
    file.write_text("", encoding="utf-8")
    assert at("import", str(file), "--all-tenants").exit_code == 2
    assert at("threads", "--schema", "other").exit_code == 1
    assert at("threads", "--prefix", "nowhere_").exit_code == 1


def test_a_thread_of_a_tenant_is_purged(at, shared):
    done = at("purge", shared["acme"], "--all-tenants", "--yes", "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["tenant"] == "acme"
    assert at("check", "--tenant", "acme").exit_code == 1
    assert at("verify", "--tenant", "acme").exit_code == 0


def test_a_tenant_is_erased_and_purged_by_name(at, shared):
    asked = at("erase --everything --tenant acme")
    assert asked.exit_code == 2, "nobody can be asked"
    assert "1 threads, 1 streams, 2 events" in asked.stderr
    erased = at("erase --everything --tenant acme --yes --json")
    assert json.loads(erased.stdout)["tenant"] == "acme"
    assert "hello from acme" not in at("show", shared["acme"], "--tenant", "acme").stdout
    assert "hello from zeta" in at("show", shared["zeta"], "--tenant", "zeta").stdout
    purged = at("purge --everything --all-tenants --yes")
    assert purged.exit_code == 0, purged.stderr
    assert "'zeta'" in purged.stdout
    assert at("threads", "--all-tenants", "--json").stdout == ""
    unknown = at("purge --everything --tenant nobody --yes")
    assert (unknown.exit_code, "no tenant 'nobody'" in unknown.stderr) == (1, True)
    for wrong in ("purge", "purge 019 --everything", "erase --everything --subject a"):
        assert at(wrong, "--yes").exit_code == 2


def test_old_threads_are_erased(at, shared):
    due = at("retain --older-than 0m --dry-run --tenant acme")
    assert (due.exit_code, "1 due" in due.stdout) == (0, True)
    assert "no thread is due" in at("retain --older-than 1d --dry-run --all-tenants").stdout
    assert at("retain --older-than 0m --metadata a=1 --yes --json").exit_code == 0
    done = at("retain --older-than 0m --yes --all-tenants")
    assert done.stdout.count("1 erased") == 3
    assert "hello from acme" not in at("show", shared["acme"], "--tenant", "acme").stdout
    for wrong in ("--older-than 90", "--older-than 1d --metadata a"):
        assert at("retain", *wrong.split()).exit_code == 2
