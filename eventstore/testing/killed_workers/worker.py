"""A worker: a process with two engines, for the runs of a queue and for those of the application.

It works until it is killed, by itself at a place or from outside at any time.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from eventstore import AsyncConversationStore, ConversationStore, StoreUnavailable
from eventstore.engine import AsyncEngine, Engine, ToolContext, tool
from eventstore.engine.models import Endpoint
from eventstore.engine.models.retrying import Retries
from eventstore.testing.killed_workers.deaths import IN_TOOL, AsyncDoomed, Death, Doomed
from eventstore.testing.killed_workers.stories import ELSEWHERE, MODEL

__all__ = ["NEEDED", "QUEUE", "Work", "effects", "main"]

QUEUE: Final = "stories"
NEEDED: Final = (
    __name__,
    "eventstore.engine.models.openai_chat",
    "openai.resources.chat.completions",
    "anyio._backends._asyncio",
    "psycopg",
    "asyncpg",
    "sqlalchemy.dialects.postgresql.asyncpg",
    "sqlalchemy.dialects.sqlite",
)
"""Modules that a worker needs sooner or later; most of them are imported when they are first used,
which takes longer than many workers live."""
_ORPHANED_SECONDS: Final = 0.5
_CONCURRENCY: Final = 6
_BEGIN_SECONDS: Final = 120.0


class Work(NamedTuple):
    """Everything that a worker is given."""

    url: str
    durability: Literal["full", "as_is"]
    model_url: str
    folder: Path
    """Where tools leave their effects."""
    lease_seconds: float
    name: str = ""
    dies_at: str | None = None
    """Place; None waits for the kill from outside."""
    occurrence: int = 1
    """It dies the so-many-th time that it comes there."""
    face: Literal["sync", "async"] = "sync"
    """Its engines are of this face."""

    @property
    def async_url(self) -> str:
        """The same database with an async driver."""
        return self.url.replace("postgresql+psycopg:", "postgresql+asyncpg:")


def main(work: Work) -> None:
    """Execute runs until the end."""
    parent = os.getppid()
    logging.basicConfig(level=logging.WARNING)
    death = Death(work.dies_at, work.occurrence)
    if work.face == "async":
        asyncio.run(_work_async(work, death, parent))
        return
    _patiently(partial(_work, work, death))
    while os.getppid() == parent:
        time.sleep(_ORPHANED_SECONDS)


def _patiently(begin: Callable[[], object]) -> None:
    """Begin, as soon as the server lets it."""
    until = time.monotonic() + _BEGIN_SECONDS
    while True:
        try:
            begin()
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(_ORPHANED_SECONDS)
        else:
            return


def _options(work: Work, queue: str | None, death: Death) -> dict[str, Any]:
    options = {"retries": Retries(wait_seconds=0.01)}
    return {
        "tools": _tools(work.folder, death),
        "models": {
            MODEL: Endpoint(MODEL, base_url=work.model_url, key_variable=None, options=options)
        },
        "queue": queue,
        "concurrency": _CONCURRENCY,
        "lease_seconds": work.lease_seconds,
        "holder": f"{work.name}/{queue}",
        "external_tools": [ELSEWHERE],
    }


def _opening(work: Work) -> dict[str, Any]:
    return {"migrate": "off", "durability": work.durability, "busy_timeout_seconds": 60.0}


def _work(work: Work, death: Death) -> None:
    store = Doomed(ConversationStore.open(work.url, **_opening(work)), death)
    for queue in (QUEUE, None):
        Engine(store, **_options(work, queue, death))  # type: ignore[arg-type]  # what it lacks is the store's


async def _work_async(work: Work, death: Death, parent: int) -> None:
    begun = False
    while os.getppid() == parent:
        if not begun:
            with suppress(StoreUnavailable):
                store = AsyncDoomed(
                    await AsyncConversationStore.open(work.async_url, **_opening(work)), death
                )
                for queue in (QUEUE, None):
                    await AsyncEngine(store, **_options(work, queue, death)).start()  # type: ignore[arg-type]
                begun = True
        await asyncio.sleep(_ORPHANED_SECONDS)


def _tools(folder: Path, death: Death) -> list[Any]:
    def act(name: str, context: ToolContext) -> str:
        """Leave an effect: one line, written at once."""
        before, after = IN_TOOL
        death.at(before)
        threading.Event().wait(0.003)
        with (folder / name).open("ab", buffering=0) as file:
            file.write(f"{context.call_id}\n".encode())
        death.at(after)
        return "done"

    @tool
    def careful(context: ToolContext) -> str:
        """Must not happen twice."""
        return act("careful", context)

    @tool(repeatable=True)
    def again(context: ToolContext) -> str:
        """May happen twice."""
        return act("again", context)

    @tool(approval=True)
    def asking(context: ToolContext) -> str:
        """Happens if its user approves."""
        return act("asking", context)

    return [careful, again, asking]


def effects(folder: Path, name: str) -> list[str]:
    """Return the calls that left effects, each as often as it did."""
    file = folder / name
    return file.read_text().split() if file.exists() else []
