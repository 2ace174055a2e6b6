"""Count the way of one call through the library: ``python -m scripts.moves``.

For one message that is added, one page of messages that is listed, and one message that is edited,
it prints how many files of ``eventstore/`` take part, how often control moves from one of them to
another (calls and returns), how deep the frames go, and how many Python functions are called. The
store is a SQLite file with a warm thread of 60 messages, on the sync face. ``--tree`` prints every
call instead, indented, in the order in which it happens: a map of the path for a reader.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final, NamedTuple

import eventstore
from eventstore import ConversationStore

__all__ = ["Way", "ways"]

_LIBRARY: Final = f"{Path(eventstore.__file__).parent}/"
_WARM: Final = 60
"""Messages in the thread beforehand, so that nothing is read or worked out for the first time."""


class Way(NamedTuple):
    """The way of one call."""

    files: int
    """Files of the library that run at least one function."""
    moves: int
    """Times that control goes from one of these files to another, by a call or a return."""
    deepest: int
    """Frames of the library on the stack at the deepest."""
    calls: int
    """Python functions called, those of other packages included."""
    tree: tuple[str, ...]
    """Each call of the library, indented by its depth."""


class _Tracer:
    """Follows the calls of the library in one thread."""

    def __init__(self) -> None:
        self.calls = self.moves = self.deepest = 0
        self.tree: list[str] = []
        self.files: set[str] = set()
        self._stack: list[str] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            self.calls += 1
        code = frame.f_code
        if event in {"call", "return"} and code.co_filename.startswith(_LIBRARY):
            file = code.co_filename.removeprefix(_LIBRARY)
            if event == "call":
                self._enter(file, code.co_qualname)
            else:
                self._leave(file)

    def _enter(self, file: str, name: str) -> None:
        self.tree.append(f"{'  ' * len(self._stack)}{file}: {name}")
        self.files.add(file)
        self.moves += self._is_elsewhere(file)
        self._stack.append(file)
        self.deepest = max(self.deepest, len(self._stack))

    def _leave(self, file: str) -> None:
        if self._stack:  # the first event may be the return of what began the trace
            self._stack.pop()
            self.moves += self._is_elsewhere(file)

    def _is_elsewhere(self, file: str) -> bool:
        return bool(self._stack) and self._stack[-1] != file


def _way_of(act: Callable[[], Any]) -> Way:
    act()  # the first call works out what later ones look up
    tracer = _Tracer()
    before = sys.getprofile()
    collects = gc.isenabled()
    gc.disable()  # a collection would add the calls of whoever listens to it, as Hypothesis does
    sys.setprofile(tracer)
    try:
        act()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    calls = tracer.calls - 1  # the one that makes the call
    return Way(len(tracer.files), tracer.moves, tracer.deepest, calls, tuple(tracer.tree))


def ways() -> dict[str, Way]:
    """Return the ways of one message and of one page of messages."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ConversationStore.open(f"sqlite:///{folder}/store.db") as store,
    ):
        thread = store.threads.create().id
        for number in range(_WARM):
            edited = store.messages.create(thread, role="user", content=f"message {number}").id
        return {
            "messages.create": _way_of(
                lambda: store.messages.create(thread, role="user", content="one more")
            ),
            "messages.list": _way_of(lambda: store.messages.list(thread)),
            "messages.edit": _way_of(
                lambda: store.messages.edit(thread, edited, content="once more")
            ),
        }


def main(arguments: list[str]) -> None:
    """Print the figures, or with ``--tree`` every call."""
    for name, way in ways().items():
        if arguments == ["--tree"]:
            print(f"{name}\n", *(f"  {line}\n" for line in way.tree))
            continue
        print(
            f"{name}: {way.files} files, {way.moves} moves between them,"
            f" {way.deepest} frames at the deepest, {way.calls} calls"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
