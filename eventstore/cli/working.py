"""The command for workers: executes the runs of an engine's queue until it is stopped."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
import signal
import sys
import threading
from typing import Annotated, TypeVar

import typer
from rich.text import Text

from eventstore import InvalidInput
from eventstore.cli.framework import app, examples
from eventstore.cli.output import errors, one_line
from eventstore.engine import AsyncEngine, Engine

__all__ = ["worker"]

E = TypeVar("E", Engine, AsyncEngine)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@app.command(epilog=examples("worker app:engine", "worker app.workers:make_engine --finish 60"))
def worker(
    target: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME",
            help="An Engine or AsyncEngine, or a function that makes one.",
        ),
    ],
    *,
    finish: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            help="How long runs at work may take to finish once the worker is told to stop. Others"
            " are handed back, and another worker goes on with them.",
        ),
    ] = 30.0,
) -> None:
    """Execute the runs of an engine's queue, until Ctrl-C or SIGTERM."""
    asyncio_wanted, made = _made(_named(target))
    if asyncio_wanted:
        asyncio.run(_work_async(made, finish))
    else:
        _work(_checked(made, Engine), finish)


def _named(target: str) -> object:
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise InvalidInput("target", "is not MODULE:NAME", "Give, for example, app:engine.")
    if os.getcwd() not in sys.path:  # noqa: PTH109 (sys.path holds texts)
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        found: object = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        remedy = "Run the command where the module is, or give its full name."
        raise InvalidInput("target", f"there is no module {module}", remedy) from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise InvalidInput("target", f"{module} has no {name}", "Name an engine in it.")
        found = getattr(found, part)
    return found


def _made(found: object) -> tuple[bool, object]:
    """Return whether an event loop is needed, and the engine, or what makes it on the loop."""
    if isinstance(found, Engine | AsyncEngine):
        return isinstance(found, AsyncEngine), found
    if inspect.iscoroutinefunction(found):
        return True, found
    made = found() if callable(found) else found
    return isinstance(made, AsyncEngine), made


def _checked(made: object, kind: type[E]) -> E:
    if not isinstance(made, kind):
        raise InvalidInput(
            "target",
            f"{type(made).__name__} is no engine",
            "Name an Engine, an AsyncEngine, or a function that makes one.",
        )
    return made


def _said(engine: Engine | AsyncEngine) -> None:
    place = "runs without a queue" if engine.queue is None else f"the queue {engine.queue}"
    errors().print(Text(one_line(f"{engine.holder} executes {place}")), soft_wrap=True)


def _work(engine: Engine, finish: float) -> None:
    stop = threading.Event()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: stop.set())
    with engine.store:
        _said(engine)
        stop.wait()
        engine.close(finish_seconds=finish)


async def _work_async(made: object, finish: float) -> None:
    if inspect.iscoroutinefunction(made):
        made = await made()
    engine = _checked(made, AsyncEngine)
    stop = asyncio.Event()
    for number in _SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with engine.store:
        await engine.start()
        _said(engine)
        await stop.wait()
        await engine.close(finish_seconds=finish)
