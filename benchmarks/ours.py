"""Our own store, through its public names only, in both faces."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import Any

from benchmarks.contenders import Contender, Face, Kind, Missing
from benchmarks.places import Database, Place
from benchmarks.work import WorkMessage, messages

DISTRIBUTION = "conversation-eventstore"
_SETUP_BATCH = 1_000


def contenders(database: Database) -> tuple[list[Contender], list[Missing]]:
    """Both faces, or the reason why there are none.

    On PostgreSQL each face runs on the driver that is made for it.
    """
    try:
        from eventstore import AsyncConversationStore, ConversationStore  # noqa: PLC0415
    except ImportError as error:
        return [], [Missing("ours", f"the library cannot be imported: {error}", Kind.OURS)]
    return [
        Contender(
            name="ours",
            kind=Kind.OURS,
            face=Face.SYNC,
            make=lambda: Ours(ConversationStore),
            database=database,
            distribution=DISTRIBUTION,
        ),
        Contender(
            name="ours (async)",
            kind=Kind.OURS,
            face=Face.ASYNC,
            make=lambda: AsyncOurs(AsyncConversationStore),
            database=database,
            distribution=DISTRIBUTION,
        ),
    ], []


def _drafts(batch: Sequence[WorkMessage]) -> list[dict[str, Any]]:
    return [message.as_dict() for message in batch]


def _batches(all_messages: Sequence[WorkMessage]) -> list[Sequence[WorkMessage]]:
    starts = range(0, len(all_messages), _SETUP_BATCH)
    return [all_messages[start : start + _SETUP_BATCH] for start in starts]


def _spread(items: Sequence[Any], count: int) -> list[Any]:
    """`count` items, evenly over all of them and going round where there are too few."""
    step = max(1, len(items) // count)
    return [items[(number * step) % len(items)] for number in range(count)]


class Ours:
    """The sync face."""

    def __init__(self, face: Any) -> None:
        self._face = face
        self._stack = ExitStack()

    def open(self, place: Place) -> None:
        self._store = self._stack.enter_context(self._face.open(place.url("psycopg")))

    @property
    def store(self) -> Any:
        """The store itself, for what no peer has."""
        return self._store

    def new_thread(self) -> str:
        return str(self._store.threads.create().id)

    def append(self, thread: str, message: WorkMessage) -> None:
        self._store.messages.create(
            thread, role=message.role, content=message.text, metadata=message.metadata
        )

    def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        for batch in _batches(messages):
            self._store.messages.create_many(thread, _drafts(batch))

    def last(self, thread: str, count: int) -> Sequence[object]:
        page: Sequence[object] = self._store.messages.list(thread, limit=count, order="desc").data
        return page

    def read_all(self) -> int:
        """Read the whole store in order, keep nothing, and say how many events there were."""
        return sum(1 for _ in self._store.events.read_all())

    def events(self, count: int) -> list[Any]:
        """The first events of the store."""
        return list(self._store.events.read_all(limit=count))

    def rebuild(self) -> int:
        """Rebuild the tables of all threads, and say how many threads there were."""
        return int(self._store.projections.rebuild().threads)

    def tips(self, thread: str) -> list[str]:
        """The last message of each branch."""
        return [branch.leaf_id for branch in self._store.branches.list(thread)]

    def fork(self, thread: str, message: str) -> str:
        """A new thread which shares the path down to a message."""
        return str(self._store.threads.fork(thread, at_message=message).id)

    def select(self, thread: str, tip: str) -> None:
        """Make a branch the active one."""
        self._store.branches.select(thread, tip)

    def new_branched_thread(self, length: int, branches: int) -> str:
        """Half of the branches are edits of one question, half are new answers on the path."""
        thread = self.new_thread()
        self.extend(thread, list(messages(length)))
        path = self._store.messages.list(thread).data
        question = next(one for one in path[length // 2 :] if one.role == "user")
        answers = [one for one in path if one.role == "assistant"]
        for _ in range(branches // 2):
            self._store.messages.edit(thread, question.id, content="another question")
        self._store.branches.select(thread, path[-1].id)
        for answer in _spread(answers, branches - branches // 2):
            self._store.messages.regenerate(thread, answer.id, content="another answer")
            self._store.branches.select(thread, path[-1].id)
        return thread

    def close(self) -> None:
        self._stack.close()


class AsyncOurs:
    """The async face."""

    def __init__(self, face: Any) -> None:
        self._face = face
        self._stack = AsyncExitStack()

    async def open(self, place: Place) -> None:
        self._store = await self._stack.enter_async_context(self._face.open(place.url("asyncpg")))

    async def new_thread(self) -> str:
        return str((await self._store.threads.create()).id)

    async def append(self, thread: str, message: WorkMessage) -> None:
        await self._store.messages.create(
            thread, role=message.role, content=message.text, metadata=message.metadata
        )

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        for batch in _batches(messages):
            await self._store.messages.create_many(thread, _drafts(batch))

    async def last(self, thread: str, count: int) -> Sequence[object]:
        page = await self._store.messages.list(thread, limit=count, order="desc")
        read: Sequence[object] = page.data
        return read

    async def read_all(self) -> int:
        """Read the whole store in order, keep nothing, and say how many events there were."""
        read = 0
        async for _ in self._store.events.read_all():
            read += 1
        return read

    async def events(self, count: int) -> list[Any]:
        """The first events of the store."""
        return [event async for event in self._store.events.read_all(limit=count)]

    async def rebuild(self) -> int:
        """Rebuild the tables of all threads, and say how many threads there were."""
        return int((await self._store.projections.rebuild()).threads)

    async def tips(self, thread: str) -> list[str]:
        """The last message of each branch."""
        return [branch.leaf_id for branch in await self._store.branches.list(thread)]

    async def fork(self, thread: str, message: str) -> str:
        """A new thread which shares the path down to a message."""
        return str((await self._store.threads.fork(thread, at_message=message)).id)

    async def select(self, thread: str, tip: str) -> None:
        """Make a branch the active one."""
        await self._store.branches.select(thread, tip)

    async def new_branched_thread(self, length: int, branches: int) -> str:
        """Half of the branches are edits of one question, half are new answers on the path."""
        thread = await self.new_thread()
        await self.extend(thread, list(messages(length)))
        path = (await self._store.messages.list(thread)).data
        question = next(one for one in path[length // 2 :] if one.role == "user")
        answers = [one for one in path if one.role == "assistant"]
        for _ in range(branches // 2):
            await self._store.messages.edit(thread, question.id, content="another question")
        await self._store.branches.select(thread, path[-1].id)
        for answer in _spread(answers, branches - branches // 2):
            await self._store.messages.regenerate(thread, answer.id, content="another answer")
            await self._store.branches.select(thread, path[-1].id)
        return thread

    async def close(self) -> None:
        await self._stack.aclose()
