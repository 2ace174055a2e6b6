"""A state machine that drives a store against the oracle: laws 1 to 7 and 9, under random use.

Run it over a store of your own by saying how to open one::

    class TestMyStore(ConversationMachine.TestCase): ...

    class MyMachine(ConversationMachine):
        def open_store(self, sources):
            return ConversationStore.open(my_engine(), sources=sources)

Each rule is something that people do. It is done to the store, and said to a copy of the oracle:
both must take it, with the same events, or both must refuse it for the same reason. What was there
must then be found again by every reading method, live and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from eventstore.conversation.values import Message, ThreadState, TreeNode
from eventstore.core.sources import Sources
from eventstore.errors import ConversationStoreError, IdempotencyConflict
from eventstore.faces import Handle
from eventstore.operations.operation import UNSET
from eventstore.store import ConversationStore
from eventstore.testing.oracle import HEAD, OracleThread, Refusal, Words, code_of
from eventstore.testing.sources import jumping_sources
from eventstore.testing.strategies import NAMES, ON_BUSY, words

__all__ = ["ConversationMachine"]

PICKS: Final = st.integers(0, 255)
"""Chooses among what there is: the number is taken modulo how many there are."""

MOSTLY: Final = st.sampled_from([True, True, True, False])
BUSY: Final = st.sampled_from(ON_BUSY)
SAID: Final = words("user")
ANSWERED: Final = words("assistant")

_BORN: Final = frozenset({"MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued"})
_CHANGES_WITH_SIBLINGS: Final = {"sibling_index": 0, "sibling_count": 0}


class _Done(NamedTuple):
    """A write that was taken under an idempotency key."""

    thread_id: str
    key: str
    again: Callable[[], Any]
    result: Any


class _Fresh:
    """Ids that the store made itself, in the order of its events."""

    def __init__(self, made: Sequence[str]) -> None:
        self._made = list(made)

    def __call__(self) -> str:
        return self._made.pop(0) if self._made else "msg_that_the_store_did_not_make"


class ConversationMachine(RuleBasedStateMachine):
    """Threads, forks and runs in one store, and the oracle's idea of each."""

    threads_max: int = 4
    """Forks above that are not made: each costs a comparison after each rule."""

    def __init__(self) -> None:
        super().__init__()
        self.exits = ExitStack()
        self.threads: list[OracleThread] = []
        self.past: dict[tuple[str, int], OracleThread] = {}
        self.seen: dict[tuple[str, int], ThreadState] = {}
        """What reading gave live, by thread and version."""
        self.recorded_at: dict[str, Any] = {}
        self.done: list[_Done] = []
        self._count = 0
        self._turn = 0
        self._sound = False
        """Nothing has failed so far, so that looking once more at the end makes sense."""

    def open_store(self, sources: Sources) -> ConversationStore:
        """Open the store under test; its clock jumps backwards. Override it for your own."""
        return ConversationStore.open("sqlite://", sources=sources)

    @initialize(seed=st.integers(0, 2**16))
    def open(self, seed: int) -> None:
        """Open a store and create the first thread."""
        self.store = self.exits.enter_context(self.open_store(jumping_sources(seed)))
        thread = self.store.threads.create(title="Plans", metadata={"user": "u_1"})
        self.threads.append(OracleThread(thread.id, "Plans", {"user": "u_1"}))
        self._look_at(self.threads[0], 0)
        for text in ("Why?", "Because.", "Really?", "Yes."):
            self._ask(0, text)

    def teardown(self) -> None:
        """Look at everything once more, and close."""
        try:
            if self._sound:
                for thread in self.threads:
                    self._check(thread)
                    self._check_replay(thread)
                self._check_lists()
        finally:
            self.exits.close()

    def _ask(self, at: int, text: str) -> None:
        """Say something at the head, and nothing else about it."""
        thread, new = self.threads[at], self._new()
        self._do(
            at,
            lambda options: self.store.messages.create(
                thread.id, role="assistant", content=text, message_id=new, **options
            ),
            lambda o, _: o.create(new, "assistant", Words(text)),
        )

    # -- doing one thing to both ---------------------------------------------------------------

    def _new(self, prefix: str = "msg") -> str:
        self._count += 1
        return f"{prefix}_{self._count:032x}"

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

    def _do(
        self,
        at: int,
        act: Callable[[dict[str, Any]], Any],
        say: Callable[[OracleThread, _Fresh], Any],
        *,
        keyed: bool = False,
    ) -> Any:  # noqa: ANN401 (whatever the store's method returns)
        """Do something to the store and say it to the oracle: both take it, or both refuse it."""
        self._sound = False
        before = self.threads[at]
        thread = before.copy()
        options: dict[str, Any] = {"idempotency_key": self._new("key")} if keyed else {}
        result, refused = None, None
        try:
            result = act(options)
        except ConversationStoreError as error:
            refused = code_of(error)
        happened = list(self.store.events.read(before.id, after=before.version))
        born = [event.data["message_id"] for event in happened if event.type in _BORN]
        expected = None
        try:
            say(thread, _Fresh([one for one in born if one not in before.messages]))
        except Refusal as refusal:
            expected = refusal.code
        assert refused == expected, f"the store said {refused}, the oracle {expected}"
        if expected is not None:
            thread = before
        kinds = [event.type for event in happened]
        assert kinds == thread.events[before.version :], "other events than the oracle's"
        self.threads[at] = thread
        self._look_at(thread, before.version)
        if keyed and expected is None:
            again = _Done(before.id, options["idempotency_key"], lambda: act(options), result)
            self.done.append(again)
        return result

    # -- what must hold after everything -------------------------------------------------------

    def _look_at(self, thread: OracleThread, after: int) -> None:
        """Check the thread that was changed, and one of the others: they must not have changed."""
        self._sound = False
        self._check_versions(thread, after)
        self._check(thread)
        self.past[thread.id, thread.version] = thread.copy()
        self._turn += 1
        other = self.threads[self._turn % len(self.threads)]
        if other is not thread:
            self._check(other)
        self._sound = True

    def _check_versions(self, thread: OracleThread, after: int) -> None:
        """Law 1: versions without a gap, and times that never decrease along them."""
        events = list(self.store.events.read(thread.id, after=after))
        assert [event.version for event in events] == list(range(after + 1, thread.version + 1))
        last = self.recorded_at.get(thread.id)
        for event in events:
            assert last is None or event.recorded_at >= last, "recorded_at went back"
            last = event.recorded_at
        self.recorded_at[thread.id] = last

    def _check(self, thread: OracleThread) -> None:
        found = self.store.threads.get(thread.id, include_deleted=True)
        facts = (found.version, found.head_id, found.archived, found.deleted, found.busy)
        busy = bool(thread.open_runs())
        expected = (thread.version, thread.head, thread.archived, thread.deleted, busy)
        assert facts == expected
        assert (found.title, found.metadata) == (thread.title, thread.metadata)
        report = self.store.projections.compare(thread.id)
        assert report.ok, report.findings  # law 2
        if not thread.deleted:
            self._check_tree(thread)
            self._check_path(thread)
            self._check_runs(thread)
            self._keep_sight(thread)

    def _check_tree(self, thread: OracleThread) -> None:
        """Every visible message is found where the oracle has it, in the same order."""
        tree = self.store.branches.tree(thread.id)
        assert tree.head_id == thread.head
        assert [node.message.id for node in tree.nodes] == thread.visible_tree()
        active = set(thread.path(thread.head))
        assert active <= set(thread.visible_tree()), "the active path shows a removed message"
        for node in tree.nodes:
            self._check_node(thread, node, active)
        ends = [branch.leaf_id for branch in self.store.branches.list(thread.id)]
        assert ends == thread.leaves()

    def _check_node(self, thread: OracleThread, node: TreeNode, active: set[str]) -> None:
        message = node.message
        assert node.depth == len(thread.path(message.id))
        assert node.active == (message.id in active)
        assert node.head == (message.id == thread.head)
        assert node.label == next((n for n, m in thread.labels.items() if m == message.id), None)
        self._check_message(thread, message)
        parent = None if message.parent_id is None else thread.messages[message.parent_id]
        if parent is not None:  # law 3: below its parent, in the log of the same thread
            home = None if message.origin is None else message.origin.thread_id
            above = None if parent.origin is None else parent.origin[0]
            assert above is not None or home is None, "an own message above an inherited one"
            assert home != above or parent.version < message.version

    def _check_message(self, thread: OracleThread, found: Message) -> None:
        expected = thread.messages[found.id]
        siblings = thread.siblings(found.id)
        assert found.sibling_count == len(siblings)
        assert found.sibling_index == siblings.index(found.id)
        assert found.parent_id == expected.parent
        assert found.role == expected.role
        assert found.text == expected.wordings[-1].shown
        assert found.revision == len(expected.wordings) - 1
        assert found.metadata == expected.metadata
        assert found.name == expected.name
        assert found.version == expected.version
        assert found.status == expected.status
        assert found.replaces == expected.replaces
        assert found.run_id == expected.run_id
        origin = None if found.origin is None else (found.origin.thread_id, found.origin.version)
        assert origin == expected.origin

    def _check_path(self, thread: OracleThread) -> None:
        """The active path, one path to a leaf, one way down from a message, one set of siblings."""
        path = self.store.messages.list(thread.id)
        assert [message.id for message in path] == thread.path(thread.head)
        for message in path:
            self._check_message(thread, message)
        waiting = [message.id for message in self.store.messages.queued(thread.id)]
        assert waiting == thread.queue()
        visible = thread.visible_tree()
        if visible:
            chosen = visible[self._turn % len(visible)]
            ids = [one.id for one in self.store.messages.list(thread.id, branch=chosen)]
            assert ids == thread.path(thread.leaf_below(chosen))
            ids = [one.id for one in self.store.messages.list(thread.id, until=chosen)]
            assert ids == thread.path(chosen)
            ids = [one.id for one in self.store.branches.siblings(thread.id, chosen)]
            assert ids == thread.siblings(chosen)
            wordings = [one.text for one in self.store.messages.revisions(thread.id, chosen)]
            assert wordings == [one.shown for one in thread.messages[chosen].wordings]

    def _check_runs(self, thread: OracleThread) -> None:
        """Law 9: statuses as the oracle moved them, one run past queued, the order of the queue."""
        runs = list(self.store.runs.list(thread.id, limit=None))
        assert [run.id for run in runs] == list(thread.runs)
        for run in runs:
            expected = thread.runs[run.id]
            assert run.status == expected.status
            assert run.started_head_id == expected.started_head
            assert run.last_message_id == expected.last_message
            assert run.required_calls == expected.pending
        past_queued = [
            r for r in runs if r.status in {"in_progress", "requires_action", "cancelling"}
        ]
        assert len(past_queued) <= 1

    def _keep_sight(self, thread: OracleThread) -> None:
        """Remember what live reading gives at this version; it must give the same next time."""
        live = ThreadState(
            thread=self.store.threads.get(thread.id),
            version=thread.version,
            messages=self.store.messages.list(thread.id).data,
            queued=tuple(self.store.messages.queued(thread.id)),
            runs=self.store.runs.list(thread.id, limit=None).data,
            labels=thread.labels,
        )
        before = self.seen.setdefault((thread.id, thread.version), live)
        assert live == before, "the thread looks different at the same version"

    def _check_replay(self, thread: OracleThread) -> None:
        """Law 5: what was seen at a version is what replay makes of the events up to it."""
        for step in self.store.replay.steps(thread.id):
            live = self.seen.get((thread.id, step.event.version))
            assert live is None or step.state.value() == live
        versions = [version for thread_id, version in self.seen if thread_id == thread.id]
        for version in versions[:: max(1, len(versions) // 4)]:
            state = self.store.replay.state(thread.id, at_version=version)
            assert state.value() == self.seen[thread.id, version]

    def _check_lists(self) -> None:
        """Threads are found by their metadata, forks by what they inherited of it."""
        for user in ("u_1", "u_2"):
            found = self.store.threads.list(metadata={"user": user}, limit=None)
            expected = [t.id for t in self.threads if t.metadata["user"] == user and not t.deleted]
            assert [one.id for one in found] == expected

    # -- messages ------------------------------------------------------------------------------

    @rule(
        at=PICKS,
        pick=PICKS,
        said=SAID | ANSWERED | words("tool"),
        parent=st.sampled_from(["head", "head", "head", "message", "message", "root"]),
        select=MOSTLY,
        on_busy=BUSY,
        guard=st.sampled_from([None, None, None, "head", "version", "stale"]),
        keyed=st.booleans(),
    )
    def create(
        self,
        at: int,
        pick: int,
        said: Words,
        parent: str,
        select: bool,  # noqa: FBT001 (given by Hypothesis, by name)
        on_busy: str,
        guard: str | None,
        keyed: bool,  # noqa: FBT001
    ) -> None:
        """Say something: at the head, under a message, or as a new root; believing this or that."""
        at = self._thread(at)
        thread, new = self.threads[at], self._new()
        above = {"head": HEAD, "root": None, "message": self._message(pick, thread)}[parent]
        role = _role_of(said, pick)
        head = thread.head if guard == "head" else self._message(pick, thread)
        believed: Any = {
            None: {},
            "head": {"expected_head": head} if head else {},
            "version": {"expected_version": thread.version},
            "stale": {"expected_version": thread.version - 1, "expected_head": head},
        }[guard]
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

        def say(oracle: OracleThread, _: _Fresh) -> None:
            if "expected_version" in believed:
                oracle.check_version(believed["expected_version"])
            if "expected_head" in believed:
                oracle.check_head(believed["expected_head"])
            oracle.create(new, role, said, parent=above, select=select, on_busy=on_busy)

        self._do(
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
        answer: bool,  # noqa: FBT001
        select: bool,  # noqa: FBT001
        alone: bool,  # noqa: FBT001
        keyed: bool,  # noqa: FBT001
    ) -> None:
        """Put a sibling beside a message. Law 4: every other branch's path stays as it is."""
        at = self._thread(at)
        thread, new = self.threads[at], self._new()
        target = self._message(pick, thread)
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
            self._do(
                at,
                lambda more: self.store.messages.regenerate(
                    thread.id, target, run_id=run, **options, **more
                ),
                lambda o, _: o.regenerate(new, target, said, select=select, run_id=run),
                keyed=keyed,
            )
        else:
            self._do(
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
    def change(self, at: int, pick: int, what: str, said: Words, keyed: bool) -> None:  # noqa: FBT001
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
        say: Callable[[OracleThread, _Fresh], Any]
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
        self._do(at, act, say, keyed=keyed)

    @rule(at=PICKS, pick=PICKS, back=st.booleans(), keyed=st.booleans())
    def remove_or_restore(self, at: int, pick: int, back: bool, keyed: bool) -> None:  # noqa: FBT001
        """Hide a message and what follows it, or bring one back."""
        at = self._thread(at)
        thread = self.threads[at]
        gone = [message.id for message in thread.messages.values() if message.removed]
        if back and gone:
            target = self._some(pick, gone)
            self._do(
                at,
                lambda options: self.store.messages.restore(thread.id, target, **options),
                lambda o, _: o.restore(target),
                keyed=keyed,
            )
        else:
            target = self._message(pick, thread)
            self._do(
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
        sound: bool,  # noqa: FBT001
        guarded: bool,  # noqa: FBT001
        keyed: bool,  # noqa: FBT001
    ) -> None:
        """Say several things at once; if one has an id that is in use, none is said."""
        at = self._thread(at)
        thread = self.threads[at]
        guards = {"expected_head": thread.head} if guarded and thread.head else {}
        new = [self._new() for _ in said]
        if not sound and thread.messages:
            new[-1] = next(iter(thread.messages))
        given = [
            {"role": "user", "content": one.content, "message_id": message_id}
            for one, message_id in zip(said, new, strict=True)
        ]

        def say(oracle: OracleThread, _: _Fresh) -> None:
            for one, message_id in zip(said, new, strict=True):
                oracle.create(message_id, "user", Words(one.text))

        self._do(
            at,
            lambda options: self.store.messages.create_many(thread.id, given, **guards, **options),
            say,
            keyed=keyed,
        )

    @rule(at=PICKS, pick=PICKS, said=SAID, keyed=st.booleans())
    def batch(self, at: int, pick: int, said: Words, keyed: bool) -> None:  # noqa: FBT001
        """Do several things that belong together: ask, answer, label it, go back."""
        at = self._thread(at)
        thread = self.threads[at]
        back, asked, answered = self._message(pick, thread), self._new(), self._new()
        name, run = NAMES[pick % len(NAMES)], self._new("run")

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

        def say(oracle: OracleThread, _: _Fresh) -> None:
            oracle.create(asked, "user", Words(said.text), parent=None)
            oracle.create(answered, "user", Words("Yes."), parent=asked)
            oracle.label(answered, name)
            oracle.remove(back)
            oracle.restore(back)
            oracle.select(back)
            oracle.create_run(run, None, "enqueue")
            oracle.cancel_run(run)

        self._do(at, act, say, keyed=keyed)

    # -- branches ------------------------------------------------------------------------------

    @rule(at=PICKS, pick=PICKS, by_name=MOSTLY, keyed=st.booleans())
    def select(self, at: int, pick: int, by_name: bool, keyed: bool) -> None:  # noqa: FBT001
        """Go to another branch, by message or by label."""
        at = self._thread(at)
        thread = self.threads[at]
        branch = self._message(pick, thread) if by_name else NAMES[pick % len(NAMES)]
        self._do(
            at,
            lambda options: self.store.branches.select(thread.id, branch, **options),
            lambda o, _: o.select(branch),
            keyed=keyed,
        )

    def _select(self, at: int, leaf: str) -> None:
        thread_id = self.threads[at].id
        self._do(
            at,
            lambda options: self.store.branches.select(thread_id, leaf, **options),
            lambda o, _: o.select(leaf),
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
        paths = []
        for leaf in (here, there, here):
            self._select(at, leaf)
            paths.append(self.store.messages.list(thread.id).data)
        assert paths[0] == paths[2]

    # -- threads -------------------------------------------------------------------------------

    @rule(at=PICKS, pick=PICKS, where=st.sampled_from(["head", "message", "past"]))
    @precondition(lambda self: len(self.threads) < self.threads_max)
    def fork(self, at: int, pick: int, where: str) -> None:
        """Law 6: fork a thread, at its head, at a message, or at a version of its past."""
        at = self._thread(at)
        source = self.threads[at]
        message = None if where == "head" else self._message(pick, source)
        arguments: dict[str, Any] = {"at_message": message, "fork_id": self._new("thread")}
        if where == "past":
            versions = [version for thread, version in self.past if thread == source.id]
            arguments["at_version"] = versions[pick % len(versions)]
            source = self.past[source.id, arguments["at_version"]]
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
            self.threads.append(fork)
            self._look_at(fork, 0)

    @rule(at=PICKS, what=st.sampled_from(["update", "archive", "delete"]), back=MOSTLY)
    def live(self, at: int, what: str, back: bool) -> None:  # noqa: FBT001
        """Give a thread another title; or put it to rest or delete it, and mostly take it back."""
        at = self._thread(at)
        thread = self.threads[at]
        threads = self.store.threads
        user = "u_2" if back else "u_1"
        if thread.deleted:
            self._do(at, lambda o: threads.restore(thread.id, **o), lambda o, _: o.restore_thread())
        elif thread.archived:
            self._do(at, lambda o: threads.unarchive(thread.id, **o), lambda o, _: o.unarchive())
        elif what == "update":
            given: dict[str, Any] = {"title": f"For {user}", "metadata": {"user": user}}
            self._do(
                at,
                lambda options: threads.update(thread.id, **given, **options),
                lambda o, _: o.update(f"For {user}", {"user": user}),
                keyed=True,
            )
        else:
            act = threads.archive if what == "archive" else threads.delete
            self._do(
                at,
                lambda options: act(thread.id, **options),
                lambda o, _: o.archive() if what == "archive" else o.delete(),
            )
            if back:
                self._ask(at, "Hello?")
                if self._rests(thread):
                    self.live(at, what, back=True)

    @staticmethod
    def _rests(thread: OracleThread) -> bool:
        return thread.deleted or thread.archived

    # -- runs ----------------------------------------------------------------------------------

    @rule(at=PICKS, pick=PICKS, plain=MOSTLY, on_busy=BUSY, start=MOSTLY, keyed=st.booleans())
    def create_run(
        self,
        at: int,
        pick: int,
        plain: bool,  # noqa: FBT001
        on_busy: str,
        start: bool,  # noqa: FBT001
        keyed: bool,  # noqa: FBT001
    ) -> None:
        """Queue a run, at the head or for another answer, and mostly try to start it."""
        at = self._thread(at)
        thread, new = self.threads[at], self._new("run")
        regenerates = None if plain else self._message(pick, thread)
        self._do(
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
        sense: bool,  # noqa: FBT001
        said: Words,
        calls: list[str],
        keyed: bool,  # noqa: FBT001
    ) -> None:
        """Let a run do something: mostly what makes sense for it, sometimes anything."""
        having = [number for number, thread in enumerate(self.threads) if thread.runs]
        at = having[at % len(having)]
        thread = self.threads[at]
        run = self._run(pick, thread)
        status = thread.runs[run].status if run in thread.runs else "completed"
        options = _SENSIBLE.get(status, _ANYTHING) if sense else _ANYTHING
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
        thread, new = self.threads[at], self._new()
        self._do(
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
        self._do(
            at,
            lambda options: self.store.runs.start(thread.id, run, take_over=take_over, **options),
            lambda o, fresh: o.start_run(run, fresh, take_over=take_over),
            keyed=keyed,
        )

    def _wait(self, at: int, run: str, calls: list[str], *, keyed: bool) -> None:
        """Let a run wait for the calls named, or for all that are open."""
        thread, wanted = self.threads[at], list(dict.fromkeys(calls)) or None
        self._do(
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
        self._do(
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
        self._do(
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
        target = self._new("step") if what == "step" else self._some(pick, known, "step")
        if what == "step":

            def act(options: dict[str, Any]) -> Any:  # noqa: ANN401
                context = self.store.runs.context(thread.id, run)
                return steps.start(thread.id, run, context=context, step_id=target, **options)

            started = self._do(at, act, lambda o, _: o.start_step(run, target))
            if started is not None:
                assert self.store.runs.context(thread.id, run, step_id=target).verified
            return
        end = steps.complete if what == "step_completed" else steps.fail
        self._do(
            at,
            lambda options: end(thread.id, target, **options),
            lambda o, _: o.end_step(target, what.removeprefix("step_")),
        )

    # -- saying it again -----------------------------------------------------------------------

    @rule(pick=PICKS, same=MOSTLY)
    @precondition(lambda self: self.done)
    def use_a_key_again(self, pick: int, same: bool) -> None:  # noqa: FBT001
        """Law 7: with the same command, the first result and nothing added; else a conflict."""
        done = self.done[-(pick % len(self.done)) - 1]
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
        self._look_at(self.threads[at], self.threads[at].version)


_SENSIBLE: Final = {
    "queued": ["start", "start", "start", "cancelled", "failed", "expired"],
    "in_progress": [
        *("say", "say", "say", "call_and_wait", "call_and_wait", "completed", "incomplete"),
        *("failed", "expired", "cancelled", "take_over", "step", "step_completed", "step_failed"),
    ],
    "requires_action": ["submit", "submit", "submit", "submit", "cancelled", "expired"],
    "cancelling": ["say", "cancelled", "cancelled", "completed", "step"],
}
_ANYTHING: Final = sorted({what for options in _SENSIBLE.values() for what in options})


def _role_of(said: Words, pick: int) -> str:
    if said.answer is not None:
        return "tool"
    return "assistant" if said.call is not None else ["user", "assistant", "system"][pick % 3]
