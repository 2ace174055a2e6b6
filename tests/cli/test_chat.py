"""`eventstore chat` and `eventstore runs`, against a server whose answers are written down."""

import json
import sys
from pathlib import Path

import pytest

from eventstore import ConversationStore
from eventstore.testing.model_server import ModelServer, calls, refuses, says
from tests.engine.services.http_services import Service

TOOLS = """
from eventstore.engine import tool

@tool
def weather(city: str) -> str:
    "Weather in a city."
    return "4 °C, rain"

@tool
def clock(city: str) -> str:
    "Time in a city."
    raise RuntimeError("no clock")

@tool(approval=True)
def delete(name: str) -> str:
    "Delete a file."
    return f"{name} is gone"

TOOLS = [weather, clock, delete]
"""


@pytest.fixture
def chat(tmp_path, run, monkeypatch):
    """Type lines into a chat whose model gives written answers; return what appears."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def chat(lines, script, *options):
        with ModelServer(script) as server:
            endpoint = ("--model", "tiny", "--base-url", server.base_url)
            return run("chat", *endpoint, *options, stdin="\n".join(lines))

    return chat


@pytest.fixture
def store(tmp_path):
    with ConversationStore.open(f"sqlite:///{tmp_path / 'chat.db'}") as store:
        yield store


def shown(result):
    assert result.exit_code == 0, result.output
    return result.output


def test_an_answer_another_and_the_way_back(chat, store):
    lines = ["Hello?", "/again", "<", "/edit Bye?", "/tree", "/quit"]
    said = shown(chat(lines, [says("First."), says("Second."), says("Goodbye.")]))
    assert "tiny: First." in said
    assert "tiny: Second.\n  ◀ 2/2 ▶" in said
    assert "2 assistant  First." in said
    assert "◀ 1/2 ▶" in said
    assert "tiny: Goodbye." in said
    thread = store.threads.list().data[0]
    assert f"eventstore chat {thread.id[7:15]}" in said
    path = [message.text for message in store.messages.list(thread.id)]
    assert path == ["Bye?", "Goodbye."]
    assert len(store.branches.tree(thread.id).nodes) == 5


def test_tools_are_seen_at_work_and_so_are_their_failures(chat, tmp_path):
    (tmp_path / "chat_tools.py").write_text(TOOLS, encoding="utf-8")
    wanted = [("c1", "weather", '{"city": "Oslo"}'), ("c2", "clock", '{"city": "Oslo"}')]
    script = [calls(*wanted), says("It rains.")]
    said = shown(chat(["Weather?"], script, "--tools", "chat_tools:TOOLS"))
    assert '  calls weather(city="Oslo")\n  calls clock(city="Oslo")\n' in said
    assert "  weather → 4 °C, rain\n" in said
    assert "  clock → " in said
    assert "(failed)" in said
    assert "tiny: It rains." in said


@pytest.mark.parametrize(
    ("said", "comes"), [("y", "delete → a.txt is gone"), ("", "did not allow this call. (failed)")]
)
def test_a_call_that_needs_approval_is_made_if_the_user_allows_it(chat, tmp_path, said, comes):
    (tmp_path / "chat_tools_2.py").write_text(TOOLS, encoding="utf-8")
    script = [calls(("c1", "delete", '{"name": "a.txt"}')), says("Done.")]
    appears = shown(chat(["Delete it", said, "/quit"], script, "--tools", "chat_tools_2:TOOLS"))
    assert "Allow the call c1? [y/N]" in appears
    assert comes in appears
    assert "tiny: Done." in appears


def test_what_cannot_be_done_is_said_and_the_chat_goes_on(chat):
    lines = ["/again", "<", "/edit 9 x", "/what", "Hello?", "/quit"]
    said = shown(chat(lines, [refuses(401, code="invalid_api_key", message="secret words")]))
    assert said.count("There is no question yet.") == 3
    assert "another answer to the last question" in said
    assert "invalid_api_key: tiny at 127.0.0.1" in said
    assert "secret words" not in said


def test_a_thread_goes_on_where_it_was(chat, store):
    shown(chat(["Hello?"], [says("First.")]))
    thread = store.threads.list().data[0].id
    with_it = shown(chat(["More?"], [says("Second.")], thread[:15]))
    assert "  1 user       Hello?\n  2 assistant  First.\n" in with_it
    assert [m.text for m in store.messages.list(thread)] == ["Hello?", "First.", "More?", "Second."]


def test_a_missing_key_and_missing_tools_are_said_at_once(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("chat", DASHSCOPE_API_KEY="")
    assert result.exit_code == 1
    assert "DASHSCOPE_API_KEY holds no API key for qwen-plus" in " ".join(result.output.split())
    result = run("chat", "--tools", "no_such_module:TOOLS", DASHSCOPE_API_KEY="x")
    assert result.exit_code == 1
    assert "--tools: 'no_such_module:TOOLS' cannot be imported" in " ".join(result.output.split())


def test_runs_are_listed_shown_and_followed(chat, run, store):
    shown(chat(["Hello?", "/again"], [says("First."), refuses(401)]))
    thread = store.threads.list().data[0].id
    completed, failed = store.runs.list(thread)
    listed = shown(run("runs", "list", thread)).splitlines()
    assert listed[1].split()[:2] == [f"run…{completed.id[-6:]}", "completed"]
    assert listed[2].split()[:2] == [f"run…{failed.id[-6:]}", "failed"]
    assert "7 + 5" in listed[1]
    assert max(map(len, listed)) <= 80

    one = shown(run("runs", "show", thread, completed.id[-6:]))
    assert one.startswith("tiny: completed\n")
    assert "message_creation  completed" in one
    newest = shown(run("runs", "show", thread))
    assert "invalid_api_key" in newest

    assert shown(run("runs", "follow", thread, completed.id)) == "tiny: First.\n  (completed)\n"
    lines = shown(run("runs", "follow", thread, completed.id, "--json")).splitlines()
    events = [json.loads(line) for line in lines]
    assert "".join(e["text"] for e in events if e["type"] == "message.delta") == "First."
    cursor = next(e["cursor"] for e in events if e["type"] == "message.delta")
    rest = shown(run("runs", "follow", thread, completed.id, "--after", cursor))
    assert rest == "  (completed)\n"


@pytest.mark.parametrize("command", ["show", "follow"])
def test_a_run_that_is_not_there_is_said(run, store, tmp_path, command):
    thread = store.threads.create().id
    for name in ((), ("run_0123",)):
        result = run("runs", command, thread, *name, "--db", str(tmp_path / "chat.db"))
        assert result.exit_code == 1
        assert "RunNotFound: no run" in result.output


def test_runs_that_have_not_ended_are_found_in_all_threads(run, store, tmp_path):
    database = ("--db", str(tmp_path / "chat.db"))
    waiting, dead = (store.threads.create().id for _ in range(2))
    queued = store.runs.create(waiting, model="tiny")
    begun = store.runs.create(dead, model="tiny")
    store.runs.start(dead, begun.id, holder="w1", lease_seconds=0.001)
    listed = shown(run("runs", "list", *database))
    assert [line.split()[1] for line in listed.splitlines()[1:]] == [
        f"run…{one.id[-6:]}" for one in (queued, begun)
    ]
    assert max(map(len, listed.splitlines())) <= 80
    while not store.runs.list(lease_ended=True).data:
        pass
    stuck = shown(run("runs", "list", "--stuck", "--json", *database)).splitlines()
    assert [json.loads(line)["id"] for line in stuck] == [begun.id]


def test_tools_of_the_library_are_named_on_the_command_line(chat, tmp_path, monkeypatch):
    """Code that runs in a kernel, a plug-in from a file, and a server on stdio, in one chat."""
    monkeypatch.setenv("PETS_TOKEN", "s3cret-of-a-user")
    services = Path(__file__).parents[1] / "engine" / "services"
    with Service(lambda _: (200, {}, {"name": "Tom"})).running() as service:
        pets = json.loads((services / "petstore.json").read_text(encoding="utf-8"))
        pets["servers"] = [{"url": service.url.replace("http://", "https://")}]
        (tmp_path / "pets.json").write_text(json.dumps(pets), encoding="utf-8")
        wanted = [
            ("c1", "code_interpreter", '{"code": "6 * 7"}'),
            ("c2", "getPet", '{"id": "1"}'),
            ("c3", "mcp1__add", '{"a": 1, "b": 2}'),
        ]
        options = ("--tool", "code_interpreter", "--plugin", "pets.json")
        server = f"{sys.executable} {services / 'mcp_stdio.py'}"
        script = [calls(*wanted), says("There.")]
        said = shown(chat(["Go."], script, *options, "--mcp", server))
    assert "42" in said
    assert "private address" in said  # as it should be: a plug-in does not reach this machine
    assert "tiny: There." in said
    assert service.asked == []


def test_a_tool_of_the_library_that_does_not_exist_is_said(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("chat", "--tool", "telepathy", DASHSCOPE_API_KEY="x")
    assert result.exit_code != 0
    assert "'telepathy' is not known" in result.output
