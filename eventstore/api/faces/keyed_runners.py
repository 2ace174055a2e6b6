"""The runners of stores with encryption: keys are fetched before a write is queued.

Nothing is fetched while a transaction holds the write lock. A write that finds there that a key is
missing, or was retired, is refused with :class:`KeysWanted`; its keys are fetched here, and it is
tried again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, TypeVar

from eventstore.api.executors import AsyncExecutor, SyncExecutor
from eventstore.api.faces.async_runner import AsyncRunner
from eventstore.api.faces.sync_runner import SyncRunner
from eventstore.api.operations.binding import note
from eventstore.api.operations.operation import Scope, Write
from eventstore.core import ids
from eventstore.core.codec import KeysWanted
from eventstore.encryption.fetching import Ask, fetch, fetched_by, wanted_of
from eventstore.encryption.key_table import KeyTable
from eventstore.encryption.sealed_codec import SealedCodec
from eventstore.errors import KeyUnavailable
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import AppendRequest, Maintenance, Request
from eventstore.write_path.retired_keys import owners_of

__all__ = ["async_runner", "sync_runner"]

T = TypeVar("T")

_TRIES: Final = 64
"""A long thread of many subjects is read a page at a time, and each page may want other keys."""


def sync_runner(executor: SyncExecutor, scope: Scope) -> SyncRunner:
    """Return the runner of a sync store."""
    codec = scope.log.codec
    if isinstance(codec, SealedCodec):
        return _KeyedSyncRunner(executor, scope, codec)
    return SyncRunner(executor, scope)


def async_runner(executor: AsyncExecutor, scope: Scope) -> AsyncRunner:
    """Return the runner of an async store."""
    codec = scope.log.codec
    if isinstance(codec, SealedCodec):
        return _KeyedAsyncRunner(executor, scope, codec)
    return AsyncRunner(executor, scope)


def _wanted(codec: SealedCodec, write: Write[Any]) -> KeysWanted | None:
    """Return the keys that a write will need; a tenant's own stream seldom needs one."""
    request = write.request
    if not isinstance(request, AppendRequest) or request.stream.category == ids.STORE:
        return None
    return wanted_of(codec.ring, owners_of(request))


def _is_within(codec: SealedCodec, write: Write[Any]) -> bool:
    """Return whether keys must be made in the application's own transaction.

    It holds the write lock of a SQLite file, in which the keys stand. Such a key is forgotten
    before the transaction can end, since it may be rolled back.
    """
    connection = write.connection
    return codec.keys is None and connection is not None and connection.dialect.name == "sqlite"


def _asking(ask: Ask) -> Maintenance:
    return Maintenance(lambda tx: ask.of(KeyTable(tx)), keeps_rows=True)


def _looking(ask: Ask) -> Callable[[Transaction], Any]:
    return lambda tx: ask.of(KeyTable(tx))


def _gave_up() -> KeyUnavailable:
    return KeyUnavailable("the write", "other processes retired each key that was made for it")


class _KeyedSyncRunner(SyncRunner):
    """Fetches keys in the calling thread."""

    def __init__(self, executor: SyncExecutor, scope: Scope, codec: SealedCodec) -> None:
        super().__init__(executor, scope)
        self._codec: Final = codec

    def write(self, write: Write[T]) -> T:
        wanted = _wanted(self._codec, write)
        within = _is_within(self._codec, write)
        for _ in range(_TRIES):
            fetched = wanted is not None
            if wanted is not None:
                self._fetch(wanted, write if within else None)
            try:
                return super().write(write)
            except KeysWanted as error:
                wanted = error
            finally:
                if within and fetched:
                    self._codec.ring.forget()
        raise _gave_up()

    def _fetch(self, wanted: KeysWanted, within: Write[Any] | None) -> None:
        codec = self._codec
        if not codec.ring.bound and codec.ring.problem is None:
            self._ask(note(codec).request, within)
            codec.ring.bound = within is None
        fetching = fetch(codec.ring, wanted)
        if codec.keys is not None:
            fetched_by(codec.keys, fetching)
            return
        answer: Any = None
        while True:
            try:
                step = fetching.send(answer)
            except StopIteration:
                return
            if not isinstance(step, Ask):
                answer = step.act()
            elif step.writes or within is not None:
                answer = self._ask(_asking(step), within)
            else:
                answer = self.executor.read(_looking(step))

    def _ask(self, request: Request, within: Write[Any] | None) -> object:
        connection = None if within is None else within.connection
        return super().write(Write(request, connection))


class _KeyedAsyncRunner(AsyncRunner):
    """Fetches keys without holding up the event loop."""

    def __init__(self, executor: AsyncExecutor, scope: Scope, codec: SealedCodec) -> None:
        super().__init__(executor, scope)
        self._codec: Final = codec

    async def write(self, write: Write[T]) -> T:
        wanted = _wanted(self._codec, write)
        within = _is_within(self._codec, write)
        for _ in range(_TRIES):
            fetched = wanted is not None
            if wanted is not None:
                await self._fetch(wanted, write if within else None)
            try:
                return await super().write(write)
            except KeysWanted as error:
                wanted = error
            finally:
                if within and fetched:
                    self._codec.ring.forget()
        raise _gave_up()

    async def _fetch(self, wanted: KeysWanted, within: Write[Any] | None) -> None:
        codec = self._codec
        if not codec.ring.bound and codec.ring.problem is None:
            noted = await asyncio.to_thread(note, codec)
            await self._ask(noted.request, within)
            codec.ring.bound = within is None
        fetching = fetch(codec.ring, wanted)
        if codec.keys is not None:
            await asyncio.to_thread(fetched_by, codec.keys, fetching)
            return
        answer: Any = None
        while True:
            try:
                step = fetching.send(answer)
            except StopIteration:
                return
            if not isinstance(step, Ask):
                answer = await asyncio.to_thread(step.act)
            elif step.writes or within is not None:
                answer = await self._ask(_asking(step), within)
            else:
                answer = await self.executor.read_async(_looking(step))

    async def _ask(self, request: Request, within: Write[Any] | None) -> object:
        connection = None if within is None else within.connection
        return await super().write(Write(request, connection))
