"""Imports the conversations of a file into the store, for ``import``.

A tree takes two appends: the thread and its messages. Both carry keys made of the tree's id, so
importing the file again finishes an interrupted tree, and adds nothing to a complete one.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from rich.progress import Progress, TaskID

from eventstore import ConversationStore, IdempotencyConflict, InvalidInput
from eventstore.cli.output import progress
from eventstore.importers.openassistant import ImportedTree, read_trees

__all__ = ["STDIN", "Imported", "import_file"]

STDIN: Final = Path("-")


class Imported(NamedTuple):
    """The counts of an import."""

    threads: int
    messages: int
    known: int
    """Threads of the file that existed already."""


def import_file(store: ConversationStore, file: Path) -> Imported:
    """Import every tree of a file of the Open Assistant project, plain or gzipped.

    Raises:
        InvalidInput: a malformed line; the trees before it stay, and its own tree is not imported.
    """
    threads = messages = known = 0
    with progress() as bar:
        for tree in read_trees(_lines(file, bar)):
            if _add(store, tree):
                threads, messages = threads + 1, messages + len(tree.messages)
            else:
                known += 1
    return Imported(threads, messages, known)


def _add(store: ConversationStore, tree: ImportedTree) -> bool:
    """Add one tree; return whether it was new."""
    try:
        made = store.threads.create(metadata=tree.metadata, idempotency_key=tree.idempotency_key)
        now = store.threads.get(made.id, include_deleted=True)
        store.messages.create_many(made.id, tree.messages, idempotency_key=tree.messages_key)
    except IdempotencyConflict as conflict:
        raise InvalidInput(
            f"line {tree.line}, message_tree_id",
            f"{conflict.stream_id} was imported from a tree with the same id but different content",
            "Import the changed file into another database.",
        ) from None
    return now.version == made.version


def _lines(file: Path, bar: Progress) -> Iterator[bytes]:
    if file == STDIN:
        yield from sys.stdin.buffer
        return
    try:
        with file.open("rb") as raw:
            task = bar.add_task("importing", total=file.stat().st_size)
            yield from _counted(raw, bar, task, gzipped=file.suffix == ".gz")
    except (OSError, EOFError, zlib.error) as error:
        problem = f"cannot be read ({type(error).__name__})"
        remedy = "Check its permissions, and that it is whole."
        raise InvalidInput("FILE", problem, remedy) from None


def _counted(raw: BinaryIO, bar: Progress, task: TaskID, *, gzipped: bool) -> Iterator[bytes]:
    stream = gzip.GzipFile(fileobj=raw) if gzipped else raw
    for line in stream:
        yield line
        bar.update(task, completed=raw.tell())
