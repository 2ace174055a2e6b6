"""The program, run in this process or as a program of its own, and databases to look at."""

import fcntl
import os
import pty
import struct
import termios
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from eventstore import ConversationStore
from eventstore.cli.app import app
from tests.cli.forked import Forked, completed

DATA = Path(__file__).parents[1] / "data"


COMMANDS = typer.main.get_command(app)
"""Made once: a program makes them anew at each start, which takes longer than most of them run."""


@pytest.fixture
def run(monkeypatch):
    """Run a command in this process; says how it ended and what it printed."""
    monkeypatch.setattr("typer.testing._get_command", lambda _: COMMANDS)

    def run(*arguments, columns=80, stdin=None, **environment):
        runner = CliRunner(env={"COLUMNS": str(columns), **environment})
        return runner.invoke(app, list(arguments), prog_name="eventstore", input=stdin)

    return run


@pytest.fixture
def program(tmp_path):
    """Run the program as a process, in an empty folder; its output is a pipe."""

    def program(*arguments, stdin=None, encoding="utf-8", before=None, **environment):
        return completed(
            arguments,
            stdin=stdin,
            folder=tmp_path,
            environment=surroundings() | environment,
            encoding=encoding,
            before=before,
        )

    return program


@pytest.fixture
def terminal(tmp_path):
    """Run the program on a terminal so many columns wide; returns what appears there."""

    def terminal(*arguments, columns=80, **environment):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        looks = surroundings() | {"TERM": "xterm-256color"} | environment
        child = Forked(arguments, [theirs] * 3, folder=tmp_path, environment=looks)
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
        os.close(ours)
        assert child.wait() == 0, shown
        return shown.replace("\r\n", "\n")

    return terminal


def _read(end):
    try:
        return os.read(end, 65536)
    except OSError:  # the other end is closed
        return b""


def surroundings():
    """Our environment without what changes how things look, and when they are written."""
    looks = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "EVENTSTORE_DB", "TERM"}
    looks |= {"PYTHONUNBUFFERED"}
    return {k: v for k, v in os.environ.items() if k not in looks} | {"PYTHONUTF8": "1"}


@pytest.fixture
def database(tmp_path):
    """A URL where no database is yet."""
    return f"sqlite:///{tmp_path / 'here.db'}"


class Talk:
    """A small conversation on disk: two answers, the first one active and labelled."""

    def __init__(self, url):
        self.url = url
        with ConversationStore.open(url) as store:
            self.thread = store.threads.create(title="The sky").id
            ask = store.messages.create(self.thread, role="user", content="Why is the sky blue?")
            sea = store.messages.create(self.thread, role="assistant", content="It is the sea.")
            air = store.messages.regenerate(self.thread, sea.id, content="Air scatters blue.")
            store.branches.label(self.thread, sea.id, "wrong")
            store.branches.select(self.thread, sea.id)
        self.question, self.sea, self.air = ask.id, sea.id, air.id


@pytest.fixture
def talk(database):
    return Talk(database)
