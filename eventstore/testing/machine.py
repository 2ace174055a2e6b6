"""A state machine that drives a store against the oracle: laws 1 to 7 and 9, under random use.

Run it over a store of your own by saying how to open one::

    class TestMyStore(ConversationMachine.TestCase): ...

    class MyMachine(ConversationMachine):
        def open_store(self, sources):
            return ConversationStore.open(my_engine(), sources=sources)

Each rule is something that people do. It is done to the store, and said to a copy of the oracle:
both must take it, with the same events, or both must refuse it for the same reason. What is there
must then be found by every reading method, live and replayed (see ``comparison``).

The file is long because it is a list: a rule for each thing that can be done, in the order of the
store's resources, and no rule knows another.
"""


# ruff: noqa: FBT001 (rules take what Hypothesis draws for them, by name)

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eventstore.conversation.values import Message
from eventstore.core.sources import Sources
from eventstore.errors import ConversationStoreError, IdempotencyConflict
from eventstore.faces import Handle
from eventstore.operations.operation import EMPTY, UNSET
from eventstore.store import ConversationStore
from eventstore.testing.comparison import Comparison, Fresh
from eventstore.testing.oracle import HEAD, OracleThread, Refusal, Words, code_of
from eventstore.testing.sources import jumping_sources
from eventstore.testing.strategies import NAMES, ON_BUSY, words

__all__ = ["ConversationMachine"]

PICKS: Final = st.integers(0, 255)
"""Chooses among what there is: the number is taken modulo how many there are."""

GUARDS: Final = ("head", "version", "another head", "another version")
"""What the writer believes: rightly, or mistaken."""

MOSTLY: Final = st.sampled_from([True, True, True, False])
BUSY: Final = st.sampled_from(ON_BUSY)
SAID: Final = words("user")
ANSWERED: Final = words("assistant")

_CHANGES_WITH_SIBLINGS: Final = {"sibling_index": 0, "sibling_count": 0}

SENSIBLE: Final = {
    "queued": ["start", "start", "start", "cancelled", "failed", "expired"],
    "in_progress": [
        *("say", "say", "say", "call_and_wait", "call_and_wait", "completed", "incomplete"),
        *("failed", "expired", "cancelled", "take_over", "step", "step_completed", "step_failed"),
    ],
    "requires_action": ["submit", "submit", "submit", "submit", "cancelled", "expired"],
    "cancelling": ["say", "cancelled", "cancelled", "completed", "step"],
}
ANYTHING: Final = sorted({what for options in SENSIBLE.values() for what in options})


class ConversationMachine(RuleBasedStateMachine):
    """Threads, forks and runs in one store, and the oracle's idea of each."""

    threads_max: int = 4
    """Forks above that are not made: each costs a comparison after each rule."""

    def __init__(self) -> None:
        super().__init__()
        self.exits = ExitStack()
        self.both: Comparison

    def open_store(self, sources: Sources) -> ConversationStore:
        """Open the store under test; its clock jumps backwards. Override it for your own."""
        return ConversationStore.open("sqlite://", sources=sources)

    @initialize(seed=st.integers(0, 2**16))
    def open(self, seed: int) -> None:
        """Open a store, and have a short talk in its first thread."""
        self.store = self.exits.enter_context(self.open_store(jumping_sources(seed)))
        self.both = Comparison(self.store)
        first = self.both.begin()
        for text in ("Why?", "Because.", "Really?", "Yes."):
            self._ask(first, text)

    def teardown(self) -> None:
        """Look at everything once more, and close."""
        try:
            if hasattr(self, "both") and self.both.sound:
                self.both.look_back()
        finally:
            self.exits.close()

    @property
    def threads(self) -> list[OracleThread]:
        """The oracle's threads, in the order in which they were made."""
        return self.both.threads

    # -- choosing ------------------------------------------------------------------------------

    def _thread(self, pick: int) -> int:
        return pick % len(self.threads)

    def _some(self, pick: int, options: Sequence[str], prefix: str = "msg") -> str:
        """Return one of the options; an id that is not there if there are none."""
        return options[-(pick % len(options)) - 1] if options else f"{prefix}_{'f' * 32}"

    def _message(self, pick: int, thread: OracleThread) -> str:
        """Return a message: mostly a visible one, sometimes any, and now and then one not there."""
        if pick % 8:
            return self._some(pick, thread.visible_tree())
        return self._some(pick, list(thread.messages) if pick % 16 else [])

    def _run(self, pick: int, thread: OracleThread) -> str:
        """Return a run; mostly the one whose turn it is."""
        waiting = [run.id for run in thread.open_runs()]
        if waiting and pick % 4:
            return waiting[0]
        return self._some(pick, list(thread.runs), "run")

    def _ask(self, at: int, text: str) -> None:
        """Say something at the head, and nothing else about it."""
        thread, new = self.threads[at], self.both.new_id()
        self.both.do(
            at,
            lambda options: self.store.messages.create(
                thread.id, role="assistant", content=text, message_id=new, **options
            ),
            lambda o, _: o.create(new, "assistant", Words(text)),
        )

    # -- messages ------------------------------------------------------------------------------

    @rule(
        at=PICKS,
        pick=PICKS,
        said=SAID | ANSWERED | words("tool"),
        parent=st.sampled_from(["head", "head", "head", "message", "message", "root"]),
        select=MOSTLY,
        on_busy=BUSY,
        guard=st.sampled_from([None, None, None, None, None, *GUARDS]),
        keyed=st.booleans(),
    )
    def create(
        self,
        at: int,
        pick: int,
        said: Words,
        parent: str,
        select: bool,
        on_busy: str,
        guard: str | None,
        keyed: bool,
    ) -> None:
        """Say something: at the head, under a message, or as a new root; believing this or that."""
        at = self._thread(at)
        thread, new = self.threads[at], self.both.new_id()
        above = {"head": HEAD, "root": None, "message": self._message(pick, thread)}[parent]
        role = _role_of(said, pick)
        believed: dict[str, Any] = {}
        if guard in {"head", "another head"}:
            head = thread.head or EMPTY
            believed["expected_head"] = head if guard == "head" else self._message(pick, thread)
        if guard in {"version", "another version"}:
            believed["expected_version"] = thread.version - (guard == "another version")
        arguments: dict[str, Any] = {
            "role": role,
            "content": said.content,
            "message_id": new,
            "parent_id": UNSET if above == HEAD else above,
            "select": select,
            "on_busy": on_busy,
            "name": said.name,
            "metadata": dict(said.metadata) or None,
            **believed,
        }

        def say(oracle: OracleThread, _: Fresh) -> None:
            if "expected_version" in believed:
                oracle.check_version(believed["expected_version"])
            if "expected_head" in believed:
                oracle.check_head(believed["expected_head"])
            oracle.create(new, role, said, parent=above, select=select, on_busy=on_busy)

        self.both.do(
            at,
            lambda options: self.store.messages.create(thread.id, **arguments, **options),
            say,
            keyed=keyed,
        )

    @rule(at=PICKS, pick=PICKS, said=SAID, answer=MOSTLY, select=MOSTLY, alone=MOSTLY, keyed=MOSTLY)
    def edit_or_regenerate(
        self,
        at: int,
        pick: int,
        said: Words,
        answer: bool,
        select: bool,
        alone: bool,
        keyed: bool,
    ) -> None:
        """Put a sibling beside a message. Law 4: every other branch's path stays as it is."""
        at = self._thread(at)
        thread, new = self.threads[at], self.both.new_id()
        target = self._message(pick, thread)
        if thread.queue() and pick % 2:
            target = self._some(pick, thread.queue())
        run = None if alone or not thread.runs else self._run(pick, thread)
        options: dict[str, Any] = {
            "content": said.content,
            "new_message_id": new,
            "select": select,
            "name": said.name,
            "metadata": dict(said.metadata) or None,
        }
        others = [] if thread.deleted else thread.leaves()
        before = [self._branch(thread, leaf) for leaf in others]
        if answer and target in thread.messages and thread.messages[target].role == "assistant":
            self.both.do(
                at,
                lambda more: self.store.messages.regenerate(
                    thread.id, target, run_id=run, **options, **more
                ),
                lambda o, _: o.regenerate(new, target, said, select=select, run_id=run),
                keyed=keyed,
            )
        else:
            self.both.do(
                at,
                lambda more: self.store.messages.edit(thread.id, target, **options, **more),
                lambda o, _: o.edit(new, target, said, select=select),
                keyed=keyed,
            )
        assert [self._branch(thread, leaf) for leaf in others] == before

    def _branch(self, thread: OracleThread, leaf: str) -> list[Message]:
        """Return a path as it is whatever siblings its messages have."""
        path = self.store.messages.list(thread.id, until=leaf)
        return [message.model_copy(update=_CHANGES_WITH_SIBLINGS) for message in path]

    @rule(
        at=PICKS,
        pick=PICKS,
        what=st.sampled_from(["amend", "amend", "update", "label", "unlabel"]),
        said=SAID | ANSWERED | words("tool"),
        keyed=st.booleans(),
    )
    def change(self, at: int, pick: int, what: str, said: Words, keyed: bool) -> None:
        """Correct a message, mostly with its tool calls as they were; or name or label it."""
        at = self._thread(at)
        thread = self.threads[at]
        target = self._message(pick, thread)
        name = NAMES[pick % len(NAMES)]
        label = name if what == "label" else None
        first = thread.messages[target].wordings[0] if target in thread.messages else said
        if pick % 4:
            said = Words(said.text, first.call, first.answer)
        messages, branches = self.store.messages, self.store.branches
        act: Callable[[dict[str, Any]], Any]
        say: Callable[[OracleThread, Fresh], Any]
        if what == "amend":
            act = lambda o: messages.amend(thread.id, target, content=said.content, **o)  # noqa: E731
            say = lambda o, _: o.amend(target, said)  # noqa: E731
        elif what == "update":
            act = lambda o: messages.update(  # noqa: E731
                thread.id, target, metadata={"name": name}, name=name, **o
            )
            say = lambda o, _: o.update_message(target, {"name": name}, name)  # noqa: E731
        else:
            act = lambda o: branches.label(thread.id, target, label, **o)  # noqa: E731
            say = lambda o, _: o.label(target, label)  # noqa: E731
        self.both.do(at, act, say, keyed=keyed)

    @rule(at=PICKS, pick=PICKS, back=st.booleans(), keyed=st.booleans())
    def remove_or_restore(self, at: int, pick: int, back: bool, keyed: bool) -> None:
        """Hide a message and what follows it, or bring one back."""
        at = self._thread(at)
        thread = self.threads[at]
        gone = [message.id for message in thread.messages.values() if message.removed]
        if back and gone:
            target = self._some(pick, gone)
            self.both.do(
                at,
                lambda options: self.store.messages.restore(thread.id, target, **options),
                lambda o, _: o.restore(target),
                keyed=keyed,
            )
        else:
            target = self._message(pick, thread)
            self.both.do(
                at,
                lambda options: self.store.messages.remove(thread.id, target, **options),
                lambda o, _: o.remove(target),
                keyed=keyed,
            )

    @rule(
        at=PICKS,
        said=st.lists(SAID, min_size=1, max_size=3),
        sound=MOSTLY,
        guarded=st.booleans(),
        keyed=st.booleans(),
    )
    def create_many(
        self,
        at: int,
        said: list[Words],
        sound: bool,
        guarded: bool,
        keyed: bool,
    ) -> None:
        """Say several things at once; if one has an id that is in use, none is said."""
        at = self._thread(at)
        thread = self.threads[at]
        guards = {"expected_head": thread.head} if guarded and thread.head else {}
        new = [self.both.new_id() for _ in said]
        if not sound and thread.messages:
            new[-1] = next(iter(thread.messages))
        given = [
            {"role": "user", "content": one.content, "message_id": message_id}
            for one, message_id in zip(said, new, strict=True)
        ]

        def say(oracle: OracleThread, _: Fresh) -> None:
            for one, message_id in zip(said, new, strict=True):
                oracle.create(message_id, "user", Words(one.text))

        self.both.do(
            at,
            lambda options: self.store.messages.create_many(thread.id, given, **guards, **options),
            say,
            keyed=keyed,
        )

    @rule(at=PICKS, pick=PICKS, said=SAID, keyed=st.booleans())
    def batch(self, at: int, pick: int, said: Words, keyed: bool) -> None:
        """Do several things that belong together: ask, answer, label it, go back, plan a run."""
        at = self._thread(at)
        thread = self.threads[at]
        back, asked, answered = self._message(pick, thread), self.both.new_id(), self.both.new_id()
        name, run = NAMES[pick % len(NAMES)], self.both.new_id("run")

        def act(options: dict[str, Any]) -> list[Any]:
            with self.store.threads.batch(thread.id, **options) as batch:
                create = batch.messages.create
                handles: list[Handle[Any]] = [
                    create(role="user", content=said.content, message_id=asked, parent_id=None),
                    create(role="user", content="Yes.", message_id=answered, parent_id=asked),
                    batch.branches.label(answered, name),
                    batch.messages.remove(back),
                    batch.messages.restore(back),
                    batch.branches.select(back),
                    batch.runs.create(run_id=run),
                    batch.runs.cancel(run),
                ]
            return [handle.object for handle in handles]

        def say(oracle: OracleThread, _: Fresh) -> None:
            oracle.create(asked, "user", Words(said.text), parent=None)
            oracle.create(answered, "user", Words("Yes."), parent=asked)
            oracle.label(answered, name)
            oracle.remove(back)
            oracle.restore(back)
            oracle.select(back)
            oracle.create_run(run, None, "enqueue")
            oracle.cancel_run(run)

        self.both.do(at, act, say, keyed=keyed)

    # -- branches ------------------------------------------------------------------------------

    @rule(at=PICKS, pick=PICKS, by_name=MOSTLY, keyed=st.booleans())
    def select(self, at: int, pick: int, by_name: bool, keyed: bool) -> None:
        """Go to another branch, by message or by label."""
        at = self._thread(at)
        thread = self.threads[at]
        branch = self._message(pick, thread) if by_name else NAMES[pick % len(NAMES)]
        self.both.do(
            at,
            lambda options: self.store.branches.select(thread.id, branch, **options),
            lambda o, _: o.select(branch),
            keyed=keyed,
        )

    @rule(at=PICKS, one=PICKS, two=PICKS)
    def there_and_back(self, at: int, one: int, two: int) -> None:
        """Law 4: select A, then B, then A gives A's path again."""
        at = self._thread(at)
        thread = self.threads[at]
        leaves = thread.leaves()
        if len(leaves) < 2 or thread.deleted or thread.archived:  # noqa: PLR2004 (there and back)
            return
        here, there = leaves[one % len(leaves)], leaves[two % len(leaves)]
        before = self._path_after_selecting(at, here)
        self._path_after_selecting(at, there)
        assert self._path_after_selecting(at, here) == before

    def _path_after_selecting(self, at: int, leaf: str) -> tuple[Message, ...]:
        thread = self.threads[at]
        self.both.do(
            at,
            lambda options: self.store.branches.select(thread.id, leaf, **options),
            lambda o, _: o.select(leaf),
        )
        return self.store.messages.list(thread.id).data

    # -- threads -------------------------------------------------------------------------------

    @rule(at=PICKS, pick=PICKS, where=st.sampled_from(["head", "message", "past"]))
    @precondition(lambda self: len(self.threads) < self.threads_max)
    def fork(self, at: int, pick: int, where: str) -> None:
        """Law 6: fork a thread, at its head, at a message, or at a version of its past."""
        at = self._thread(at)
        source = self.threads[at]
        message = None if where == "head" else self._message(pick, source)
        arguments: dict[str, Any] = {"at_message": message, "fork_id": self.both.new_id("thread")}
        if where == "past":
            versions = [version for thread, version in self.both.past if thread == source.id]
            arguments["at_version"] = versions[pick % len(versions)]
            source = self.both.past[source.id, arguments["at_version"]]
            if pick % 2:
                arguments["at_message"] = message = None
        expected = refused = fork = None
        try:
            self.threads[at].check_living()
            fork = source.fork(arguments["fork_id"], message)
        except Refusal as refusal:
            expected = refusal.code
        try:
            self.store.threads.fork(source.id, **arguments)
        except ConversationStoreError as error:
            refused = code_of(error)
        assert refused == expected, f"the store said {refused}, the oracle {expected}"
        if fork is not None:
            self.both.take(fork)

    @rule(at=PICKS, what=st.sampled_from(["update", "archive", "delete"]), back=MOSTLY)
    def live(self, at: int, what: str, back: bool) -> None:
        """Give a thread another title; or put it to rest or delete it, and mostly take it back."""
        at = self._thread(at)
        thread = self.threads[at]
        threads = self.store.threads
        user = "u_2" if back else "u_1"
        if thread.deleted:
            self.both.do(
                at, lambda o: threads.restore(thread.id, **o), lambda o, _: o.restore_thread()
            )
        elif thread.archived:
            self.both.do(
                at, lambda o: threads.unarchive(thread.id, **o), lambda o, _: o.unarchive()
            )
        elif what == "update":
            given: dict[str, Any] = {"title": f"For {user}", "metadata": {"user": user}}
            self.both.do(
                at,
                lambda options: threads.update(thread.id, **given, **options),
                lambda o, _: o.update(f"For {user}", {"user": user}),
                keyed=True,
            )
        else:
            act = threads.archive if what == "archive" else threads.delete
            self.both.do(
                at,
                lambda options: act(thread.id, **options),
                lambda o, _: o.archive() if what == "archive" else o.delete(),
            )
            thread = self.threads[at]
            if back and (thread.archived or thread.deleted):
                self._ask(at, "Hello?")
                self.live(at, what, back=True)

    # -- runs ----------------------------------------------------------------------------------

    @rule(at=PICKS, pick=PICKS, plain=MOSTLY, on_busy=BUSY, start=MOSTLY, keyed=st.booleans())
    def create_run(
        self,
        at: int,
        pick: int,
        plain: bool,
        on_busy: str,
        start: bool,
        keyed: bool,
    ) -> None:
        """Queue a run, at the head or for another answer, and mostly try to start it."""
        at = self._thread(at)
        thread, new = self.threads[at], self.both.new_id("run")
        regenerates = None if plain else self._message(pick, thread)
        self.both.do(
            at,
            lambda options: self.store.runs.create(
                thread.id, run_id=new, regenerates=regenerates, on_busy=on_busy, **options
            ),
            lambda o, _: o.create_run(new, regenerates, on_busy),
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
        """Let a run do something: mostly what makes sense for it, sometimes anything."""
        having = [number for number, thread in enumerate(self.threads) if thread.runs]
        at = having[at % len(having)]
        thread = self.threads[at]
        run = self._run(pick, thread)
        status = thread.runs[run].status if run in thread.runs else "completed"
        options = SENSIBLE.get(status, ANYTHING) if sense else ANYTHING
        what = options[way % len(options)]
        if what == "say":
            self._say_in_run(at, run, said, select=pick % 4 > 0, keyed=keyed)
        elif what == "call_and_wait":
            self._say_in_run(at, run, Words("Looking.", call="call_a"), keyed=keyed)
            self._say_in_run(at, run, Words("Looking.", call="call_b"), keyed=keyed)
            self._wait(at, run, calls, keyed=keyed)
        elif what == "submit":
            self._submit(at, run, calls, keyed=keyed)
        elif what in {"start", "take_over"}:
            self._start(at, run, take_over=what == "take_over", keyed=keyed)
        elif what in {"step", "step_completed", "step_failed"}:
            self._step(at, run, what, pick)
        else:
            self._end(at, run, what, keyed=keyed)

    def _say_in_run(
        self, at: int, run: str, said: Words, *, select: bool = True, keyed: bool
    ) -> None:
        thread, new = self.threads[at], self.both.new_id()
        self.both.do(
            at,
            lambda options: self.store.messages.create(
                thread.id,
                role="assistant",
                content=said.content,
                name=said.name,
                metadata=dict(said.metadata) or None,
                message_id=new,
                run_id=run,
                select=select,
                **options,
            ),
            lambda o, _: o.create(new, "assistant", said, run_id=run, select=select),
            keyed=keyed,
        )

    def _start(self, at: int, run: str, *, take_over: bool = False, keyed: bool) -> None:
        thread = self.threads[at]
        self.both.do(
            at,
            lambda options: self.store.runs.start(thread.id, run, take_over=take_over, **options),
            lambda o, fresh: o.start_run(run, fresh, take_over=take_over),
            keyed=keyed,
        )

    def _wait(self, at: int, run: str, calls: list[str], *, keyed: bool) -> None:
        """Let a run wait for the calls named, or for all that are open."""
        thread, wanted = self.threads[at], list(dict.fromkeys(calls)) or None
        self.both.do(
            at,
            lambda o: self.store.runs.require_action(thread.id, run, calls=wanted, **o),
            lambda o, _: o.require_action(run, wanted),
            keyed=keyed,
        )

    def _submit(self, at: int, run: str, calls: list[str], *, keyed: bool) -> None:
        """Hand in the outputs of the calls named, or of all that the run waits for."""
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

    def _end(self, at: int, run: str, status: str, *, keyed: bool) -> None:
        thread = self.threads[at]
        runs = self.store.runs
        ways: dict[str, Callable[[dict[str, Any]], Any]] = {
            "completed": lambda o: runs.complete(thread.id, run, usage={"input_tokens": 3}, **o),
            "incomplete": lambda o: runs.complete(thread.id, run, incomplete_reason="long", **o),
            "failed": lambda o: runs.fail(thread.id, run, message="out of memory", **o),
            "cancelled": lambda o: runs.cancel(thread.id, run, **o),
            "expired": lambda o: runs.expire(thread.id, run, **o),
        }
        self.both.do(
            at,
            ways[status],
            lambda o, _: o.cancel_run(run) if status == "cancelled" else o.end_run(run, status),
            keyed=keyed,
        )

    def _step(self, at: int, run: str, what: str, pick: int) -> None:
        """Begin a step with what the run sees, or end one; what it saw can be rebuilt."""
        thread = self.threads[at]
        steps = self.store.runs.steps
        known = [step for one in thread.runs.values() for step in one.steps]
        target = self.both.new_id("step") if what == "step" else self._some(pick, known, "step")
        if what == "step":

            def act(options: dict[str, Any]) -> Any:  # noqa: ANN401
                context = None if thread.deleted else self.store.runs.context(thread.id, run)
                return steps.start(thread.id, run, context=context, step_id=target, **options)

            started = self.both.do(at, act, lambda o, _: o.start_step(run, target))
            if started is not None:
                assert self.store.runs.context(thread.id, run, step_id=target).verified
            return
        end = steps.complete if what == "step_completed" else steps.fail
        self.both.do(
            at,
            lambda options: end(thread.id, target, **options),
            lambda o, _: o.end_step(target, what.removeprefix("step_")),
        )

    # -- saying it again -----------------------------------------------------------------------

    @rule(pick=PICKS, same=MOSTLY)
    @precondition(lambda self: self.both.done)
    def use_a_key_again(self, pick: int, same: bool) -> None:
        """Law 7: with the same command, the first result and nothing added; else a conflict."""
        done = self.both.done[-(pick % len(self.both.done)) - 1]
        before = self.store.threads.get(done.thread_id, include_deleted=True)
        if same:
            assert done.again() == done.result
        else:
            with suppress(IdempotencyConflict):
                self.store.messages.create(
                    done.thread_id, role="system", content="other", idempotency_key=done.key
                )
                raise AssertionError("a used key was taken for another command")
        assert self.store.threads.get(done.thread_id, include_deleted=True) == before

    @rule(at=PICKS)
    def rebuild(self, at: int) -> None:
        """Law 2: drop the tables of a thread and fold its events; nothing looks different."""
        at = self._thread(at)
        self.store.projections.rebuild(self.threads[at].id)
        self.both.look_at(self.threads[at], self.threads[at].version)


def _role_of(said: Words, pick: int) -> str:
    if said.answer is not None:
        return "tool"
    return "assistant" if said.call is not None else ["user", "assistant", "system"][pick % 3]
