"""The written faces are what the operations say, and they say everything.

Static tools read the files; users read ``help()``. Both must find each parameter with its type, the
real result, and a description of every argument.
"""

import ast
import inspect
import pydoc
import re
import textwrap

import pytest

import eventstore.read_models
from scripts.faces.__main__ import files
from tests.guards import public_surface

FACES = {face: public_surface.face_methods(face) for face in public_surface.FACES}
METHODS = [
    (face, name)
    for face, methods in FACES.items()
    for name in methods
    if name != "perform"  # what the command line and the tests of the library use
]
RESOURCES = ("threads", "messages", "branches", "runs", "assistants", "events", "projections")
INTERNAL = re.compile(
    r"\b(Write|Read|Paged|Subscribe|Follow|Await|Collected|Scope|PageOf|Unpack)\b|\*\*"
)


@pytest.mark.parametrize("file", files(), ids=lambda path: path.name)
def test_a_written_file_is_what_the_operations_say(file):
    assert file.read_text(encoding="utf-8") == files()[file], "python -m scripts.faces"


@pytest.mark.parametrize(("face", "name"), METHODS)
def test_help_shows_every_parameter_described_and_the_real_result(face, name):
    method = FACES[face][name]
    signature = inspect.signature(method)
    shown = public_surface.signature(method)
    assert not INTERNAL.search(shown.replace("*names", "")), shown
    assert signature.return_annotation is not inspect.Signature.empty
    described = set(re.findall(r"^    (\w+): \S", inspect.getdoc(method) or "", re.MULTILINE))
    missing = [one for one in signature.parameters if one not in described | {"self"}]
    assert not missing, inspect.getdoc(method)


def fields_without_a_word(cls):
    """Fields of a public value, those of its bases included, that no docstring follows."""
    for base in cls.__mro__:
        if not base.__module__.startswith("eventstore") or "[" in base.__name__:
            continue
        [node] = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        assert isinstance(node, ast.ClassDef)
        for one, following in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
                said = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
                if not said and not one.target.id.startswith(("_", "model_config")):
                    yield f"{base.__name__}.{one.target.id}"


def public_values():
    modules = (eventstore, eventstore.read_models)
    exported = [getattr(module, name) for module in modules for name in module.__all__]
    return [one for one in exported if inspect.isclass(one) and not issubclass(one, Exception)]


@pytest.mark.parametrize("cls", public_values(), ids=lambda cls: cls.__name__)
def test_every_field_of_a_public_value_is_described(cls):
    assert list(fields_without_a_word(cls)) == []


@pytest.mark.parametrize("face", public_surface.FACES)
def test_help_of_a_store_lists_its_resources_and_what_each_is_for(face):
    text = pydoc.plain(pydoc.render_doc(getattr(eventstore, face)))
    for name in RESOURCES:
        assert re.search(rf"^ \|  {name}\n \|      [A-Z][^|]+\.$", text, re.MULTILINE), name
