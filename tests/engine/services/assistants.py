"""An assistant with all kinds of tools: a kernel, a plug-in, an MCP server, and images.

Each thing that is stored of them holds a word of its own, so that its bytes can be looked for.
"""

import base64
import json
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

from eventstore import ConversationStore, Run, RunEvent
from eventstore.engine import Engine
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.models.scripted import Answer
from eventstore.engine.tools.code_interpreter import CodeInterpreter, CodeLimits
from eventstore.engine.tools.images import TextToImage
from eventstore.engine.tools.images.openai_images import OpenAIImages
from eventstore.engine.tools.images.scripted import png
from eventstore.engine.tools.mcp_server import McpServer
from eventstore.engine.tools.plugins import Plugin
from tests.engine.services.http_services import Service

HERE = Path(__file__).parent
SECRET = "s3cret-of-a-user"
"""A credential of the plug-in."""
KEY = "k3y-of-an-image-service"
TOOLS = [{"type": name} for name in ("code_interpreter", "petstore", "shop", "text_to_image")]


def word(name: str) -> str:
    """A word that stands nowhere else, three times: one may cross the border of a page."""
    return " ".join([f"{name}_zqvjx"] * 3)


SALES = f"day,sold,who\n1,4,{word('customer')}\n2,5,x\n3,6,x\n".encode()
CODE = (
    f"import csv  # {word('code')}\nrows = list(csv.DictReader(open('sales.csv')))",
    f"print('{word('out')}'.replace('out', 'printed'))\nsum(int(row['sold']) for row in rows)",
    "import matplotlib.pyplot as plt\nplt.plot([int(row['sold']) for row in rows])\nplt.show()",
    "open('report.txt', 'w').write(f'sold by {rows[0]}');",
)
APPROVED, DENIED = word("approved"), word("denied")


def _calls(*wanted: tuple[str, str, Any]) -> Answer:
    return [ToolCall(call_id, name, json.dumps(given)) for call_id, name, given in wanted]


SCRIPT: list[Answer] = [
    *(_calls((f"code_{n}", "code_interpreter", {"code": code})) for n, code in enumerate(CODE, 1)),
    _calls(("pet", "getPet", {"id": "7"})),
    _calls(
        ("add", "addPet", {"body": {"name": word("pet")}}),
        ("delete", "deletePet", {"id": word("argument")}),
    ),
    _calls(("sum", "shop__add", {"a": 1, "b": 2}), ("note", "shop__note", {})),
    _calls(("image", "text_to_image", {"prompt": word("prompt"), "size": "64x64"})),
    f"Sold 15. {word('answer')}",
]


class Answered(NamedTuple):
    """A run that has used each kind of tool."""

    run: Run
    model: Any
    seen: list[RunEvent]
    """Events that a reader was given while it went on."""

    def result(self, call_id: str) -> list[Any]:
        """The parts with which a tool answered."""
        for message in self.model.requests[-1].messages:
            if message.role == "tool" and message.content[0].call_id == call_id:
                return list(message.content)
        raise LookupError(call_id)


@contextmanager
def tools():
    """All kinds of tools, for an engine, which closes them."""
    with ExitStack() as stack:
        pets = stack.enter_context(Service(_as_pet_store).running())
        painter = stack.enter_context(Service(_as_painter).running())
        yield (
            CodeInterpreter(limits=CodeLimits(kernels_max=1)),
            Plugin(
                "petstore",
                HERE / "petstore.json",
                server=pets.url,
                credentials=lambda _: SECRET,
                allow_private=[pets.host],
                approval=["addPet", "deletePet"],
            ),
            McpServer("shop", command=[sys.executable, str(HERE / "mcp_stdio.py")]),
            TextToImage(OpenAIImages("any", api_key=KEY, base_url=painter.url), sizes=["64x64"]),
        )


def _as_pet_store(asked: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    """Repeat all that was sent, as careless services do."""
    repeated = {"X-Asked": asked["headers"].get("authorization", "")}
    return 200, repeated, {**asked, "who": word("answered")}


def _as_painter(_: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    return 200, {}, {"created": 1, "data": [{"b64_json": base64.b64encode(PICTURE).decode()}]}


PICTURE = png("a cat", 64, 64)


def answered(store: ConversationStore) -> Answered:
    """Let an assistant use each tool, while a reader follows and a person decides."""
    file = f"data:text/csv;base64,{base64.b64encode(SALES).decode()}"
    question = ["Sum it up.", {"type": "file", "file_id": file, "name": "sales.csv"}]
    thread = store.threads.create(messages=[{"role": "user", "content": question}])
    assistant = store.assistants.create(model="m", tools=TOOLS)
    model = ScriptedModel(SCRIPT)
    seen: list[RunEvent] = []

    def follow() -> None:
        after = seen[-1].cursor if seen else None
        seen.extend(store.runs.stream(thread.id, run.id, after=after))

    with tools() as given, Engine(store, tools=given, models={"m": model}) as engine:
        run = engine.run(thread.id, assistant.id, settings={"steps_max": 100})
        reader = Thread(target=follow)
        reader.start()
        waits = engine.execute(thread.id, run.id)
        reader.join()
        assert [(one.call_id, one.reason) for one in waits.required_actions] == [
            ("add", "approval"),
            ("delete", "approval"),
        ]
        store.runs.approve(thread.id, run.id, "add", actor="officer", reason=APPROVED)
        store.runs.deny(thread.id, run.id, "delete", actor="officer", reason=DENIED)
        reader = Thread(target=follow)
        reader.start()
        run = engine.execute(thread.id, run.id)
        reader.join()
    assert run.status == "completed", run
    return Answered(run, model, seen)


def stored_words(answer: Answered) -> dict[str, list[bytes]]:
    """The bytes of each thing that is stored, by its name: any of several is enough to find it."""
    plain = ("code", "printed", "pet", "argument", "answered", "approved", "denied", "prompt")
    found = {name: [f"{name}_zqvjx".encode()] for name in (*plain, "answer")}
    found["note"] = [b"buy milk"]
    [_, plot], [_, report] = answer.result("code_3"), answer.result("code_4")
    [_, image] = answer.result("image")
    addresses = {"plot": plot.url, "report": report.file_id, "image": image.url}
    addresses["file"] = base64.b64encode(SALES).decode()
    for name, address in addresses.items():
        held = address.rpartition(",")[2]
        third = len(held) // 3
        found[name] = [held[n * third : n * third + 24].encode() for n in range(3)]
    return found


def names_in(found: dict[str, list[bytes]], raw: bytes) -> set[str]:
    """The names of the things whose bytes stand somewhere."""
    return {name for name, words in found.items() if any(each in raw for each in words)}
