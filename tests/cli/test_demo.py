"""``eventstore demo``: what it shows is what it did, and what it proposes works."""

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rich.cells import cell_len

from eventstore import ConversationStore
from eventstore.cli.demo.plotting import plotting
from eventstore.cli.demo.stage import scripts
from eventstore.cli.demo.story import ACTS, story
from tests.cli.conftest import surroundings

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def sandbox():
    """The search path on which bubblewrap is found."""
    return os.environ["PATH"]


@pytest.fixture(autouse=True)
def _without_sandbox(sandbox, monkeypatch):  # noqa: ARG001 (that one looks first)
    """Leave out the plot, whose kernel takes longer than all other scenes."""
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))


def proposed(shown):
    """The commands that the demo ends with."""
    *_, end = shown.partition("Look around")
    found = [line.strip() for line in end.splitlines() if line.startswith("   ")][1:]
    assert found[0].startswith("export EVENTSTORE_DB=")
    return found


def test_it_plays_on_the_database_it_is_given(run, database):
    shown = run("demo", "--db", database)
    assert shown.exit_code == 0, shown.output
    with ConversationStore.open(database) as store:
        sky, fork, oslo = store.threads.list()
        assert fork.forked_from is not None
        assert fork.forked_from.thread_id == sky.id
        assert [run.status for run in store.runs.list(sky.id)] == ["completed"]
        assert [run.status for run in store.runs.list(oslo.id)] == [
            *("completed", "completed", "cancelled")
        ]
        assert store.projections.compare().findings == ()
    for said in (
        "0 differences",
        "Refused: call_id ('call_9')",
        "is 'queued'",
        "at version 2; ",
        'call_w → "Oslo: 4 °C, rain"',
        "Tomorrow is better.",
        "The run is cancelled. Incomplete:",
        "records decided again, all the same.",
        "2 answers and 2 tool results came from the log: the model was asked 0 times.",
    ):
        assert said in shown.stdout


def test_it_lets_a_model_draw_a_plot(run, database, sandbox):
    shown = run("demo", "--db", database, PATH=sandbox)
    assert shown.exit_code == 0, shown.output
    assert "Left out" not in shown.stdout
    [file] = re.findall(r"The plot is in\s+(\S+\.png)", shown.stdout)
    with Image.open(io.BytesIO(Path(file).read_bytes())) as plot:
        assert plot.format == "PNG"
        assert min(plot.size) > 200
    assert "records decided again, all the same; no code ran." in shown.stdout
    with ConversationStore.open(database) as store:
        *_, rain = store.threads.list()
        [run] = store.runs.list(rain.id)
        assert run.status == "completed"
        messages: list[Any] = list(store.messages.list(rain.id))
        user, _, read, _, drawn, answer = messages
        assert user.content[1].name == "rain.csv"
        assert read.content[0].output["result"] == "'Aug'"
        assert drawn.erased
        assert answer.text == "August is the wettest month."


def test_it_says_what_a_machine_lacks_for_the_plot(run, database):
    shown = run("demo", "--db", database).stdout
    assert "Left out: a model writes code, and draws a plot" in shown
    assert "bubblewrap is not installed" in shown
    assert "Let a model write code" not in shown


@pytest.mark.parametrize(
    ("missing", "said"),
    [("zmq", "the extra [code] is not installed"), ("matplotlib", "matplotlib is not")],
)
def test_it_says_what_python_lacks_for_the_plot(program, sandbox, missing, said):
    def without():
        for name in [one for one in sys.modules if "code_interpreter" in one]:
            del sys.modules[name]
        sys.modules[missing] = None  # type: ignore[assignment]

    shown = program("demo", before=without, PATH=sandbox).stdout
    assert said in shown
    assert "pip install" in shown


def test_it_plays_as_well_where_there_are_conversations_already(run, talk):
    for _ in range(2):
        assert run("demo", "--db", talk.url).exit_code == 0
    with ConversationStore.open(talk.url) as store:
        assert len(store.threads.list()) == 7


def test_without_a_database_it_plays_on_a_temporary_file_which_stays(run, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    export = proposed(run("demo").stdout)[0]
    file = Path(shlex.split(export)[1].removeprefix("EVENTSTORE_DB=sqlite:///"))
    assert file.is_file()
    assert tmp_path in file.parents


def test_the_lines_it_shows_are_the_lines_that_ran():
    with ConversationStore.open("sqlite://") as store:
        assert len(list(scripts(*ACTS))) == len(list(story(store)))
    for script in (*scripts(*ACTS), *scripts(plotting)):
        compile(script, "scene", "exec")
        assert "yield" not in script
        assert "noqa" not in script
        assert max(map(len, script.splitlines())) <= 77
    shown = "".join(scripts(*ACTS))
    for call in (
        *("threads.create", "messages.edit", "messages.regenerate", "branches.select"),
        *("threads.fork", "runs.submit_tool_outputs", "replay.steps", "projections.compare"),
    ):
        assert f"store.{call}(" in shown
    assert "engine.run(" in shown


@pytest.mark.parametrize("columns", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_none_of_the_code_is_wrapped(terminal, columns):
    shown = terminal("demo", "--db", "demo.db", columns=columns)
    assert COLOUR.search(shown)
    plain = COLOUR.sub("", shown)
    assert max(map(cell_len, plain.splitlines())) <= columns
    for script in scripts(*ACTS):
        for line in script.splitlines():
            assert f"   {line}".rstrip() + "\n" in plain


def test_without_colour_it_says_the_same(terminal, program):
    plain = terminal("demo", "--db", "a.db", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain)
    piped = program("demo", "--db", "b.db").stdout
    assert "\x1b" not in piped
    assert (
        COLOUR.sub("", plain).replace("a.db", "b.db").split("Replay")[0]
        == (piped.split("Replay")[0])
    )


def test_the_commands_it_proposes_work_on_the_database_it_made(program, tmp_path):
    export, *commands = proposed(program("demo", "--db", "demo.db").stdout)
    told = shell("\n".join([TELLING, export, *commands]), tmp_path)
    assert told.returncode == 0, told.stderr
    shown = ""
    for place, *arguments in (line.split("\0")[:-1] for line in told.stdout.splitlines()):
        done = program(*arguments, EVENTSTORE_DB=place)
        assert done.returncode == 0, done.stderr
        shown += done.stdout
    assert "The sky" in shown
    assert "the tables match the events" in shown
    by_itself = shell("\n".join([export, commands[0]]), tmp_path)
    assert by_itself.returncode == 0, by_itself.stderr
    assert by_itself.stdout in shown


TELLING = """
eventstore() { printf '%s\\0' "$EVENTSTORE_DB" "$@"; echo; }
"""
"""Stands for the program where only its arguments are asked for."""


def shell(script, folder):
    """What a shell makes of it that finds the program where it is installed."""
    return subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=folder,
        env=surroundings() | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        check=False,
        capture_output=True,
        text=True,
    )
