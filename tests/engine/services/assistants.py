"""An assistant with all kinds of tools, and the conversation that uses each."""

import base64
import json
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

from eventstore.engine import Engine
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.tools.code_interpreter import CodeInterpreter, CodeLimits
from eventstore.engine.tools.images import ScriptedImages, TextToImage
from eventstore.engine.tools.mcp_server import McpServer
from eventstore.engine.tools.plugins import Plugin
from tests.engine.services.http_services import Service

HERE = Path(__file__).parent
SALES = b"month,sold\n1,3\n2,4\n3,8\n"
SECRET = "s3cret-of-a-user"
TOOLS = [{"type": name} for name in ("code_interpreter", "petstore", "shop", "text_to_image")]
CALLS = (
    ("code_interpreter", {"code": "import csv\nrows = list(csv.DictReader(open('sales.csv')))"}),
    ("code_interpreter", {"code": "sold = [int(row['sold']) for row in rows]\nsum(sold)"}),
    (
        "code_interpreter",
        {"code": "import matplotlib.pyplot as plt\nplt.plot(sold)\nplt.show()"},
    ),
    ("code_interpreter", {"code": "open('report.txt', 'w').write(f'sold {sum(sold)}');"}),
    ("getPet", {"id": "7"}),
    ("shop__add", {"a": 1, "b": 2}),
    ("text_to_image", {"prompt": "a cat", "size": "64x64"}),
)


@contextmanager
def tools(limits=None):
    """All kinds of tools, for an engine, which closes them."""
    with ExitStack() as stack:
        service = stack.enter_context(Service(lambda asked: (200, {}, asked)).running())
        yield (
            CodeInterpreter(limits=limits or CodeLimits(kernels_max=1)),
            Plugin(
                "petstore",
                HERE / "petstore.json",
                server=service.url,
                credentials=lambda _: SECRET,
                allow_private=[service.host],
            ),
            McpServer("shop", command=[sys.executable, str(HERE / "mcp_stdio.py")]),
            TextToImage(ScriptedImages(), sizes=["64x64"]),
        )


def answered(store):
    """Let an assistant use each tool; return the run, the model, and the results it saw."""
    file = f"data:text/csv;base64,{base64.b64encode(SALES).decode()}"
    question = ["Sum it up.", {"type": "file", "file_id": file, "name": "sales.csv"}]
    thread = store.threads.create(messages=[{"role": "user", "content": question}])
    assistant = store.assistants.create(model="m", tools=TOOLS)
    script = [[ToolCall(f"c{n}", name, json.dumps(given))] for n, (name, given) in enumerate(CALLS)]
    model = ScriptedModel([*script, "Sold 15."])
    with tools() as given, Engine(store, tools=given, models={"m": model}) as engine:
        run = engine.run(thread.id, assistant.id, settings={"steps_max": 100})
        run = engine.execute(thread.id, run.id)
    assert run.status == "completed", run
    answers = [request.messages[-1].content for request in model.requests[1:]]
    return run, model, answers
