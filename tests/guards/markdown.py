"""Finds the code blocks of a Markdown page and runs the Python ones, for `test_docs_run.py`."""

import ast
import asyncio
import inspect
import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,}|~{3,}) *(?P<language>[\w+-]*)")
MARKER = re.compile(r"^ *<!-- not run: *(?P<reason>.*?) *-->$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the line where its code begins, and why it is not run."""

    language: str
    code: str
    line: int
    not_run: str | None = None


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found: list[Block] = []
    lines = iter(enumerate(text.splitlines(), 1))
    reason = None
    for number, line in lines:
        if fence := FENCE.match(line):
            code = _until_closed(lines, fence)
            found.append(Block(fence["language"].lower(), code, number + 1, reason))
            reason = None
        elif line.strip():
            marker = MARKER.match(line)
            reason = marker["reason"] if marker else None
    return found


def _until_closed(lines, fence) -> str:
    code = []
    for _, line in lines:
        if line.strip().startswith(fence["ticks"]) and not line.strip(fence["ticks"][0] + " "):
            break
        code.append(line.removeprefix(fence["indent"]))
    return "\n".join(code) + "\n"


def run_python(page: Path, found: list[Block]) -> None:
    """Run Python blocks one after the other, in one namespace and one event loop.

    Each block is compiled at the lines where it stands, so that a traceback points into the page.
    """
    namespace: dict[str, object] = {"__name__": "__page__"}
    with asyncio.Runner() as loop:
        for block in found:
            code = _compiled(page, block)
            if code.co_flags & inspect.CO_COROUTINE:
                loop.run(_evaluated(code, namespace))
            else:
                exec(code, namespace)


async def _evaluated(code, namespace):
    await eval(code, namespace)  # a block with a top-level await evaluates to a coroutine


def _compiled(page, block):
    source = "\n" * (block.line - 1) + block.code
    return compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def commands(block: Block) -> list[str]:
    """The `$ eventstore …` lines of a console block, continued lines joined."""
    whole = block.code.replace("\\\n", " ")
    return [line[2:] for line in whole.splitlines() if line.startswith("$ eventstore")]
