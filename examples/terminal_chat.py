"""A chat for the terminal: edit your questions, ask for another answer, and go back.

    $ python examples/terminal_chat.py            # keeps the chat in chat.db
    $ python examples/terminal_chat.py sqlite://  # forgets it

The chat needs no key, since its "model" only talks about what you said. Put your own model in the
place of ``answer_of_the_model``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from eventstore import ConversationStore, ConversationStoreError, Message

HELP = """\
Type something, or one of these:
  /again          ask for another answer to your last question
  /edit N text    change message N and ask again
  /left N         show the alternative before message N; /right N the one after it
  /tree           show all branches
  /new            begin another conversation
  /help           show this text
  /quit           leave"""


def answer_of_the_model(path: Sequence[Message], attempt: int) -> str:
    """Answer the last message. This is where your own model belongs."""
    said = sum(message.role == "user" for message in path)
    return f"Answer {attempt} to your question {said}: you said “{path[-1].text}”."


class Chat:
    """One conversation in the terminal."""

    def __init__(self, store: ConversationStore) -> None:
        self.store = store
        newest = store.threads.list(order="desc", limit=1).data
        self.thread_id = newest[0].id if newest else store.threads.create().id

    def say(self, text: str) -> None:
        """Store a question and its answer."""
        question = self.store.messages.create(self.thread_id, role="user", content=text)
        self._answer(question)

    def again(self) -> None:
        """Put another answer beside the last one."""
        path = self._path()
        if not path or path[-1].role != "assistant":
            raise Mistake("there is no answer yet")
        question, old = path[-2:]
        attempt = old.sibling_count + 1
        text = answer_of_the_model(self._path(until=question.id), attempt)
        self.store.messages.regenerate(self.thread_id, old.id, content=text)

    def edit(self, number: int, text: str) -> None:
        """Put a changed question beside message ``number`` and answer it."""
        old = self._numbered(number)
        self._answer(self.store.messages.edit(self.thread_id, old.id, content=text))

    def turn(self, number: int, by: int) -> None:
        """Select the alternative before or after message ``number``."""
        message = self._numbered(number)
        siblings = self.store.branches.siblings(self.thread_id, message.id)
        place = message.sibling_index - 1 + by
        if not 0 <= place < len(siblings):
            raise Mistake(f"message {number} has no alternative there")
        self.store.branches.select(self.thread_id, siblings[place].id)

    def new(self) -> None:
        """Begin another conversation."""
        self.thread_id = self.store.threads.create().id

    def show(self) -> None:
        """Print the conversation, with a number for each message."""
        for number, message in enumerate(self._path(), 1):
            print(f"{number:>3} {message.role}{_which(message)}: {message.text}")

    def show_tree(self) -> None:
        """Print all branches; a star marks the messages of the active path."""
        for node in self.store.branches.tree(self.thread_id).nodes:
            mark = "*" if node.active else " "
            print(f"{mark} {'  ' * node.depth}{node.message.role}: {node.message.text}")

    def _answer(self, question: Message) -> None:
        text = answer_of_the_model(self._path(until=question.id), 1)
        self.store.messages.create(
            self.thread_id, role="assistant", content=text, parent_id=question.id
        )

    def _numbered(self, number: int) -> Message:
        path = self._path()
        if not 1 <= number <= len(path):
            raise Mistake(f"there is no message {number}")
        return path[number - 1]

    def _path(self, until: str | None = None) -> tuple[Message, ...]:
        return self.store.messages.list(self.thread_id, until=until).data


class Mistake(Exception):
    """The user typed something that cannot be done."""


def _which(message: Message) -> str:
    if message.sibling_count == 1:
        return ""
    return f" ({message.sibling_index} of {message.sibling_count})"


def _number(word: str) -> int:
    if not word.isdecimal():
        raise Mistake("write the number of a message behind the command, for example /edit 1 Hello")
    return int(word)


def obey(chat: Chat, line: str) -> None:
    """Do what one line says, and show what came of it."""
    command, _, rest = line.partition(" ")
    number, _, words = rest.partition(" ")
    commands: dict[str, Callable[[], None]] = {
        "/again": chat.again,
        "/edit": lambda: chat.edit(_number(number), words),
        "/left": lambda: chat.turn(_number(number), -1),
        "/right": lambda: chat.turn(_number(number), 1),
        "/new": chat.new,
    }
    if command == "/tree":
        chat.show_tree()
    elif command in commands:
        commands[command]()
        chat.show()
    elif command.startswith("/"):
        print(HELP)
    else:
        chat.say(line)
        chat.show()


def main() -> None:
    """Read lines until the user leaves."""
    database = sys.argv[1] if len(sys.argv) > 1 else "sqlite:///chat.db"
    with ConversationStore.open(database) as store:
        chat = Chat(store)
        print(HELP)
        chat.show()
        while (line := _read()) not in {None, "/quit"}:
            try:
                obey(chat, str(line))
            except (Mistake, ConversationStoreError) as error:
                print(f"That did not work: {error}")


def _read() -> str | None:
    try:
        return input("> ").strip() or "/help"
    except EOFError:
        return None


if __name__ == "__main__":
    main()
