"""Every Python block of the README and the guides passes mypy strict.

The blocks of one page share a namespace, so they are checked as one module. Each line keeps its
number: mypy speaks of the lines of the page.
"""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.guards.markdown import Block, blocks
from tests.guards.source import PROJECT
from tests.guards.test_docs_run import PAGES, blocks_to_run

MYPY = str(Path(sys.executable).parent / "mypy")
FIXED = re.compile(r"^\S+?(?P<module>page_\w+)\.py(?P<rest>:.*)$")


def module_text(found: list[Block]) -> str:
    """The blocks of a page as a module, each at the lines where it stands.

    Python has no ``await`` at the top of a module. A page that has one becomes a function, whose
    first line is the first line of the page: no block begins there.
    """
    lines: list[str] = []
    for block in found:
        lines += [""] * (block.line - 1 - len(lines))
        lines += block.code.splitlines()
    code = "\n".join(lines) + "\n"
    if not _awaits_at_the_top(code):
        return code
    return "async def page() -> None:\n" + textwrap.indent(code.split("\n", 1)[1], "    ")


def _awaits_at_the_top(code: str) -> bool:
    try:
        compile(code, "page", "exec")
    except SyntaxError:
        compile(code, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        return True
    return False


def complaints(pages: dict[str, list[Block]], folder: Path) -> list[str]:
    """Everything mypy says of the blocks of pages, with page and line."""
    names = {f"page_{number}": name for number, name in enumerate(pages)}
    for module, name in names.items():
        (folder / f"{module}.py").write_text(module_text(pages[name]), encoding="utf-8")
    # With the settings of the project, which are strict: so the cache of `make types` serves here.
    command = [MYPY, "--no-error-summary", str(folder)]
    told = subprocess.run(command, check=False, capture_output=True, text=True, cwd=PROJECT)
    assert told.stderr == ""
    found = [FIXED.match(line) for line in told.stdout.splitlines()]
    assert any(found) or told.returncode == 0, told.stdout
    return [f"{names[one['module']]}{one['rest']}" for one in found if one is not None]


def test_each_block_passes_mypy_strict(tmp_path):
    pages = {str(page.relative_to(PROJECT)): blocks_to_run(page, "python") for page in PAGES}
    pages["wrong"] = blocks(WRONG)
    said = complaints(pages, tmp_path)
    assert [one for one in said if not one.startswith("wrong:")] == []
    lines = sorted({int(one.split(":")[1]) for one in said})
    assert lines == [number for number, line in enumerate(WRONG.splitlines(), 1) if "# x" in line]


WRONG = """# A page with mistakes

```python
from eventstore import AsyncConversationStore

store = await AsyncConversationStore.open("sqlite://")
```

```python
thread = await store.threads.create()
await store.messages.create(thread.id, role="nobody", content="x")  # x
store.threads.list()  # x
async for event in store.events.read(thread.id):
    event.nothing  # x
```
"""
