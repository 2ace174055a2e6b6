"""The way of a message through the library stays as short as ARCHITECTURE.md says.

A later version of Python calls fewer functions, because it inlines comprehensions.
"""

import re

from scripts.moves import ways
from tests.guards.source import PROJECT

ROW = re.compile(r"\| `messages\.(\w+)`, now \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|")


def test_it_takes_no_more_files_moves_frames_and_calls_than_the_page_says():
    said = ROW.findall((PROJECT / "ARCHITECTURE.md").read_text(encoding="utf-8"))
    assert [name for name, *_ in said] == ["create", "list", "edit"]
    found = ways()
    for name, *most in said:
        way = found[f"messages.{name}"]
        taken = way.files, way.moves, way.deepest, way.calls
        assert all(one <= int(limit) for one, limit in zip(taken, most, strict=True)), (
            name,
            taken,
            "if it is meant, write python -m scripts.moves into ARCHITECTURE.md",
        )
