"""The program as it is installed: its entry point, its help, and what it does without its extra."""

import os
import signal
import subprocess
import sys
from functools import partial
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from eventstore import ConversationStore
from tests.cli.conftest import COMMANDS as THE_PROGRAM
from tests.cli.conftest import surroundings

PROGRAM = [sys.executable, "-c", "from eventstore.cli import main; main()"]
COMMANDS = ["demo", "import", "threads", "show", "tree", "log", "replay", "check", "erase", "purge"]


def python(code):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=surroundings(),
        check=False,
        capture_output=True,
        text=True,
    )


def test_it_is_installed_as_eventstore():
    (found,) = entry_points(group="console_scripts", name="eventstore")
    assert found.value == "eventstore.cli:main"


def without(package):
    """Have an interpreter that has yet to import the program, and does not find a package."""
    for name in list(sys.modules):
        if name.startswith((f"{package}.", "eventstore.cli.")):
            del sys.modules[name]
    sys.modules[package] = None  # type: ignore[assignment]  # means so to the import system


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_extra_it_says_in_one_line_how_to_install_it(program, missing):
    done = program(before=partial(without, missing))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "pip install 'conversation-eventstore[cli]'" in done.stderr


def test_anything_else_that_is_missing_is_not_blamed_on_the_extra():
    done = python("import sys; sys.modules['sqlalchemy'] = None\nfrom eventstore.cli import main")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


def test_the_help_lists_every_command_and_where_to_begin(run):
    shown = run("--help")
    assert shown.exit_code == 0
    assert all(f" {command} " in shown.stdout for command in COMMANDS)
    assert "eventstore demo" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_examples(run, command):
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert f"$ eventstore {command}" in shown.stdout


def test_it_tells_its_version(run):
    shown = run("--version")
    assert shown.stdout == f"conversation-eventstore {version('conversation-eventstore')}\n"


def unread():
    """Print into a pipe whose other end is closed."""
    out, into = os.pipe()
    os.close(out)
    os.dup2(into, 1)


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["for people", "for programs"])
def test_a_reader_that_has_seen_enough_is_no_error(program, talk, more):
    done = program("log", "--db", talk.url, *more, before=unread)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_a_reader_that_has_seen_enough_is_none_to_an_interpreter_that_ends(talk):
    child = subprocess.Popen(
        [*PROGRAM, "log", "--db", talk.url, "--json"],
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 128 + signal.SIGPIPE
    assert said == b""


def on_a_full_disk(*arguments):
    with Path("/dev/full").open("w") as full:
        return subprocess.run(
            [*PROGRAM, *arguments],
            env=surroundings(),
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )


def test_a_full_disk_is_told_in_one_line(talk):
    done = on_a_full_disk("log", "--json", "--db", talk.url)
    assert done.returncode == os.EX_IOERR
    assert done.stderr.count("\n") == 1
    assert "could not be written: No space left on device" in done.stderr


def test_what_was_erased_is_erased_though_its_certificate_could_not_be_written(talk):
    done = on_a_full_disk("erase", talk.thread, talk.sea, "--yes", "--db", talk.url)
    assert done.returncode == os.EX_IOERR
    assert done.stderr.count("\n") == 1
    assert "changes to the store stay" in done.stderr
    with ConversationStore.open(talk.url) as store:
        assert store.messages.get(talk.thread, talk.sea).erased


def test_without_any_output_the_store_is_left_whole(talk):
    """The number of a closed file goes to the next one that is opened, which is the database."""
    closed = "import os; os.close(1); os.close(2); os.execv(os.sys.executable, os.sys.argv[1:])"
    program = [sys.executable, "-c", closed, *PROGRAM, "log", "--db", talk.url]
    assert subprocess.run(program, env=surroundings(), check=False).returncode == 0
    with ConversationStore.open(talk.url) as store:
        assert len(store.messages.list(talk.thread)) == 2


def test_every_command_stands_under_a_heading_of_the_help():
    from eventstore.cli.app import PANELS  # noqa: PLC0415 (other tests import the program anew)

    headed = [name for names in PANELS.values() for name in names]
    assert sorted(headed) == sorted(vars(THE_PROGRAM)["commands"])
