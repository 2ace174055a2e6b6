"""Reads what the user types: a question, or a command that begins with a slash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.text import Text

from eventstore import ConversationStoreError
from eventstore.cli.chat.conversation import Conversation, Mistake
from eventstore.cli.output import error_text

__all__ = ["HELP", "talk"]

HELP: Final = """\
Type a question, or one of these:
  /again         another answer to the last question
  /edit TEXT     change the last question, and ask again
  /edit N TEXT   the same with message N
  <  and  >      the alternative before or after; < N among those of message N
  /show          the conversation, with the numbers of messages
  /tree          all its branches
  /new           begin another conversation
  /quit          leave; so does Ctrl-D
Ctrl-C stops an answer. The text written so far is kept."""


def talk(conversation: Conversation, console: Console, read: Callable[[str], str]) -> None:
    """Obey lines until the user leaves.

    Args:
        conversation: The conversation.
        console: Where to print.
        read: Reads a line behind a prompt; raises EOFError at the end.
    """
    console.print(Text("Type a question; /help lists the commands.", style="dim"))
    while True:
        try:
            line = read("you: ").strip()
        except EOFError:
            console.print()
            return
        except KeyboardInterrupt:
            console.print(Text("\n(/quit leaves)", style="dim"))
            continue
        if line == "/quit":
            return
        try:
            _obey(conversation, console, line)
        except Mistake as mistake:
            console.print(Text(f"  {mistake}", style="yellow"))
        except ConversationStoreError as error:
            console.print(error_text(error), soft_wrap=True)


def _obey(conversation: Conversation, console: Console, line: str) -> None:
    command, _, rest = line.partition(" ")
    rest = rest.strip()
    match command:
        case "":
            pass
        case "/again":
            conversation.again()
        case "/edit":
            conversation.edit(*_number_and_text(rest))
        case "<" | "/prev":
            conversation.turn(_number(rest), -1)
        case ">" | "/next":
            conversation.turn(_number(rest), 1)
        case "/show":
            conversation.show()
        case "/tree":
            conversation.show_tree()
        case "/new":
            conversation.new()
        case _ if command.startswith("/"):
            console.print(Text(HELP))
        case _:
            conversation.say(line)


def _number_and_text(rest: str) -> tuple[int | None, str]:
    first, _, text = rest.partition(" ")
    return (int(first), text.strip()) if first.isdecimal() and text.strip() else (None, rest)


def _number(rest: str) -> int | None:
    return int(rest) if rest.isdecimal() else None
