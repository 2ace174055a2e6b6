"""The web chat in ``examples/``, served on loopback and used as its page uses it."""

import json
import os
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from urllib.parse import quote

import pytest

from tests.guards.source import PROJECT

EXAMPLE = PROJECT / "examples" / "fastapi_chat"
FIRST = "Answer 1 to your question 1: you said “Why is the sky blue?”."


class Server:
    def __init__(self, folder, listening):
        self.port = listening.getsockname()[1]
        # The socket listens already, so whoever connects waits until the server has started.
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "--app-dir", str(EXAMPLE), "app:app"),
                *("--fd", str(listening.fileno()), "--log-level", "warning"),
            ],
            cwd=folder,
            env=os.environ | {"CHAT_DB": "sqlite:///chat.db", "CHAT_PAUSE": "0"},
            pass_fds=[listening.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @contextmanager
    def ask(self, path, body=None):
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            sent = None if body is None else json.dumps(body)
            headers = {"content-type": "application/json"}
            connection.request("GET" if body is None else "POST", path, sent, headers)
            with connection.getresponse() as answer:
                yield answer

    def json(self, path, body=None, *, status=200):
        with self.ask(path, body) as answer:
            said = answer.read()
        assert answer.status == status, said
        return json.loads(said)

    def streamed(self, path, body):
        """The lines of an answer, as they come."""
        with self.ask(path, body) as answer:
            return [json.loads(line) for line in answer]

    def begin(self, words="Why is the sky blue?"):
        thread = self.json("/threads", {"text": words})["id"]
        return thread, self.streamed(f"/threads/{thread}/messages", {"text": words})

    def shown(self, thread):
        newest_first = self.json(f"/threads/{thread}/messages")["messages"]
        return newest_first[::-1]

    def stop(self):
        self.process.terminate()
        told, _ = self.process.communicate(timeout=60)
        return told


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Server(tmp_path_factory.mktemp("chat"), listening)
    yield server
    assert server.stop() == ""


def test_it_has_a_page_that_loads_nothing_from_elsewhere(server):
    with server.ask("/") as answer:
        page = answer.read().decode()
    assert answer.status == 200
    assert "://" not in page
    assert " of ${message.of}" in page


def test_an_answer_is_streamed_and_then_stored(server):
    thread, lines = server.begin()
    assert lines[0]["question"]["text"] == "Why is the sky blue?"
    assert "".join(line.get("word", "") for line in lines).strip() == FIRST
    assert lines[-1]["answer"]["text"] == FIRST
    assert [message["text"] for message in server.shown(thread)] == ["Why is the sky blue?", FIRST]


def test_regenerate_edit_and_the_arrows(server):
    thread, lines = server.begin()
    question, first = lines[0]["question"]["id"], lines[-1]["answer"]["id"]
    path = f"/threads/{thread}/messages"

    *_, again = server.streamed(f"{path}/{first}/regenerate", {})
    assert (again["answer"]["number"], again["answer"]["of"]) == (2, 2)
    assert again["answer"]["text"].startswith("Answer 2 to your question 1")
    *_, third = server.streamed(f"{path}/{first}/regenerate", {})
    assert third["answer"]["of"] == 3

    server.json(f"{path}/{third['answer']['id']}/turn", {"by": -1})
    assert server.shown(thread)[-1] == again["answer"] | {"of": 3}  # "2 of 3"

    *_, edited = server.streamed(f"{path}/{question}/edit", {"text": "Why are sunsets red?"})
    asked, answer = server.shown(thread)
    assert (asked["text"], asked["number"], asked["of"]) == ("Why are sunsets red?", 2, 2)
    assert answer == edited["answer"]

    server.json(f"{path}/{asked['id']}/turn", {"by": -1})
    assert server.shown(thread)[0]["text"] == "Why is the sky blue?"
    assert server.shown(thread)[-1]["number"] == 2


def test_a_question_that_is_sent_twice_is_stored_once(server):
    thread, _ = server.begin()
    said = {"text": "And at night?", "key": f"{thread}-1"}
    first, second = (server.streamed(f"/threads/{thread}/messages", said) for _ in range(2))
    assert first[0]["question"]["id"] == second[0]["question"]["id"]
    *_, question, answer = server.shown(thread)
    assert (question["text"], question["of"]) == ("And at night?", 1)
    assert answer["of"] == 2


def test_long_conversations_and_lists_come_in_pages(server):
    before, _ = server.begin("Before")
    thread, _ = server.begin("First")
    for number in range(3):
        server.streamed(f"/threads/{thread}/messages", {"text": f"More {number}"})
    path, seen = f"/threads/{thread}/messages?limit=3", []
    page = server.json(path)
    while True:
        seen += page["messages"]
        if page["next"] is None:
            break
        page = server.json(f"{path}&after={quote(page['next'])}")
    assert seen[::-1] == server.shown(thread)
    assert len(seen) == 8

    newest = server.json("/threads?limit=1")
    assert newest["threads"] == [{"id": thread, "title": "First"}]
    older = server.json(f"/threads?limit=1&after={quote(newest['next'])}")
    assert older["threads"] == [{"id": before, "title": "Before"}]


def test_search_finds_what_was_said(server):
    thread, lines = server.begin("Is a platypus a mammal?")
    while len(hits := server.json("/search?q=platypus")["hits"]) < 2:
        pass  # the index follows the log; each round asks the server again
    assert {hit["thread_id"] for hit in hits} == {thread}
    assert {hit["message_id"] for hit in hits} == {
        lines[0]["question"]["id"],
        lines[-1]["answer"]["id"],
    }
    assert "[platypus]" in hits[0]["snippet"]


def test_errors_are_sentences_with_a_fitting_status(server):
    thread, lines = server.begin()
    unknown = "thread_" + "0" * 32
    assert "error" in server.json(f"/threads/{unknown}/messages", status=404)
    assert "error" in server.json("/threads?after=nonsense", status=422)
    question = lines[0]["question"]["id"]
    path = f"/threads/{thread}/messages/{question}/regenerate"
    assert server.json(path, {}, status=409) == {"error": "Only an answer can be regenerated."}


def test_an_answer_is_complete_though_the_reader_went_away(server):
    thread = server.json("/threads", {"text": "Hello"})["id"]
    with server.ask(f"/threads/{thread}/messages", {"text": "Hello"}) as answer:
        answer.readline()
    while len(shown := server.shown(thread)) < 2:
        pass  # each round asks the server again
    assert shown[1]["text"] == "Answer 1 to your question 1: you said “Hello”."
