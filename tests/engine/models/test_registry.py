"""Names of models, and where they lead."""

import pytest

from eventstore import ModelError
from eventstore.engine.models import Endpoint, Models, ScriptedModel

KEYS = {"DASHSCOPE_API_KEY": "sk-d", "OPENAI_API_KEY": "sk-o"}
QWEN = ["qwen-turbo", "qwen-plus", "qwen-max", "qwen2-57b-a14b-instruct", "qwen2-72b-instruct"]


def client(model):
    return model._clients.here()  # noqa: SLF001 (nothing shows an address before a request)


def address(model):
    return str(client(model).base_url).rstrip("/")


@pytest.mark.parametrize("name", QWEN)
async def test_the_qwen_family_leads_to_the_international_endpoint(name):
    models = Models(environment=KEYS)
    model = models.resolve(name)
    assert model.name == name
    assert address(model) == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    assert client(model).api_key == "sk-d"
    assert client(model).max_retries == 0
    assert models.resolve(name) is model
    await models.aclose()


async def test_a_variable_names_another_endpoint():
    models = Models(environment={**KEYS, "DASHSCOPE_BASE_URL": "https://elsewhere.example/v1"})
    assert address(models.resolve("qwen-plus")) == "https://elsewhere.example/v1"
    await models.aclose()


async def test_an_alias_leads_anywhere():
    scripted = ScriptedModel(["Hello."])
    local = Endpoint("smollm2", base_url="http://127.0.0.1:1/v1", key_variable=None)
    models = Models(
        {"fast": "qwen-turbo", "qwen-max": scripted, "best": "qwen-max", "local": local},
        environment=KEYS,
    )
    assert models.resolve("best") is models.resolve("qwen-max") is scripted
    assert models.resolve("fast") is models.resolve("qwen-turbo")
    assert address(models.resolve("local")) == "http://127.0.0.1:1/v1"
    assert models.resolve("local").name == "smollm2"
    assert models.resolve("gpt-4o").name == "gpt-4o"
    await models.aclose()
    assert not scripted.closed


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("nobody", "unknown_model", "'nobody' is unknown"),
        ("a", "unknown_model", "circle: a, b"),
        ("qwen-plus", "invalid_api_key", "DASHSCOPE_API_KEY holds no API key for qwen-plus"),
    ],
)
def test_a_name_that_leads_nowhere_has_a_code(name, code, words):
    models = Models({"a": "b", "b": "a"}, environment={})
    with pytest.raises(ModelError, match=words) as caught:
        models.resolve(name)
    assert caught.value.code == code


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "eventstore.engine.models.openai_chat", None)
    with pytest.raises(ModelError, match=r"conversation-eventstore\[openai\]") as caught:
        Models(environment=KEYS).resolve("qwen-plus")
    assert caught.value.code == "missing_dependency"


async def test_models_of_the_same_names_share_no_connection():
    first = Models({"fast": "qwen-turbo"}, environment=KEYS)
    second = first.fresh()
    assert address(second.resolve("fast")) == address(first.resolve("fast"))
    assert second.resolve("fast") is not first.resolve("fast")
    await first.aclose()
    await second.aclose()
