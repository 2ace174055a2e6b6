"""Type checkers find nothing in a right application, every mistake in a wrong one, every type."""

import asyncio
import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typing_extensions import get_original_bases

from eventstore.conversation.commands import THREAD_COMMANDS
from tests.conftest import LONG
from tests.typing.application import async_chat, own_transaction, sync_chat

HERE = Path(__file__).parents[1] / "typing"
APPLICATION, MISTAKES = HERE / "application.py", HERE / "mistakes.py"
REVEALED = HERE / "revealed.py"
FILES = [str(APPLICATION), str(MISTAKES), str(REVEALED)]
JSON = re.compile(r"(dict|Mapping)\[str, Any\]|Coroutine(Type)?\[Any, Any, ")
"""Objects of JSON, whose values only the application knows; and how coroutines are written."""
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent


def run(*words):
    command = [BIN / words[0], *words[1:]]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def mypy(cache):
    """What mypy says of each file, as it sees them in an application of its own."""
    told = run(
        *("mypy", "--strict", "--config-file=", f"--cache-dir={cache}", "--output=json"),
        *FILES,
    )
    found = [json.loads(line) for line in told.stdout.splitlines()]
    return [
        (one["severity"] == "error", Path(one["file"]).name, one["line"], one["message"])
        for one in found
    ]


def basedpyright(cache):
    settings = cache / "pyrightconfig.json"
    settings.write_text(
        json.dumps({"include": FILES, "typeCheckingMode": "strict", "extraPaths": [str(ROOT)]})
    )
    told = run(
        *("basedpyright", "--outputjson", "--pythonpath", sys.executable),
        *("--project", str(settings)),
    )
    found = json.loads(told.stdout)["generalDiagnostics"]
    return [
        (
            one["severity"] == "error",
            Path(one["file"]).name,
            one["range"]["start"]["line"] + 1,
            one["message"],
        )
        for one in found
    ]


def planted():
    lines = MISTAKES.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if "# mistake" in line]


def asked():
    lines = REVEALED.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if "    reveal_type(" in line]


@pytest.mark.parametrize("checker", [mypy, basedpyright], ids=lambda checker: checker.__name__)
def test_every_mistake_is_reported_nothing_else_and_every_type_is_known(checker, tmp_path):
    found = checker(tmp_path)
    errors = [one[1:] for one in found if one[0]]
    assert [one for one in errors if one[0] != MISTAKES.name] == []
    reported = {line for file, line, _ in errors if file == MISTAKES.name}
    assert sorted(reported) == planted(), errors
    revealed = {line: said for _, file, line, said in found if file == REVEALED.name}
    assert sorted(revealed) == asked()
    vague = {
        n: said
        for n, said in revealed.items()
        if re.search(r"\b(Any|Unknown)\b", JSON.sub("", said))
    }
    assert vague == {}


@pytest.mark.parametrize("command", THREAD_COMMANDS, ids=lambda command: command.__name__)
def test_a_command_declares_the_type_of_its_result(command):
    """Type checkers hold every method of a store to it, and cannot see the table of commands."""
    [base] = get_original_bases(command)
    returned = get_type_hints(THREAD_COMMANDS[command].result)["return"]
    assert get_args(base) == (returned,)


def test_the_application_runs(tmp_path):
    lines = sync_chat(f"sqlite:///{tmp_path / 'sync.db'}")
    assert lines[:2] == [
        "user: Why is the sky blue? <1/2>",
        "assistant: Rayleigh scattering. <2/2>",
    ]
    own_transaction(str(tmp_path / "own.db"))
    assert asyncio.run(async_chat(f"sqlite:///{tmp_path / 'async.db'}")) == [
        "user: one",
        "user: two",
    ]


@pytest.mark.skipif(not LONG, reason="a quarter of a minute")
def test_the_types_of_public_names_are_complete(tmp_path):
    """As an application sees them that installs the library: beside its other packages."""
    venv.create(tmp_path, symlinks=True)
    [packages] = tmp_path.glob("lib/python*/site-packages")
    (packages / "eventstore").symlink_to(ROOT / "eventstore")
    (packages / "others.pth").write_text(
        "\n".join(one for one in sys.path if "site-packages" in one)
    )
    told = subprocess.run(
        [BIN / "basedpyright", "--verifytypes", "eventstore", "--ignoreexternal", "--outputjson"],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"},
    )
    found = json.loads(told.stdout)["typeCompleteness"]
    unknown = [one["name"] for one in found["symbols"] if not one["isTypeKnown"]]
    assert found["exportedSymbolCounts"]["withKnownType"] > 5_000
    assert found["completenessScore"] > 0.99, "\n".join(unknown)
