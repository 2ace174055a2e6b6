"""``AsyncEngine``: executes runs with an async store, on the application's event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, Unpack

from eventstore import (
    AsyncConversationStore,
    ConversationStoreError,
    Position,
    Run,
    StoreClosed,
)
from eventstore.engine import telemetry
from eventstore.engine.backlog import Key
from eventstore.engine.courses import HandBack
from eventstore.engine.driving import AsyncInbox, drive_async
from eventstore.engine.effects import Effect
from eventstore.engine.engine_base import HAND_BACK_SECONDS, NEWS, PAUSE_SECONDS, EngineBase, key_of
from eventstore.engine.performing import Performing
from eventstore.engine.recording import asked_for
from eventstore.engine.run_options import RunOptions
from eventstore.engine.sweeping import Swept, sweep
from eventstore.engine.working import Claimed, Outcome, Rested, claimed, created, work

__all__ = ["AsyncEngine"]

_log = logging.getLogger("eventstore.engine")


class AsyncEngine(EngineBase[AsyncConversationStore]):
    """Executes the runs of assistants: asks models, calls tools, and records every step.

    ::

        async with AsyncEngine(store, tools=[weather], models={"qwen-plus": model}) as engine:
            run = await engine.run(thread.id, assistant.id)
            run = await engine.execute(thread.id, run.id)  # waits until it rests
    """

    def _open(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._keepers: list[asyncio.Task[None]] = []
        self._look = asyncio.Event()

    async def start(self) -> None:
        """Begin to look for runs. ``async with`` does it, and so does the first run."""
        if self._keepers or self._closed:
            return
        keep = asyncio.ensure_future(self._keep())
        self._keepers.append(keep)
        behind = await self.store.events.last_position()
        self._keepers.append(asyncio.ensure_future(self._watch(behind)))

    async def _watch(self, behind: Position) -> None:
        """Take note of the deeds of others to runs."""
        try:
            news = self.store.events.subscribe(
                after=behind, types=NEWS, pause_seconds=PAUSE_SECONDS
            )
            async for event in news:
                self._heard(event)
                self._pump()
        except ConversationStoreError as error:
            if not self._closed and not isinstance(error, StoreClosed):
                _log.warning("the engine hears of nothing any more, and only looks: %s", error)

    async def _keep(self) -> None:
        """Look for runs that nobody goes on with, and for those whose time has come."""
        clock = self._desk.clock
        while not self._closed:
            if self._sweep_begins():
                self._swept(await self._sweep())
            until = self._until()
            self._pump()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - clock.monotonic())):
                    await self._look.wait()
            self._look.clear()

    async def _sweep(self) -> Swept | None:
        course = sweep(self._desk, self.queue, frozenset(self._own), recover=self._recover)
        try:
            return await drive_async(course, self.store, _nothing, AsyncInbox())
        except ConversationStoreError as error:
            if not self._closed and not isinstance(error, StoreClosed):
                _log.warning("the engine could not look for runs: %s", error)
            return None

    def _look_again(self) -> None:
        self._look.set()

    async def run(
        self,
        thread_id: str,
        assistant_id: str | None = None,
        *,
        messages: Sequence[Mapping[str, Any]] = (),
        **options: Unpack[RunOptions],
    ) -> Run:
        """Create a run, and execute it.

        Args:
            thread_id: The thread.
            assistant_id: Assistant that answers.
            messages: Dicts of the arguments of ``messages.create``; they are added first, in the
                same commit.
            options: Those of ``store.runs.create``.

        Raises:
            EngineClosed: the engine was closed.
            InvalidInput, ThreadNotFound, AssistantNotFound, Refused: as in ``runs.create``.
        """
        self._check_open()
        await self.start()
        asked = asked_for(thread_id, assistant_id, messages, options)
        reserved = self._reserve(asked)
        try:
            course = created(asked, self._desk, claim=reserved)
            run, claim = await drive_async(course, self.store, _nothing, AsyncInbox())
        except BaseException:
            if reserved:
                self._backlog.filled(None)
            raise
        self._made(run, claim, reserved=reserved)
        return run

    async def execute(self, thread_id: str, run_id: str) -> Run:
        """Execute a run, and return it when it has ended or waits for people.

        Calling it again does no harm: a run that ended is returned, and a run that another engine
        executes is waited for, or taken over once that engine is silent.

        Args:
            thread_id: The thread.
            run_id: The run.

        Raises:
            EngineClosed: the engine was closed before the run came to rest.
            ThreadNotFound, RunNotFound: there is no such run.
        """
        self._check_open()
        await self.start()
        while True:
            rests = self._want(Key(thread_id, run_id))
            await _until_done([rests])  # a caller that is cancelled leaves the run alone
            run = None if rests.cancelled() else rests.result()
            if run is None and not rests.cancelled():
                run = await self.store.runs.get(thread_id, run_id)
            if run is not None and not self._goes_on(run):
                return run
            self._check_open()

    async def submit_tool_outputs(
        self, thread_id: str, run_id: str, outputs: Sequence[Mapping[str, Any]]
    ) -> Run:
        """Hand in outputs of tool calls that a run waits for, and go on with it.

        Args:
            thread_id: The thread.
            run_id: The run.
            outputs: As for ``store.runs.submit_tool_outputs``.

        Raises:
            EngineClosed: the engine was closed.
            InvalidInput, ThreadNotFound, RunNotFound, Refused: as in ``runs.submit_tool_outputs``.
        """
        self._check_open()
        run = await self.store.runs.submit_tool_outputs(thread_id, run_id, outputs)
        if run.status == "queued":
            self._want(key_of(run), changed=True)
        return run

    # -- at work

    def _begin(self, key: Key, claim: Claimed | None) -> None:
        inbox = self._inboxes[key] = AsyncInbox()
        task = asyncio.ensure_future(self._work(key, claim, inbox))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, key: Key, claim: Claimed | None, inbox: AsyncInbox) -> None:
        try:
            outcome: Claimed | Outcome | None = claim
            if outcome is None:
                course = claimed(*key, self._desk, self._queue_of(key))
                outcome = await drive_async(course, self.store, _nothing, inbox)
            if isinstance(outcome, Claimed):
                self._own.add(key)
                outcome = await self._conduct(outcome, inbox)
        except asyncio.CancelledError as error:  # the loop ends
            self._broke(key, error)
            raise
        except BaseException as error:  # noqa: BLE001 (nobody else would hear of it)
            self._broke(key, error)
        else:
            self._came_to(key, outcome)
        finally:
            self._inboxes.pop(key, None)
            self._pump()

    async def _conduct(self, outcome: Claimed, inbox: AsyncInbox) -> Rested:
        claim, desk = outcome.claim, self._desk
        performing = Performing(self.store, claim.run, desk.models.resolve, desk.tools, inbox.put)
        with telemetry.run_at_work(claim.run):
            return await drive_async(work(claim, desk), self.store, performing.begin, inbox)

    # -- closing

    async def close(self, *, finish_seconds: float = 30.0) -> None:
        """Begin no further run, let those at work finish, and end. Idempotent.

        Runs that take longer are handed back: another engine, or the next one, goes on with them.

        Args:
            finish_seconds: How long runs at work may take to finish.
        """
        if self._closed:
            return
        self._closed = True
        at_work = self._backlog.close()
        try:
            await _until_done(at_work, finish_seconds)
        finally:  # whoever cancels it does not want to wait, and wants no less to be closed
            for inbox in list(self._inboxes.values()):
                inbox.put(HandBack())
            try:
                await _until_done(at_work, HAND_BACK_SECONDS)
            finally:
                await self._end()

    async def _end(self) -> None:
        """End what is left once no run is at work any more, or should be."""
        self._backlog.give_up()
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._close_equipment()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _nothing(_: Effect) -> None:
    """Claiming has no effects."""


async def _until_done(futures: Sequence[Future[Run | None]], seconds: float | None = None) -> None:
    """Wait for futures without taking part in them: to cancel the wait cancels none of them.

    They end on this loop, so that nobody needs to be woken from another thread.
    """
    open_ = [one for one in futures if not one.done()]
    all_done = asyncio.get_running_loop().create_future()

    def ended(one: Future[Run | None]) -> None:
        open_.remove(one)
        if not open_ and not all_done.done():
            all_done.set_result(None)

    for one in tuple(open_):
        one.add_done_callback(ended)
    if open_:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await all_done
