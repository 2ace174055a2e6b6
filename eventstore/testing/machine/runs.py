"""Rules of the machine about runs: mostly moves that fit a run, sometimes any move."""

# ruff: noqa: FBT001 (rules take what Hypothesis draws for them, by name)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from eventstore.conversation.commands import OnBusy
from eventstore.conversation.rows import Role
from eventstore.conversation.run_values import RunStep
from eventstore.testing.machine.base import ANSWERED, BUSY, MOSTLY, PICKS, Machine
from eventstore.testing.oracle import Words

__all__ = ["RunRules"]

SENSIBLE: Final = {
    "queued": ["start", "start", "start", "cancelled", "failed", "expired"],
    "in_progress": [
        *("say", "say", "answer", "call", "call_and_wait", "call_and_wait", "completed"),
        "incomplete",
        *("failed", "expired", "cancelled", "take_over", "step", "step_completed", "step_failed"),
        "keep",
    ],
    "requires_action": [
        *("submit", "submit", "submit", "submit"),
        *("cancelled", "expired", "failed"),
    ],
    "cancelling": [
        *("say", "answer", "cancelled", "cancelled", "completed", "step", "take_over", "keep"),
    ],
}
ANYTHING: Final = sorted({what for options in SENSIBLE.values() for what in options})


class RunRules(Machine):
    """Rules about runs and their steps."""

    @rule(at=PICKS, pick=PICKS, plain=MOSTLY, on_busy=BUSY, start=MOSTLY, keyed=st.booleans())
    def create_run(
        self,
        at: int,
        pick: int,
        plain: bool,
        on_busy: OnBusy,
        start: bool,
        keyed: bool,
    ) -> None:
        """Queue a run, at the head or for another answer, and mostly try to start it."""
        at = self.a_thread(at)
        thread, new = self.threads[at], self.both.new_id("run")
        regenerates = None if plain else self.a_message(pick, thread)
        self.both.do(
            at,
            lambda options: self.store.runs.create(
                thread.id, run_id=new, regenerates=regenerates, on_busy=on_busy, **options
            ),
            lambda o, fresh: o.create_run(new, regenerates, on_busy, fresh),
            keyed=keyed,
        )
        if start:
            self._start(at, new, keyed=keyed)

    @rule(
        at=PICKS,
        pick=PICKS,
        way=PICKS,
        sense=MOSTLY,
        said=ANSWERED,
        calls=st.lists(st.sampled_from(["call_a", "call_b"]), max_size=2),
        keyed=st.booleans(),
    )
    @precondition(lambda self: any(thread.runs for thread in self.threads))
    def advance_run(
        self,
        at: int,
        pick: int,
        way: int,
        sense: bool,
        said: Words,
        calls: list[str],
        keyed: bool,
    ) -> None:
        """Move a run: mostly as fits it, sometimes in any way."""
        having = [number for number, thread in enumerate(self.threads) if thread.runs]
        at = having[at % len(having)]
        thread = self.threads[at]
        run = self.a_run(pick, thread)
        status = thread.runs[run].status if run in thread.runs else "completed"
        options = SENSIBLE.get(status, ANYTHING) if sense else ANYTHING
        what = options[way % len(options)]
        fence = self.fence_of(pick, thread, run)
        if what == "say":
            self._say_in_run(at, run, said, fence=fence, select=pick % 4 > 0, keyed=keyed)
        elif what == "answer":
            answer = Words("42", answer="call_a")
            self._say_in_run(at, run, answer, fence=fence, keyed=keyed)
        elif what in {"call", "call_and_wait"}:
            called = Words("Looking.", ("call_a", "call_b"))
            self._say_in_run(at, run, called, fence=fence, keyed=keyed)
            if what == "call_and_wait":
                self._wait(at, run, calls, fence, keyed=keyed)
        elif what == "submit":
            self._submit(at, run, calls, keyed=keyed)
        elif what in {"start", "take_over"}:
            take_over = what == "take_over"
            self._start(at, run, f"worker-{way % 3}", take_over=take_over, fence=fence, keyed=keyed)
        elif what == "keep":
            self._keep(at, run, fence or 1)
        elif what in {"step", "step_completed", "step_failed"}:
            self._step(at, run, what, pick, fence)
        else:
            self._end(at, run, what, fence, keyed=keyed)

    def _say_in_run(
        self,
        at: int,
        run: str,
        said: Words,
        *,
        fence: int | None,
        select: bool = True,
        keyed: bool,
    ) -> None:
        thread, new = self.threads[at], self.both.new_id()
        role: Role = "assistant" if said.answer is None else "tool"
        self.both.do(
            at,
            lambda options: self.store.messages.create(
                thread.id,
                role=role,
                content=said.content,
                name=said.name,
                metadata=dict(said.metadata) or None,
                provider=said.provider,
                message_id=new,
                run_id=run,
                select=select,
                fence=fence,
                **options,
            ),
            lambda o, fresh: o.create(
                new, role, said, fresh, run_id=run, select=select, fence=fence
            ),
            keyed=keyed,
        )

    def _start(
        self,
        at: int,
        run: str,
        holder: str | None = None,
        *,
        take_over: bool = False,
        fence: int | None = None,
        keyed: bool,
    ) -> None:
        thread = self.threads[at]
        self.both.do(
            at,
            lambda options: self.store.runs.start(
                thread.id, run, holder=holder, take_over=take_over, fence=fence, **options
            ),
            lambda o, fresh: o.start_run(
                run, fresh, holder=holder, take_over=take_over, fence=fence
            ),
            keyed=keyed,
        )

    def _keep(self, at: int, run: str, fence: int) -> None:
        """Renew the lease on a run."""
        thread = self.threads[at]
        self.both.do(
            at,
            lambda _: self.store.runs.heartbeat(thread.id, run, fence=fence, lease_seconds=60),
            lambda o, _: o.keep_run(run, fence),
        )

    def _wait(self, at: int, run: str, calls: list[str], fence: int | None, *, keyed: bool) -> None:
        """Let a run wait for the calls named, or for all that are open."""
        thread, wanted = self.threads[at], list(dict.fromkeys(calls)) or None
        self.both.do(
            at,
            lambda o: self.store.runs.require_action(
                thread.id, run, calls=wanted, fence=fence, **o
            ),
            lambda o, _: o.require_action(run, wanted, fence),
            keyed=keyed,
        )

    def _submit(self, at: int, run: str, calls: list[str], *, keyed: bool) -> None:
        """Submit the outputs of the named calls, or of all calls that the run waits for."""
        thread = self.threads[at]
        if not calls and run in thread.runs:
            calls = list(thread.runs[run].pending)
        outputs = [{"call_id": call, "output": "42"} for call in calls or ["call_c"]]
        said = [Words("42", answer=call) for call in calls or ["call_c"]]
        self.both.do(
            at,
            lambda o: self.store.runs.submit_tool_outputs(thread.id, run, outputs, **o),
            lambda o, fresh: o.submit(run, said, fresh),
            keyed=keyed,
        )

    def _end(self, at: int, run: str, status: str, fence: int | None, *, keyed: bool) -> None:
        thread = self.threads[at]
        runs = self.store.runs
        one: dict[str, Any] = {"thread_id": thread.id, "run_id": run, "fence": fence}
        ways: dict[str, Callable[[dict[str, Any]], Any]] = {
            "completed": lambda o: runs.complete(**one, usage={"input_tokens": 3}, **o),
            "incomplete": lambda o: runs.complete(**one, incomplete_reason="long", **o),
            "failed": lambda o: runs.fail(**one, message="out of memory", **o),
            "cancelled": lambda o: runs.cancel(**one, **o),
            "expired": lambda o: runs.expire(**one, **o),
        }
        self.both.do(
            at,
            ways[status],
            lambda o, fresh: (
                o.cancel_run(run, fresh, fence)
                if status == "cancelled"
                else o.end_run(run, status, fresh, fence)
            ),
            keyed=keyed,
        )

    def _step(self, at: int, run: str, what: str, pick: int, fence: int | None) -> None:
        """Begin a step with the run's context, or end one; its context can be rebuilt."""
        thread = self.threads[at]
        steps = self.store.runs.steps
        known = [step for one in thread.runs.values() for step in one.steps]
        target = self.both.new_id("step") if what == "step" else self.one_of(pick, known, "step")
        if what == "step":

            def act(options: dict[str, Any]) -> RunStep:
                context = None if thread.deleted else self.store.runs.context(thread.id, run)
                return steps.start(
                    thread.id, run, context=context, step_id=target, fence=fence, **options
                )

            started = self.both.do(at, act, lambda o, _: o.start_step(run, target, fence))
            if started is not None:
                assert self.store.runs.context(thread.id, run, step_id=target).verified
            return
        end = steps.complete if what == "step_completed" else steps.fail
        self.both.do(
            at,
            lambda options: end(thread.id, target, fence=fence, **options),
            lambda o, _: o.end_step(target, what.removeprefix("step_"), fence),
        )
