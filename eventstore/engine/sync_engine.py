"""``Engine``: executes runs with a sync store. Each run at work has a thread of its own.

Models are asked, and async tools run, on one event loop that the engine owns and ``close`` ends.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, wait
from types import TracebackType
from typing import Any, Final, Self, Unpack

from eventstore import (
    ConversationStore,
    ConversationStoreError,
    EngineClosed,
    Run,
    StoreClosed,
)
from eventstore.engine import telemetry
from eventstore.engine.backlog import Key
from eventstore.engine.courses import HandBack
from eventstore.engine.driving import Inbox, drive
from eventstore.engine.effects import Effect
from eventstore.engine.engine_base import HAND_BACK_SECONDS, NEWS, PAUSE_SECONDS, EngineBase, key_of
from eventstore.engine.performing import Performing
from eventstore.engine.recording import asked_for
from eventstore.engine.run_options import RunOptions
from eventstore.engine.sweeping import Swept, sweep
from eventstore.engine.working import Claimed, Outcome, Rested, claimed, created, work

__all__ = ["Engine"]

_JOIN_SECONDS: Final = 2.0
"""They end at once, unless one of them waits for a database that does not answer."""

_log = logging.getLogger("eventstore.engine")


class Engine(EngineBase[ConversationStore]):
    """Executes the runs of assistants: asks models, calls tools, and records every step.

    ::

        with Engine(store, tools=[weather], models={"qwen-plus": model}) as engine:
            run = engine.run(thread.id, assistant.id)
            run = engine.execute(thread.id, run.id)  # waits until it rests
    """

    def _open(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._look = threading.Event()
        behind = self.store.events.last_position()
        self._news = self.store.events.subscribe(
            after=behind, types=NEWS, pause_seconds=PAUSE_SECONDS
        )
        self._threads = [
            threading.Thread(target=duty, name="eventstore-engine", daemon=True)
            for duty in (self._run_loop, self._watch, self._keep)
        ]
        for thread in self._threads:
            thread.start()

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _watch(self) -> None:
        """Take note of the deeds of others to runs."""
        try:
            for event in self._news:
                self._heard(event)
                self._pump()
        except ConversationStoreError as error:
            if not self._closed and not isinstance(error, StoreClosed):
                _log.warning("the engine hears of nothing any more, and only looks: %s", error)

    def _keep(self) -> None:
        """Look for runs that nobody goes on with, and for those whose time has come."""
        clock = self._desk.clock
        while not self._closed:
            if self._sweep_begins():
                self._swept(self._sweep())
            until = self._until()
            self._pump()
            self._look.wait(max(0.0, until - clock.monotonic()))
            self._look.clear()

    def _sweep(self) -> Swept | None:
        course = sweep(self._desk, self.queue, frozenset(self._own), recover=self._recover)
        try:
            return drive(course, self.store, _nothing, Inbox())
        except ConversationStoreError as error:
            if not self._closed and not isinstance(error, StoreClosed):
                _log.warning("the engine could not look for runs: %s", error)
            return None

    def _look_again(self) -> None:
        self._look.set()

    def run(
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
        asked = asked_for(thread_id, assistant_id, messages, options)
        reserved = self._reserve(asked)
        try:
            course = created(asked, self._desk, claim=reserved)
            run, claim = drive(course, self.store, _nothing, Inbox())
        except BaseException:
            if reserved:
                self._backlog.filled(None)
            raise
        self._made(run, claim, reserved=reserved)
        return run

    def execute(self, thread_id: str, run_id: str) -> Run:
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
        while True:
            try:
                run = self._want(Key(thread_id, run_id)).result()
            except CancelledError:
                raise EngineClosed from None
            run = self.store.runs.get(thread_id, run_id) if run is None else run
            if not self._goes_on(run):
                return run
            self._check_open()

    def submit_tool_outputs(
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
        run = self.store.runs.submit_tool_outputs(thread_id, run_id, outputs)
        if run.status == "queued":
            self._want(key_of(run), changed=True)
        return run

    # -- at work

    def _begin(self, key: Key, claim: Claimed | None) -> None:
        inbox = self._inboxes[key] = Inbox()
        work_on = threading.Thread(
            target=self._work,
            args=(key, claim, inbox),
            name=f"eventstore-{key.run_id}",
            daemon=True,
        )
        work_on.start()

    def _work(self, key: Key, claim: Claimed | None, inbox: Inbox) -> None:
        try:
            outcome: Claimed | Outcome | None = claim
            if outcome is None:
                course = claimed(*key, self._desk, self._queue_of(key))
                outcome = drive(course, self.store, _nothing, inbox)
            if isinstance(outcome, Claimed):
                self._own.add(key)
                outcome = self._conduct(outcome, inbox)
        except BaseException as error:  # noqa: BLE001 (nobody else would hear of it)
            self._broke(key, error)
        else:
            self._came_to(key, outcome)
        finally:
            self._inboxes.pop(key, None)
            self._pump()

    def _conduct(self, outcome: Claimed, inbox: Inbox) -> Rested:
        claim, desk = outcome.claim, self._desk
        performing = Performing(self.store, claim.run, desk.models.resolve, desk.tools, inbox.put)

        def begin(effect: Effect) -> None:
            self._loop.call_soon_threadsafe(performing.begin, effect)

        with telemetry.run_at_work(claim.run):
            return drive(work(claim, desk), self.store, begin, inbox)

    # -- closing

    def close(self, *, finish_seconds: float = 30.0) -> None:
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
            wait(at_work, timeout=finish_seconds)
        finally:  # whoever interrupts it does not want to wait, and wants no less to be closed
            for inbox in list(self._inboxes.values()):
                inbox.put(HandBack())
            try:
                wait(at_work, timeout=HAND_BACK_SECONDS)
            finally:
                self._end()

    def _end(self) -> None:
        """End what is left once no run is at work any more, or should be."""
        self._backlog.give_up()
        self._look.set()
        self._news.close()
        closing = asyncio.run_coroutine_threadsafe(self._close_all(), self._loop)
        wait([closing], timeout=HAND_BACK_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(_JOIN_SECONDS)

    async def _close_all(self) -> None:
        """Close the equipment, and what others opened on the loop that ends."""
        await self._close_equipment()
        await self._desk.models.disconnect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _nothing(_: Effect) -> None:
    """Claiming has no effects."""
