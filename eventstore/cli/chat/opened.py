"""Puts a chat together from the options of the command: models, tools, engine."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from eventstore import ConversationStore
from eventstore.cli.chat.conversation import Answers, Conversation
from eventstore.cli.chat.prompt import talk
from eventstore.cli.chat.tools import ToolOptions, tools_of
from eventstore.cli.opening import short
from eventstore.engine import Engine
from eventstore.engine.models import Endpoint, Models

__all__ = ["Answering", "open_chat"]


class Answering(NamedTuple):
    """The options that say who answers."""

    model: str
    base_url: str | None
    instructions: str | None
    tools: ToolOptions


def open_chat(
    console: Console, store: ConversationStore, thread_id: str | None, options: Answering
) -> None:
    """Talk until the user leaves."""
    model, base_url, instructions, named = options
    tools = tools_of(named)
    models = Models() if base_url is None else Models({model: _endpoint(model, base_url)})
    models.resolve(model)  # a missing key is better said before the first question
    answers = Answers(model, instructions, [one.definition for one in tools])
    with Engine(store, tools=tools, models=models) as engine:
        conversation = Conversation(
            store, engine, answers=answers, thread_id=thread_id, console=console, ask=_read
        )
        conversation.show()
        conversation.resume()
        talk(conversation, console, _read)
    if conversation.thread_id is not None:
        name = short(store, [conversation.thread_id])[conversation.thread_id]
        console.print(Text(f"Go on with: eventstore chat {name}", style="dim"))


def _endpoint(model: str, base_url: str) -> Endpoint:
    variable = "OPENAI_API_KEY" if os.environ.get("OPENAI_API_KEY") else None
    return Endpoint(model, base_url, key_variable=variable)


def _read(prompt: str) -> str:
    if sys.stdin.isatty():
        import readline  # noqa: F401, PLC0415 (gives input() a history; not on every platform)
    line = input(prompt)
    if not sys.stdin.isatty():
        print(line)  # noqa: T201 (so that a recorded chat shows its questions)
    return line
