"""Type checkers find nothing in a right application, and each mistake in a wrong one."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.typing.application import async_chat, own_transaction, sync_chat

HERE = Path(__file__).parents[1] / "typing"
APPLICATION, MISTAKES = HERE / "application.py", HERE / "mistakes.py"
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent


def run(*words):
    command = [BIN / words[0], *words[1:]]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)


def mypy(cache):
    """Lines with an error, of each file, as mypy sees them in an application of its own."""
    told = run(
        *("mypy", "--strict", "--config-file=", f"--cache-dir={cache}", "--output=json"),
        *(str(APPLICATION), str(MISTAKES)),
    )
    found = [json.loads(line) for line in told.stdout.splitlines()]
    errors = [one for one in found if one["severity"] == "error"]
    return [(Path(one["file"]).name, one["line"], one["message"]) for one in errors]


def basedpyright(cache):
    settings = cache / "pyrightconfig.json"
    files = [str(APPLICATION), str(MISTAKES)]
    settings.write_text(
        json.dumps({"include": files, "typeCheckingMode": "strict", "extraPaths": [str(ROOT)]})
    )
    told = run(
        *("basedpyright", "--outputjson", "--pythonpath", sys.executable),
        *("--project", str(settings)),
    )
    found = json.loads(told.stdout)["generalDiagnostics"]
    errors = [one for one in found if one["severity"] == "error"]
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in errors
    ]


def planted():
    lines = MISTAKES.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if "# mistake" in line]


@pytest.mark.parametrize("checker", [mypy, basedpyright], ids=lambda checker: checker.__name__)
def test_every_mistake_is_reported_and_nothing_else(checker, tmp_path):
    found = checker(tmp_path)
    assert [one for one in found if one[0] == APPLICATION.name] == []
    reported = {line for file, line, _ in found if file == MISTAKES.name}
    assert sorted(reported) == planted(), found


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
