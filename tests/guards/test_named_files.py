"""A page, a docstring or a comment that names a file of the project names one that exists.

`storage/append.py: append_many` also says that the file has a definition of that name.
"""

import re
from pathlib import Path

from tests.guards.source import PACKAGE, PROJECT

NAMED = re.compile(
    r"(?<![\w/.$~-])(?P<path>(?:[\w.-]+/)+[\w-]+\.(?:py|md|toml|txt|in|lock|yml))\b"
    r"(?:: (?P<name>\w+)(?=`))?"
)
BARE = re.compile(r"`(?P<name>\w+\.py)\b")
FOLDERS = (PACKAGE, "tests", "scripts", "benchmarks", "examples", "pytest_eventstore")
TEXTS = [
    *PROJECT.glob("*.md"),
    *(PROJECT / "docs").rglob("*.md"),
    PROJECT / "Makefile",
    *(file for folder in FOLDERS for file in (PROJECT / folder).rglob("*.py")),
]
NAMES = {file.name for file in TEXTS}


def wrong(page, text):
    """Yield each name of a file, or of a definition in a file, that a text gets wrong."""
    for found in NAMED.finditer(text):
        path, name = found["path"], found["name"]
        bases = (page.parent, PROJECT, PROJECT / PACKAGE)
        file = next((base / path for base in bases if (base / path).is_file()), None)
        if file is None:
            yield path
        elif name and not re.search(rf"(def|class) {name}\b", file.read_text(encoding="utf-8")):
            yield f"{path}: {name}"
    yield from (found["name"] for found in BARE.finditer(text) if found["name"] not in NAMES)


def test_a_file_that_is_named_exists():
    texts = {file: file.read_text(encoding="utf-8") for file in TEXTS if file != Path(__file__)}
    found = {str(file.relative_to(PROJECT)): [*wrong(file, text)] for file, text in texts.items()}
    assert {file: names for file, names in found.items() if names} == {}


def test_a_wrong_name_is_found():
    page = PROJECT / "ARCHITECTURE.md"
    text = "`no_such.py` `storage/no_such.py` `storage/append.py: no_such` `append.py`"
    assert list(wrong(page, text)) == [
        "storage/no_such.py",
        "storage/append.py: no_such",
        "no_such.py",
    ]
