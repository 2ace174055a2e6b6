"""A page that names a definition, as `write_path/append.py: append_many`, names one it has.

`test_words.py` checks that the file exists.
"""

import re

from tests.guards.source import PACKAGE, PROJECT

NAMED = re.compile(r"`(?P<path>[\w/]+\.py): (?P<name>\w+)`")


def wrong(text):
    """Yield each definition that a text names and that its file does not have."""
    for found in NAMED.finditer(text):
        file = PROJECT / PACKAGE / found["path"]
        defined = rf"^ *(async def|def|class) {found['name']}\b"
        if not file.is_file() or not re.search(defined, file.read_text("utf-8"), re.MULTILINE):
            yield found[0]


def test_a_page_names_definitions_that_exist():
    pages = [*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")]
    found = {page.name: list(wrong(page.read_text("utf-8"))) for page in pages}
    assert {page: names for page, names in found.items() if names} == {}


def test_a_wrong_name_is_found():
    assert not list(wrong("`write_path/append.py: append_many`"))
    assert list(wrong("`write_path/append.py: no_such`")) == ["`write_path/append.py: no_such`"]
    assert list(wrong("`storage/no_such.py: taken`")) == ["`storage/no_such.py: taken`"]
