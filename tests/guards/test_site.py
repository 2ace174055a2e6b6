"""The documentation site has every page and every public name; `make docs` builds it."""

import inspect
import pkgutil
import tomllib
from typing import get_type_hints

import pytest

import eventstore
from eventstore import AsyncConversationStore, ConversationStore, read_models, testing
from tests.guards.source import PROJECT

DOCS = PROJECT / "docs"
MARKS = {"EMPTY", "UNSET"}  # no classes or functions: their page describes them in words


def pages(nav):
    """The pages of a navigation, at any depth."""
    for entry in nav:
        for page in entry.values():
            if isinstance(page, str):
                yield page
            else:
                yield from pages(page)


def shown():
    """What the reference takes from the source."""
    for page in (DOCS / "reference").glob("*.md"):
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith("::: "):
                yield line.removeprefix("::: ")


def test_the_navigation_has_every_page_once():
    site = tomllib.loads((PROJECT / "zensical.toml").read_text(encoding="utf-8"))
    there = sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    assert sorted(pages(site["project"]["nav"])) == there


@pytest.mark.parametrize("room", [eventstore, read_models, testing], ids=lambda room: room.__name__)
def test_the_reference_has_every_public_name(room):
    wanted = {f"{room.__name__}.{name}" for name in set(room.__all__) - MARKS}
    assert wanted - set(shown()) == set()


def test_what_the_reference_takes_is_there():
    """As `make docs` looks for it: the module by its name, and the rest in the module."""
    for name in shown():
        pkgutil.resolve_name(name)


@pytest.mark.parametrize(
    ("face", "page"), [(ConversationStore, "store.md"), (AsyncConversationStore, "async-store.md")]
)
def test_the_reference_has_every_resource_of_a_store(face, page):
    text = (DOCS / "reference" / page).read_text(encoding="utf-8")
    found = 0
    for name, kind in inspect.getmembers(face, lambda one: isinstance(one, property)):
        resource = get_type_hints(kind.fget)["return"]
        if resource.__module__.startswith("eventstore.api.faces"):
            source = f"::: {resource.__module__}.{resource.__qualname__}\n"
            assert f"## store.{name}\n\n{source}" in text
            found += 1
    assert found > 10
