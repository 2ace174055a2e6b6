"""Docs that run: every code block of the README and of docs/ is executed.

The blocks of one page run in order, in one namespace and in an empty folder, as a reader would
type them. Python blocks may `await` at the top. Of a console block the lines `$ eventstore …` are
run and must end with status 0. A block is left out only by saying why, on the line before it:

    <!-- not run: needs a PostgreSQL server -->
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guards.markdown import Block, blocks, commands, run_python
from tests.guards.source import PROJECT

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
# Other names for the same languages; under them a block would go unrun and unnoticed.
DODGES = {"py", "py3", "python3", "pycon", "python-repl", "sh", "bash", "shell", "zsh"}

every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix()
)


def blocks_to_run(page: Path, language: str) -> list[Block]:
    found = blocks(page.read_text(encoding="utf-8"))
    return [block for block in found if block.language == language and block.not_run is None]


def run_command(command: str, folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = os.environ | {"PATH": path, "TMPDIR": str(folder)}  # the demo leaves its file
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"


@every_page
def test_its_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_python(page, blocks_to_run(page, "python"))
    for block in blocks_to_run(page, "console"):
        for command in commands(block):
            run_command(command, tmp_path)


@every_page
def test_a_block_that_is_not_run_says_why(page):
    found = blocks(page.read_text(encoding="utf-8"))
    assert [block.line for block in found if block.not_run == ""] == []


@every_page
def test_code_is_called_python_or_console(page):
    found = blocks(page.read_text(encoding="utf-8"))
    assert [(block.line, block.language) for block in found if block.language in DODGES] == []


PAGE = """
```python
import asyncio
x = 1
```
text
```python
await asyncio.sleep(0)
assert x == 1
x = 2
```

<!-- not run: it fails -->
```python
raise SystemExit
```
1. in a list
   ```console
   $ ls
   $ eventstore demo \\
       --quiet
   ```
"""


def test_blocks_share_a_namespace_and_may_await():
    run_python(Path("page.md"), [block for block in blocks(PAGE) if block.not_run is None][:2])


def test_a_failing_block_fails_at_its_line():
    failing = blocks(PAGE.replace("x == 1", "x == 3"))[:2]
    with pytest.raises(AssertionError) as caught:
        run_python(Path("page.md"), failing)
    assert caught.traceback[-1].lineno + 1 == PAGE.splitlines().index("assert x == 1") + 1


def test_a_marker_leaves_out_only_the_next_block():
    assert [block.not_run for block in blocks(PAGE)] == [None, None, "it fails", None]


def test_commands_are_read_from_console_blocks():
    assert commands(blocks(PAGE)[-1]) == ["eventstore demo      --quiet"]


def test_a_command_that_fails_is_a_failure(tmp_path):
    with pytest.raises(AssertionError, match="exit 3"):
        run_command("exit 3", tmp_path)
