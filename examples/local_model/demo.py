"""A real model, end to end, without a network or a key.

    $ make model-demo

A small model answers on this machine, through llama.cpp's OpenAI-compatible server. One answer is
streamed. One loses its reader half-way, and another process reads on where the first one stopped.
One is cancelled half-way: the beginning is kept, and the thread is free again.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eventstore import ConversationStore, MessageDelta
from eventstore.engine import Engine
from eventstore.engine.models import Endpoint

HERE = Path(__file__).parent
HALF_WAY = 100
"""Characters after which a reader is dropped, or an answer cancelled."""
SETTINGS = {"temperature": 0.0, "max_completion_tokens": 160}


@contextmanager
def model_server() -> Iterator[str]:
    """Start the server; yield its address."""
    command = [sys.executable, str(HERE / "server.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        if not address:
            sys.exit("The server did not start. Run examples/local_model/server.py to see why.")
        yield f"{address}/v1"
        server.communicate()  # closes its input, and waits


class Demo:
    """The three answers."""

    def __init__(self, database: str, store: ConversationStore, engine: Engine) -> None:
        self.database, self.store, self.engine = database, store, engine
        self.assistant = store.assistants.create(
            model="smollm2", instructions="You are a helpful teacher.", settings=SETTINGS
        )
        self.thread = store.threads.create(title="With a real model")

    def ask(self, question: str) -> str:
        """Ask, and return the id of the run."""
        print(f"\nyou        {question}")
        self.store.messages.create(self.thread.id, role="user", content=question)
        return self.engine.run(self.thread.id, self.assistant.id).id

    def deltas(self, run_id: str) -> Iterator[MessageDelta]:
        """Yield the text of a run as it is written, and print it."""
        print("smollm2    ", end="")
        for event in self.store.runs.stream(self.thread.id, run_id):
            if isinstance(event, MessageDelta):
                print(event.text, end="", flush=True)
                yield event
        print()

    def streamed(self) -> None:
        """Show an answer while it is written."""
        began = time.perf_counter()
        run_id = self.ask("What is a rainbow? Answer in two sentences.")
        arrived = [time.perf_counter() - began for _ in self.deltas(run_id)]
        run = self.store.runs.wait(self.thread.id, run_id)
        assert run.usage is not None
        say(
            f"{run.status}: {run.usage.output_tokens} tokens; shown in {len(arrived)} pieces, the"
            f" first after {arrived[0]:.1f} s, the last after {arrived[-1]:.1f} s"
        )

    def resumed(self) -> None:
        """Lose a reader half-way, and go on in another process."""
        run_id = self.ask("Tell me a story about a fox and a lighthouse.")
        read, cursor = "", ""
        for delta in self.deltas(run_id):
            read, cursor = read + delta.text, delta.cursor
            if len(read) > HALF_WAY:
                break
        say(f"\nthe reader is gone after {len(read)} characters; another process reads on:")
        command = [sys.executable, str(HERE / "reader.py")]
        rest = subprocess.run(
            [*command, self.database, self.thread.id, run_id, cursor],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        print(f"...        {rest}")
        said = self.store.messages.list(self.thread.id).data[-1].text
        assert read + rest == said, "something was lost or repeated"
        say(f"{len(read)} + {len(rest)} = {len(said)} characters: nothing lost, nothing repeated")

    def cancelled(self) -> None:
        """Cancel an answer half-way."""
        run_id = self.ask("Tell me a story about a bear and a river.")
        read = ""
        for delta in self.deltas(run_id):
            before, read = read, read + delta.text
            if len(before) <= HALF_WAY < len(read):
                self.store.runs.cancel(self.thread.id, run_id)
        run = self.store.runs.wait(self.thread.id, run_id, timeout_seconds=30)
        kept = self.store.messages.list(self.thread.id).data[-1]
        assert run.status == "cancelled"
        assert kept.status == "incomplete"
        say(f"{run.status}: {len(kept.text)} characters are kept as an {kept.status} message")


def say(remark: str) -> None:
    """Print a remark of the demonstration itself."""
    print(f"\033[2m{remark}\033[0m" if sys.stdout.isatty() else remark)


def main() -> None:
    """Run it."""
    with model_server() as address, tempfile.TemporaryDirectory() as folder:
        say(f"SmolLM2-135M-Instruct answers at {address}")
        models = {"smollm2": Endpoint("smollm2", base_url=address, key_variable=None)}
        database = f"sqlite:///{folder}/chat.db"
        with ConversationStore.open(database) as store, Engine(store, models=models) as engine:
            demo = Demo(database, store, engine)
            demo.streamed()
            demo.resumed()
            demo.cancelled()


if __name__ == "__main__":
    main()
