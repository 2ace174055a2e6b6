"""Editors and documentation tools read source: they see what a user can type, and what it does.

jedi completes in Jupyter, IPython and many editors; griffe is what documentation is generated with.
"""

import inspect
from pathlib import Path

import griffe
import jedi
import pytest

from tests.guards import public_surface

ROOT = Path(__file__).parents[2]

METHODS = {
    "messages.create": ("thread_id role content parent_id idempotency_key connection", "Message"),
    "threads.list": ("metadata archived after limit sort order", "Page[Thread]"),
    "projections.rebuild": ("thread_id projection", "RebuildReport"),
    "privacy.erase": ("thread_id message_id reason", "Erasure"),
}
FACES = {"ConversationStore": ("sync", ""), "AsyncConversationStore": ("asynchronous", "Async")}


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    """Keep jedi's cache apart: it reads what another process is still writing, and fails."""
    patch = pytest.MonkeyPatch()
    patch.setattr(jedi.settings, "cache_directory", str(tmp_path_factory.mktemp("jedi")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def package():
    return griffe.load("eventstore", search_paths=[ROOT])


def shown_by_griffe(package, face, method):
    module, prefix = FACES[face]
    resource, name = method.split(".")
    found = package[f"api.faces.{module}.{prefix}{resource.capitalize()}.{name}"]
    assert found.docstring is not None
    sections = found.docstring.parse("google")
    [described] = [one for one in sections if one.kind is griffe.DocstringSectionKind.parameters]
    assert all(one.description for one in described.value)
    names = {one.name for one in described.value}
    return names, str(found.returns), sections[0].value


def shown_by_jedi(face, method):
    opened = f"from eventstore import {face}\nstore: {face} = ...\n"
    script = jedi.Script(f"{opened}store.{method}(", project=jedi.Project(ROOT))
    [signature] = script.get_signatures()
    result = signature.to_string().rpartition(" -> ")[2]
    return {one.name for one in signature.params}, result, signature.docstring(raw=True)


def documented(face, method):
    return public_surface.face_methods(face)[method]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("face", FACES)
def test_parameters_result_and_docstring_are_seen(package, face, method):
    parameters, result = METHODS[method]
    if face.startswith("Async"):
        result = result.replace("Page[", "AsyncPage[")
    summary = (inspect.getdoc(documented(face, method)) or "?").split("\n")[0]
    for names, told, words in (
        shown_by_griffe(package, face, method),
        shown_by_jedi(face, method),
    ):
        assert names >= set(parameters.split())
        assert result in told
        assert words.startswith(summary)


def test_jedi_knows_what_comes_of_a_call():
    lines = [
        "from eventstore import ConversationStore",
        'store = ConversationStore.open("sqlite://")',
        'made = store.messages.create("t", role="user", content="x")',
        "made",
    ]
    script = jedi.Script("\n".join(lines), project=jedi.Project(ROOT))
    assert [one.name for one in script.infer(4, 1)] == ["Message"]
