"""Images from text: the services that draw, and the tool that keeps what they drew."""

import asyncio
import base64
import contextlib
import gc
import io
import json
import logging
from typing import Any

import aiohttp
import pytest
from PIL import Image

from eventstore import ToolError, ToolResultPart
from eventstore.engine import Engine
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.tools.images import ImageFailed, ScriptedImages, TextToImage
from eventstore.engine.tools.images.dashscope_images import DashScopeImages
from eventstore.engine.tools.images.drawing import Drawing
from eventstore.engine.tools.images.openai_images import OpenAIImages
from tests.engine.services.http_services import Service

KEY = "key-of-an-image-service"
CAT = Drawing("a cat", "64x64")


def png(drawing=CAT):
    return asyncio.run(ScriptedImages().draw(drawing))[0]


def test_the_scripted_model_draws_a_real_picture():
    picture = Image.open(io.BytesIO(png(Drawing("a cat", "96x32"))))
    picture.load()
    assert (picture.size, picture.format) == ((96, 32), "PNG")
    assert len(set(picture.get_flattened_data())) == 2
    assert png() == png() != png(Drawing("a dog", "64x64"))


def test_an_image_is_kept_in_the_conversation(store, thread):
    service = ScriptedImages()
    arguments = json.dumps({"prompt": "a cat", "size": "64x64"})
    model = ScriptedModel([[ToolCall("c1", "wanx", arguments)], "There."])
    tool = TextToImage(service, sizes=["64x64"])  # which answers to wanx, too
    with Engine(store, tools=[tool], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[{"type": "wanx"}])
        run = engine.execute(thread.id, run.id)
    assert run.status == "completed"
    answer = store.messages.list(thread.id).data[-2]
    result, image = answer.content
    assert result.output == {"images": 1, "size": "64x64"}
    assert base64.b64decode(image.url.removeprefix("data:image/png;base64,")) == png()
    assert model.requests[0].tools[0]["function"]["name"] == "wanx"


@pytest.mark.parametrize("arguments", ["{}", '{"prompt": "a cat", "size": "9x9"}', '["a cat"]'])
def test_arguments_that_do_not_fit_are_a_failed_result(store, thread, arguments):
    model = ScriptedModel([[ToolCall("c1", "text_to_image", arguments)], "There."])
    with Engine(store, tools=[TextToImage(ScriptedImages())], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[{"type": "text_to_image"}])
        engine.execute(thread.id, run.id)
    [result] = model.requests[1].messages[-1].content
    assert isinstance(result, ToolResultPart)
    assert result.status == "failed"


@pytest.mark.parametrize("content", [b"<html>", b"x" * 5_000_000], ids=["no image", "large"])
def test_only_images_of_some_size_are_kept(store, thread, content):
    class Careless(ScriptedImages):
        async def draw(self, _):
            return (content,)

    model = ScriptedModel([[ToolCall("c1", "text_to_image", '{"prompt": "a"}')], "There."])
    with Engine(store, tools=[TextToImage(Careless())], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[{"type": "text_to_image"}])
        engine.execute(thread.id, run.id)
    [result] = model.requests[1].messages[-1].content
    assert isinstance(result, ToolResultPart)
    assert result.status == "failed"


# -- an OpenAI-compatible endpoint -----------------------------------------------------------------


async def drawn(model):
    try:
        return await model.draw(CAT)
    finally:
        await model.aclose()


def test_an_openai_compatible_endpoint_draws():
    answer = {"created": 1, "data": [{"b64_json": base64.b64encode(png()).decode()}]}
    with Service(lambda _: (200, {}, answer)).running() as service:
        images = asyncio.run(drawn(OpenAIImages("gpt-x", api_key=KEY, base_url=service.url)))
    assert images == [png()]
    [asked] = service.asked
    assert (asked["path"], asked["headers"]["authorization"]) == (
        "/images/generations",
        f"Bearer {KEY}",
    )
    assert json.loads(asked["body"]) == {
        "model": "gpt-x",
        "prompt": "a cat",
        "size": "64x64",
        "n": 1,
        "response_format": "b64_json",
    }


@pytest.mark.parametrize(
    ("status", "answer", "problem"),
    [
        (401, {"error": {"message": f"bad key {KEY}"}}, r"refused \(401\)"),
        (200, {"created": 1, "data": [{"url": "http://127.0.0.1/x.png"}]}, "no image"),
        (200, {"created": 1, "data": []}, "no image"),
    ],
)
def test_an_endpoint_that_does_not_draw_says_so_without_its_key(status, answer, problem):
    with Service(lambda _: (status, {}, answer)).running() as service:
        model = OpenAIImages("gpt-x", api_key=KEY, base_url=service.url)
        with pytest.raises(ImageFailed, match=problem) as caught:
            asyncio.run(drawn(model))
    assert KEY not in str(caught.value)


# -- DashScope -------------------------------------------------------------------------------------


def dashscope_service(status="SUCCEEDED"):
    def answer(asked):
        if asked["path"].endswith(".png"):
            return 200, {"Content-Type": "image/png"}, png()
        output: dict[str, Any] = {"task_id": "t1", "task_status": "PENDING"}
        if asked["method"] == "GET":
            results = [{"url": f"{service.url}/made.png"}]
            output = {"task_id": "t1", "task_status": status, "results": results}
        return 200, {}, {"request_id": "r1", "output": output, "usage": {"image_count": 1}}

    service = Service(answer)
    return service


def test_dashscope_draws_in_a_task_and_its_image_is_fetched():
    with dashscope_service().running() as service:
        model = DashScopeImages(api_key=KEY, base_url=service.url, allow_private=[service.host])
        images = asyncio.run(drawn(model))
    assert images == [png()]
    submitted, _, fetched = service.asked
    assert submitted["headers"]["authorization"] == f"Bearer {KEY}"
    assert json.loads(submitted["body"])["parameters"]["size"] == "64*64"
    assert "authorization" not in fetched["headers"]


def test_an_image_at_a_private_address_is_not_fetched():
    with dashscope_service().running() as service:
        model = DashScopeImages(api_key=KEY, base_url=service.url)
        with pytest.raises(ImageFailed, match="private address"):
            asyncio.run(drawn(model))
    assert len(service.asked) == 2


def test_a_task_that_fails_is_said():
    with dashscope_service("FAILED").running() as service:
        model = DashScopeImages(api_key=KEY, base_url=service.url)
        with pytest.raises(ImageFailed, match="could not draw"):
            asyncio.run(drawn(model))


@pytest.fixture
def sessions(monkeypatch):
    """The sessions of aiohttp that are opened."""
    opened, make = [], aiohttp.ClientSession.__init__

    def made(session, *args, **options):
        make(session, *args, **options)
        opened.append(session)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", made)
    return opened


@pytest.mark.filterwarnings("error::ResourceWarning")
@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
def test_dashscope_leaves_no_session_open(sessions, status):
    """An open one warns when the process ends."""
    with dashscope_service(status).running() as service:
        model = DashScopeImages(api_key=KEY, base_url=service.url, allow_private=[service.host])
        with contextlib.suppress(ImageFailed):
            asyncio.run(drawn(model))
    assert [session.closed for session in sessions] == [True]
    sessions.clear()
    gc.collect()


def test_dashscope_is_asked_at_the_address_of_each_model():
    """Two in one process do not share one."""
    with dashscope_service().running() as one, dashscope_service("FAILED").running() as other:
        works = DashScopeImages(api_key=KEY, base_url=one.url, allow_private=[one.host])
        fails = DashScopeImages(api_key=KEY, base_url=other.url, allow_private=[other.host])
        assert asyncio.run(drawn(works)) == [png()]
        with pytest.raises(ImageFailed):
            asyncio.run(drawn(fails))
    assert (len(one.asked), len(other.asked)) == (3, 2)


def test_a_key_that_dashscope_repeats_is_in_no_error_and_no_log(caplog):
    caplog.set_level(logging.DEBUG)
    refusal = {"code": "InvalidApiKey", "message": f"bad key {KEY}"}
    with Service(lambda _: (401, {"X-Key": KEY}, refusal)).running() as service:
        model = DashScopeImages(api_key=KEY, base_url=service.url)
        with pytest.raises(ImageFailed, match=r"refused \(401\)") as caught:
            asyncio.run(drawn(model))
    assert KEY not in str(caught.value) + caplog.text


def test_dashscope_wants_a_key(monkeypatch):
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    with pytest.raises(ToolError) as caught:
        DashScopeImages()
    assert caught.value.code == "credentials_missing"
