"""A description that is malformed anywhere is refused as one, or its operations can be asked."""

import contextlib
import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventstore import ToolError
from eventstore.engine.tools import InvalidArguments
from eventstore.engine.tools.plugins.description import read_description
from eventstore.engine.tools.plugins.requests import request_of
from tests.conftest import LONG

PETS = json.loads((Path(__file__).parent / "services" / "petstore.json").read_text("utf-8"))
SERVER = "https://pets.invalid"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("#/paths"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=4,
)


def places(node, path=()):
    """The way to every part of a document."""
    yield path
    parts = (
        node.items()
        if isinstance(node, dict)
        else enumerate(node)
        if isinstance(node, list)
        else ()
    )
    for key, inner in parts:
        yield from places(inner, (*path, key))


def changed(node, path, value):
    if not path:
        return value
    copy = dict(node) if isinstance(node, dict) else list(node)
    copy[path[0]] = changed(node[path[0]], path[1:], value)
    return copy


PLACES = [path for path in places(PETS) if path]


@settings(max_examples=2000 if LONG else 100)
@given(
    st.sampled_from(PLACES), JSON, st.dictionaries(st.sampled_from(["id", "body", "tags"]), JSON)
)
def test_whatever_stands_in_it_is_a_tool_or_an_error_of_ours(path, value, arguments):
    document = changed(PETS, path, value)
    try:
        read = read_description(document, SERVER)
    except ToolError as error:
        assert error.code == "bad_description"  # noqa: PT017 (either is right)
        return
    for operation in read.operations:
        json.dumps(operation.schema)
        with contextlib.suppress(InvalidArguments):
            request = request_of(SERVER, operation, arguments)
            assert urlsplit(request.url)[:2] == ("https", "pets.invalid")


@pytest.mark.parametrize("path", [".elsewhere.invalid/a", "@elsewhere.invalid/", ":8080/a", "a"])
def test_a_path_cannot_make_another_server(path):
    operation = {"get": {"operationId": "a"}}
    with pytest.raises(ToolError, match="does not begin with /"):
        read_description({"openapi": "3.0.0", "paths": {path: operation}}, SERVER)
