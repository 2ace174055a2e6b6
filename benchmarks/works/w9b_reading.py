"""W9b: the time from a piece of text to a reader in another process, at 50 tokens a second.

Each token is the time at which it was made. The reader, a process of its own that follows the run,
looks at the same clock when it is handed the text. Once the pieces are written one by one with
`runs.write_text`, so the time is that of the commit and of the reading. Once they come from a model
through the engine, which collects what arrives within a fifth of a second: a commit for each token
would cost more than it shows.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import goals
from benchmarks.contenders import Kind
from benchmarks.field import Plan, say
from benchmarks.goals import Comparison
from benchmarks.results import Column, Result, Row, Table
from eventstore import AsyncConversationStore, ConversationStore
from eventstore.engine import AsyncEngine
from eventstore.engine.models import Finished, ModelEvent, TextDelta

TITLE = "from a piece of text to a reader in another process"
RATE = 50
COLUMNS = (Column("p50", "p50 ms", 1), Column("p99", "p99 ms", 1))
Write = Callable[[AsyncConversationStore, str, str, int], Awaitable[None]]


def run(plan: Plan, result: Result) -> None:
    """Measure on the database of the plan."""
    count = RATE * (1 if plan.quick else 10)
    if plan.server is not None:
        place = plan.server.place()
        own, reads = place.url("asyncpg"), [place.url("psycopg"), place.url("asyncpg")]
        durability = plan.server.settings()
    else:
        folder = plan.scratch / "w9b"
        folder.mkdir()
        own, reads = f"sqlite:///{folder}/chat.db", [f"sqlite:///{folder}/chat.db"]
        durability = "FULL"
    rows, comparisons = [], []
    ways: dict[str, Write] = {"written piece by piece": _pieces, "through the engine": _answer}
    for way, write in ways.items():
        for url in reads:
            driver = f", reader on {url.split(':')[0]}" if len(reads) > 1 else ""
            say(f"W9b {way}{driver}")
            seconds = sorted(asyncio.run(_measured(own, url, write, count)))
            figures = {
                "p50": statistics.median(seconds) * 1000,
                "p99": seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)] * 1000,
            }
            rows.append(Row(f"{way}{driver}", Kind.OURS, figures, durability))
            comparisons.append(Comparison(goals.READING, f"{way}{driver}", (figures["p99"],)))
    title = f"{RATE} tokens a second"
    result.tables.append(Table(title, COLUMNS, rows, comparisons))


async def _measured(own: str, url: str, write: Write, count: int) -> list[float]:
    async with AsyncConversationStore.open(own) as store:
        thread = await store.threads.create(messages=[{"role": "user", "content": "Go on."}])
        run = await store.runs.create(thread.id, model="m")
        command = [sys.executable, "-m", __name__, url, thread.id, run.id]
        root = Path(__file__).parents[2]
        reader = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=root)
        assert reader.stdout is not None
        await reader.stdout.readline()  # it reads along
        await write(store, thread.id, run.id, count)
        told = await reader.stdout.read()
        await reader.wait()
    taken = [float(one) for one in told.split()]
    assert len(taken) == count, f"{len(taken)} of {count} tokens were read"
    return taken


# -- writing ---------------------------------------------------------------------------------------


def _token() -> str:
    return f"{time.monotonic():.6f} "


async def _paced(count: int) -> AsyncGenerator[str, None]:
    start = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, start + number / RATE - time.monotonic()))
        yield _token()


async def _pieces(store: AsyncConversationStore, thread: str, run: str, count: int) -> None:
    await store.runs.start(thread, run)
    message, offset, whole = f"msg_{uuid.uuid4().hex}", 0, []
    async for piece in _paced(count):
        offset = await store.runs.write_text(thread, run, piece, message_id=message, offset=offset)
        whole.append(piece)
    await store.messages.create(
        thread, role="assistant", content="".join(whole), run_id=run, message_id=message
    )
    await store.runs.complete(thread, run)


class _Clock:
    """A model that tells the time."""

    name = "m"

    def __init__(self, count: int) -> None:
        self._count = count

    async def stream(self, request: Any) -> AsyncGenerator[ModelEvent, None]:  # noqa: ARG002
        async for token in _paced(self._count):
            yield TextDelta(token)
        yield Finished("stop", None)

    async def aclose(self) -> None:
        """Nothing is open."""


async def _answer(store: AsyncConversationStore, thread: str, run: str, count: int) -> None:
    async with AsyncEngine(store, models={"m": _Clock(count)}) as engine:
        await engine.execute(thread, run)


# -- reading ---------------------------------------------------------------------------------------


def _tell(event: Any, taken: list[float]) -> None:
    if event.type == "run.queued":
        print("reading", flush=True)
    if event.type == "message.delta":
        now = time.monotonic()
        taken += [now - float(token) for token in event.text.split()]


def _read(url: str, thread: str, run: str) -> Sequence[float]:
    taken: list[float] = []
    with ConversationStore.open(url) as store:
        for event in store.runs.stream(thread, run):
            _tell(event, taken)
    return taken


async def _read_async(url: str, thread: str, run: str) -> Sequence[float]:
    taken: list[float] = []
    async with AsyncConversationStore.open(url) as store:
        async for event in store.runs.stream(thread, run):
            _tell(event, taken)
    return taken


if __name__ == "__main__":
    asked = sys.argv[1:]
    read = asyncio.run(_read_async(*asked)) if "asyncpg" in asked[0] else _read(*asked)
    print(*read)
