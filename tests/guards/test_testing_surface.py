"""The public surface of the test kit is a short list, changes only on purpose, and is described.

The list is `testing_surface.txt`. If a change is meant, write it anew with
`python -m tests.guards.testing_surface`, and tell users in CHANGELOG.md.
"""

import subprocess
import sys

import pytest

import eventstore.testing
from tests.guards import testing_surface

REMEDY = "if this is meant: python -m tests.guards.testing_surface, and a line in CHANGELOG.md"


def test_the_surface_of_the_kit_is_what_the_list_says():
    listed = testing_surface.FILE.read_text(encoding="utf-8").splitlines()
    assert testing_surface.surface().splitlines() == listed, REMEDY


def test_everything_public_in_the_kit_is_described_with_each_of_its_arguments():
    assert list(testing_surface.undescribed()) == []


def test_what_is_told_of_the_kit_names_all_of_it():
    words = eventstore.testing.__doc__ or ""
    values = {"Delivered", "Finding", "Given", "History", "NoPostgres", "Outcome", "Played", "Step"}
    assert [name for name in eventstore.testing.__all__ if f"`{name}`" not in words] == sorted(
        values
    )


def test_a_name_that_is_none_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = eventstore.testing.nothing
    assert set(dir(eventstore.testing)) == set(eventstore.testing.__all__)


def test_the_kit_imports_what_it_needs_when_it_is_needed():
    """So that who wants one name of it need not install what another needs."""
    program = (
        "import sys, eventstore.testing as kit; kit.blocking;"
        "assert not {'hypothesis', 'pytest', 'psycopg'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
