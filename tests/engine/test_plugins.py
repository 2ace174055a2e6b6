"""Plug-ins: an OpenAPI description becomes tools, and requests go where they may."""

import asyncio
import ipaddress
import json
import logging
from asyncio import base_events
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from eventstore import InvalidInput, ToolError, ToolResultPart
from eventstore.engine import Engine, ToolContext, tool
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.tools import InvalidArguments
from eventstore.engine.tools.plugins import Auth, Plugin, quark_search
from eventstore.engine.tools.plugins.guarded_http import Gate, HttpFailed, is_public
from tests.engine.services.http_services import Service

PETS = Path(__file__).parent / "services" / "petstore.json"
SECRET = "s3cret/of=a+user"
NOWHERE = ToolContext(store=None, thread_id="t", run_id="r", call_id="c", tenant="")


def shop(asked):
    """Answer as a pet store, and repeat all that was sent, as careless services do."""
    return 200, {}, {"asked": asked["path"], "headers": asked["headers"], "body": asked["body"]}


@pytest.fixture
def service():
    with Service(shop).running() as service:
        yield service


def plugin(service, **options):
    own: dict[str, Any] = {"credentials": lambda _: SECRET, "allow_private": [service.host]}
    options = own | options
    return Plugin("petstore", PETS, server=service.url, **options)


def call(plugin, name, arguments):
    tool = plugin.tool(name)
    assert tool is not None
    return asyncio.run(tool.call(arguments, NOWHERE))


# -- descriptions ----------------------------------------------------------------------------------


def test_operations_become_functions(service):
    tools = {one.name: one.definition["function"] for one in plugin(service).tools}
    assert set(tools) == {"listPets", "addPet", "getPet", "deletePet"}
    assert tools["getPet"]["parameters"] == {
        "type": "object",
        "properties": {"id": {"type": "string"}},
        "required": ["id"],
        "additionalProperties": False,
    }
    assert set(tools["listPets"]["parameters"]["properties"]) == {"tags", "limit", "X-Shop"}
    assert tools["addPet"]["parameters"]["properties"]["body"]["properties"]["name"] == {
        "type": "string"
    }
    assert tools["listPets"]["description"] == "List pets."


def test_only_named_operations_become_tools(service):
    assert [one.name for one in plugin(service, operations=["getPet"]).tools] == ["getPet"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"openapi": "2.0"}, "no OpenAPI 3"),
        ({"paths": {}}, "no operation"),
        ({"servers": [{"url": "ftp://pets.invalid"}]}, "no server"),
        ({"servers": [{"url": "https://user:pw@pets.invalid"}]}, "more than a host"),
        ({"paths": {"/a": {"$ref": "https://elsewhere.invalid/a.json"}}}, "another document"),
        ({"paths": {"/a": {"$ref": "#/paths/~1a"}}}, "refers to itself"),
        ({"servers": [{"url": "http://pets.invalid"}]}, "without TLS"),
    ],
)
def test_an_unusable_description_is_refused(changes, problem):
    with pytest.raises(ToolError, match=problem) as caught:
        Plugin("petstore", json.loads(PETS.read_text()) | changes)
    assert caught.value.code == "bad_description"


def test_plugins_with_operations_of_the_same_name_are_kept_apart(store, thread, service):
    """Else a call would go to either service, with its credentials."""
    other = Plugin("other", PETS, server=service.url, allow_private=[service.host])
    function = tool(name="getPet")(lambda: "a function")
    for taken in (other, function):
        with pytest.raises(InvalidInput, match=r"(listPets|getPet) of petstore is also"):
            Engine(store, tools=[plugin(service), taken])
    with pytest.raises(InvalidInput):
        plugin(service, prefix="a b")
    with Service(shop).running() as elsewhere:
        mine = Plugin(
            "mine",
            PETS,
            server=elsewhere.url,
            allow_private=[elsewhere.host],
            credentials=lambda _: SECRET,
            approval=["deletePet"],
            prefix="my_",
        )
        assert [one.approval for one in mine.tools] == [False, False, False, True]
        model = ScriptedModel([[ToolCall("c1", "my_getPet", '{"id": "1"}')], "There."])
        with Engine(store, tools=[plugin(service), mine], models={"m": model}) as engine:
            run = engine.run(thread.id, model="m", tools=[{"type": "mine"}])
            engine.execute(thread.id, run.id)
        assert [one["path"] for one in elsewhere.asked] == ["/pets/1"]
    assert service.asked == []


def test_an_id_is_a_plain_one():
    with pytest.raises(InvalidInput):
        Plugin("a b", PETS)


# -- requests --------------------------------------------------------------------------------------


def test_arguments_go_to_path_query_headers_and_body(service):
    shop = plugin(service)
    call(shop, "getPet", {"id": "a/../b?c=1#d"})
    call(shop, "listPets", {"tags": ["x&y", "ü"], "limit": 3, "X-Shop": "north"})
    call(shop, "addPet", {"body": {"name": "Änne"}})
    paths = [asked["path"] for asked in service.asked]
    assert paths == [
        "/pets/a%2F..%2Fb%3Fc%3D1%23d",
        "/pets?tags=x%26y&tags=%C3%BC&limit=3",
        "/pets",
    ]
    assert service.asked[1]["headers"]["x-shop"] == "north"
    assert json.loads(service.asked[2]["body"]) == {"name": "Änne"}
    assert {asked["headers"]["authorization"] for asked in service.asked} == {f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        ("getPet", {}, "id is missing"),
        ("getPet", {"id": ".."}, "cannot be a part of a path"),
        ("listPets", {"X-Shop": "a\r\nHost: b"}, "cannot be a header"),
        ("listPets", {"Authorization": "mine"}, "Authorization is unknown"),
        ("getPet", "text", "not a JSON object"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(service, name, arguments, problem):
    with pytest.raises(InvalidArguments, match=problem):
        call(plugin(service), name, arguments)
    assert service.asked == []


def test_credentials_may_stand_in_a_header_or_in_the_query(service):
    call(plugin(service, auth=Auth("header", "X-Key")), "getPet", {"id": "1"})
    call(plugin(service, auth=Auth("query", "key")), "getPet", {"id": "1"})
    assert service.asked[0]["headers"]["x-key"] == SECRET
    assert service.asked[1]["path"] == "/pets/1?key=s3cret%2Fof%3Da%2Buser"


def test_an_operation_that_wants_no_credentials_is_sent_none(service):
    pets = json.loads(PETS.read_text())
    pets["paths"]["/pets"]["get"]["security"] = []
    own = Plugin("petstore", pets, server=service.url, allow_private=[service.host])
    assert call(own, "listPets", {}).status == "completed"
    assert "authorization" not in service.asked[0]["headers"]
    with pytest.raises(ToolError):
        call(own, "getPet", {"id": "1"})


def test_an_error_of_the_service_is_a_failed_result():
    with Service(lambda _: (404, {}, {"error": "no such pet"})).running() as missing:
        answer = call(plugin(missing), "getPet", {"id": "1"})
    assert (answer.status, answer.output) == (
        "failed",
        {"status": 404, "body": {"error": "no such pet"}},
    )


@pytest.fixture
def _hasty(monkeypatch):
    """Wait for nothing between two tries."""
    monkeypatch.setattr("eventstore.engine.tools.plugins.plugin._WAIT_SECONDS", 0)


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("failure", [httpcore2.ConnectError, httpcore2.ReadError])
def test_a_connection_that_breaks_is_made_again_for_what_may_be_repeated(
    service, monkeypatch, failure
):
    tried = []

    async def connects(*_, **__):
        tried.append(1)
        raise failure

    shop = plugin(service)
    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connects)
    assert call(shop, "getPet", {"id": "1"}).status == "failed"
    assert len(tried) == 3
    assert call(shop, "addPet", {"body": {"name": "a"}}).status == "failed"
    assert len(tried) == 4


@pytest.mark.usefixtures("_hasty")
def test_what_may_be_repeated_is_asked_again_and_nothing_else():
    answers = iter([503, 503, 200, 503])
    with Service(lambda _: (next(answers), {}, {})).running() as shaky:
        shop = plugin(shaky)
        assert call(shop, "getPet", {"id": "1"}).status == "completed"
        assert call(shop, "addPet", {"body": {"name": "a"}}).status == "failed"
    assert [asked["method"] for asked in shaky.asked] == ["GET", "GET", "GET", "POST"]
    assert {one.name: one.repeatable for one in shop.tools} == {
        "listPets": True,
        "addPet": False,
        "getPet": True,
        "deletePet": True,
    }


# -- where requests may go -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1"),
        *("::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:53aa::1", "ff02::1"),
    ],
)
def test_an_address_that_is_not_of_the_internet_is_private(address):
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101"])
def test_other_addresses_are_public(address):
    assert is_public(ipaddress.ip_address(address))


def asked_through(gate, url):
    return asyncio.run(gate.request("GET", url, {}, None))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433"])
def test_a_private_address_is_refused_however_it_is_written(service, host):
    port = service.host.rpartition(":")[2]
    gate = Gate([], timeout_seconds=5, bytes_max=1000)
    with pytest.raises(HttpFailed, match=r"private address|does not resolve"):
        asked_through(gate, f"http://{host}:{port}/")
    assert service.asked == []


def test_a_host_is_allowed_by_name_with_port_or_without(monkeypatch):
    connected = []

    async def connects(_, host, port, *__, **___):
        connected.append((host, port))
        raise httpcore2.ConnectError

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connects)
    for allowed in ("127.0.0.1", "127.0.0.1:80", "[::1]", "[::1]:80", "::1"):
        gate = Gate([allowed], timeout_seconds=5, bytes_max=1000)
        host = "[::1]" if "::1" in allowed else "127.0.0.1"
        with pytest.raises(HttpFailed, match="cannot be reached"):
            asked_through(gate, f"http://{host}:80/")
    assert set(connected) == {("127.0.0.1", 80), ("::1", 80)}


def test_the_address_that_is_checked_is_the_one_connected_to(service, monkeypatch):
    """A name that is public when it is looked at, and private when it is connected to."""
    port = int(service.host.rpartition(":")[2])
    answers = iter(["93.184.215.14", "127.0.0.1"])
    connected = []

    async def resolves(_, __, asked_port, **___):
        return [(2, 1, 6, "", (next(answers), asked_port))]

    async def connects(_, host, *__, **___):
        connected.append(host)
        raise OSError("nobody there")

    monkeypatch.setattr(base_events.BaseEventLoop, "getaddrinfo", resolves)
    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connects)
    gate = Gate([], timeout_seconds=5, bytes_max=1000)
    with pytest.raises(OSError, match="nobody there"):
        asked_through(gate, f"http://rebinding.invalid:{port}/")
    assert connected == ["93.184.215.14"]


def test_redirects_are_refused(service):
    moved = {"Location": f"{service.url}/pets"}
    with Service(lambda _: (302, moved, {})).running() as mover:
        answer = call(plugin(mover), "getPet", {"id": "1"})
    assert (answer.status, answer.output) == (
        "failed",
        {"error": "The service redirects (302), which is refused."},
    )
    assert service.asked == []


def test_an_answer_that_is_too_large_is_refused():
    with Service(lambda _: (200, {}, b"x" * 100_000)).running() as large:
        answer = call(plugin(large, answer_bytes_max=50_000), "getPet", {"id": "1"})
    assert answer.output == {"error": "The answer has more than 50,000 bytes, which is refused."}


def test_an_answer_that_is_compressed_is_refused():
    with Service(lambda _: (200, {"Content-Encoding": "gzip"}, b"x")).running() as packed:
        answer = call(plugin(packed), "getPet", {"id": "1"})
    assert answer.output == {"error": "The answer is compressed, which was not asked for."}


# -- through an engine -----------------------------------------------------------------------------


def test_an_assistant_lists_a_plugin_by_its_id(store, service):
    thread = store.threads.create(messages=[{"role": "user", "content": "Which pets?"}])
    assistant = store.assistants.create(model="m", tools=[{"type": "petstore"}])
    arguments = json.dumps({"tags": ["cat"]})
    model = ScriptedModel([[ToolCall("call_1", "listPets", arguments)], "None."])
    with Engine(store, tools=[plugin(service)], models={"m": model}) as engine:
        run = engine.run(thread.id, assistant.id)
        run = engine.execute(thread.id, run.id)
    assert run.status == "completed", run
    assert [asked["path"] for asked in service.asked] == ["/pets?tags=cat"]
    offered = [one["function"]["name"] for one in model.requests[0].tools]
    assert offered == ["listPets", "addPet", "getPet", "deletePet"]
    assert model.requests[1].tools == model.requests[0].tools
    first = store.runs.steps.list(thread.id, run.id)[0]
    assert [one["function"]["name"] for one in first.details["tools"]] == offered


def test_credentials_are_nowhere_but_in_the_request(store, url, service, caplog):
    """Neither in the database, nor in logs, nor in what the model sees."""
    caplog.set_level(logging.DEBUG)
    thread = store.threads.create(messages=[{"role": "user", "content": "Which pets?"}])
    model = ScriptedModel(
        [[ToolCall("c1", "listPets", "{}")], [ToolCall("c2", "getPet", '{"id": "1"}')], "None."]
    )
    with Engine(store, tools=[plugin(service)], models={"m": model}) as engine:
        run = engine.run(thread.id, model="m", tools=[{"type": "petstore"}])
        run = engine.execute(thread.id, run.id)
    assert run.status == "completed"
    assert service.asked[0]["headers"]["authorization"] == f"Bearer {SECRET}"
    [result] = model.requests[1].messages[-1].content
    assert isinstance(result, ToolResultPart)
    assert result.output["body"]["headers"]["authorization"] == "Bearer [credentials]"
    store.close()
    folder = Path(url.removeprefix("sqlite:///")).parent
    for file in folder.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file
    assert SECRET not in caplog.text
    assert SECRET not in repr(plugin(service).tools)


def raising(_):
    raise LookupError(f"the vault refuses {SECRET}")


@pytest.mark.parametrize(
    "credentials",
    [None, lambda _: None, lambda _: "a\nb", lambda _: 7, raising],
    ids=["no callback", "none for this run", "not a token", "no text", "an error"],
)
def test_without_credentials_the_run_fails(store, service, credentials):
    thread = store.threads.create(messages=[{"role": "user", "content": "Which pets?"}])
    model = ScriptedModel([[ToolCall("c1", "listPets", "{}")], "None."])
    with Engine(
        store, tools=[plugin(service, credentials=credentials)], models={"m": model}
    ) as engine:
        run = engine.run(thread.id, model="m", tools=[{"type": "petstore"}])
        run = engine.execute(thread.id, run.id)
    assert run.error is not None
    assert (run.status, run.error.code) == ("failed", "credentials_missing")
    assert SECRET not in str(run.error)
    assert service.asked == []


def test_credentials_are_asked_for_each_run(service):
    asked = []

    async def credentials(call):
        asked.append((call.plugin, call.operation, call.context.run_id))
        return "token"

    call(plugin(service, credentials=credentials), "getPet", {"id": "1"})
    assert asked == [("petstore", "getPet", "r")]


def test_a_search_of_the_web_is_a_plugin(service):
    search = quark_search(
        service.url, credentials=lambda _: "token", id="search", allow_private=[service.host]
    )
    assert search.type == "search"
    answer = call(search, "web_search", {"q": "event sourcing", "limit": 3})
    assert answer.output["body"]["asked"] == "/search?q=event%20sourcing&limit=3"


def test_an_assistant_lists_the_search_under_either_name(service, store, thread):
    search = quark_search(service.url, credentials=lambda _: "token", allow_private=[service.host])
    for name in ("quark_search", "search"):
        model = ScriptedModel([[ToolCall(f"c_{name}", "web_search", '{"q": "x"}')], "Found."])
        store.messages.create(thread.id, role="user", content="Search.")
        with Engine(store, models={"m": model}, tools=[search]) as engine:
            run = engine.run(thread.id, model="m", tools=[{"type": name}])
            assert store.runs.wait(thread.id, run.id, timeout_seconds=30).status == "completed"
        assert (
            store.messages.list(thread.id)[-2].content[0].output["body"]["asked"] == "/search?q=x"
        )


@pytest.mark.parametrize("where", ["a new assistant", "an assistant", "a run", "an engine's run"])
def test_credentials_in_a_definition_are_refused_before_they_are_recorded(store, thread, where):
    tools = [{"type": "petstore", "auth": {"type": "user_http", "user_token": SECRET}}]
    known = store.assistants.create(model="m")
    with Engine(store, models={"m": ScriptedModel([])}) as engine:
        act = {
            "a new assistant": lambda: store.assistants.create(model="m", tools=tools),
            "an assistant": lambda: store.assistants.update(known.id, tools=tools),
            "a run": lambda: store.runs.create(thread.id, model="m", tools=tools),
            "an engine's run": lambda: engine.run(thread.id, model="m", tools=tools),
        }[where]
        with pytest.raises(InvalidInput, match=r"tools\[0\].auth: holds credentials") as caught:
            act()
    assert SECRET not in str(caught.value)
    assert SECRET not in repr([event.content for event in store.events.read_all()])
