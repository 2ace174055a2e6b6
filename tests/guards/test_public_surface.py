"""The public surface is a short list, and changes only on purpose.

The list is `public_surface.txt`. If a change is meant, write it anew with
`python -m tests.guards.public_surface`, read the diff as a user would, and tell users in
CHANGELOG.md.
"""

import inspect

import eventstore
from tests.guards import public_surface

REMEDY = "if this is meant: python -m tests.guards.public_surface, and a line in CHANGELOG.md"


def test_the_public_surface_is_what_the_list_says():
    listed = public_surface.FILE.read_text(encoding="utf-8").splitlines()
    assert public_surface.surface().splitlines() == listed, REMEDY


def test_every_public_name_exists_and_stands_in_order():
    assert [name for name in eventstore.__all__ if not hasattr(eventstore, name)] == []
    assert len(set(eventstore.__all__)) == len(eventstore.__all__)


def test_every_public_thing_says_what_it_is_for():
    assert public_surface.undocumented() == []


def test_both_faces_have_the_same_names_and_take_the_same_arguments():
    sync, other = (public_surface.face_methods(face) for face in public_surface.FACES)
    assert _arguments(sync) == _arguments(other)


def _arguments(methods):
    return {name: list(inspect.signature(method).parameters) for name, method in methods.items()}
