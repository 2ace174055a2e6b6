"""A process whose engine executes runs of a file until it is killed.

    python -m tests.engine.dying <url> <folder> <thread> <run>

Its tools write a line into a file of the folder when they begin, and stop there.
"""

import sys
import time
from pathlib import Path

from eventstore import ConversationStore
from eventstore.engine import Engine, tool
from eventstore.engine.models import Gate, ScriptedModel, ToolCall

CAREFUL = ToolCall("call_1", "careful")
AGAIN = ToolCall("call_2", "again")


def note(folder, name):
    with (folder / name).open("a") as file:
        file.write("called\n")


def tools_of(folder, *, stop):
    @tool
    def careful() -> str:
        """Must not happen twice."""
        note(folder, "careful")
        if stop:
            time.sleep(600)  # until it is killed
        return "done"

    @tool(repeatable=True)
    def again() -> str:
        """May happen twice."""
        note(folder, "again")
        if stop:
            time.sleep(600)
        return "done"

    return [careful, again]


def answer(kind):
    def give(request):
        if request.messages[-1].role == "tool":
            return "All done."
        return ["Half", Gate()] if kind == "text" else [CAREFUL, AGAIN]

    return give


def main():
    url, folder, thread_id, run_id = sys.argv[1:]
    kind = "text" if (Path(folder) / "text").exists() else "tools"
    store = ConversationStore.open(url)
    tools = tools_of(Path(folder), stop=True)
    models = {"m": ScriptedModel(answer(kind))}
    engine = Engine(store, tools=tools, models=models, lease_seconds=1.0)
    engine.execute(thread_id, run_id)


if __name__ == "__main__":
    main()
