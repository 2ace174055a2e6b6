"""A store and the oracle side by side: do one thing to both, and hold one against the other.

``machine`` does things at random; a test of your own can do them in an order that it knows::

    both = Comparison(store)
    at = both.begin()
    thread = both.threads[at]
    both.do(at, lambda o: store.threads.archive(thread.id, **o), lambda o, _: o.archive())

After each step, everything that can be read is compared with the oracle: the tree,
the active path, the queue, the runs, and the decision tables with the events they are made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from eventstore.api.store import ConversationStore
from eventstore.conversation.run_values import Run
from eventstore.conversation.thread_state import ThreadState
from eventstore.conversation.values import BranchTree, Message, TreeNode
from eventstore.errors import ConversationStoreError
from eventstore.testing.comparison_parts import Done, Fresh
from eventstore.testing.oracle import OracleThread, Refusal, code_of

__all__ = ["Comparison"]

_BORN: Final = frozenset({"MessageAdded", "MessageEdited", "MessageRegenerated", "MessageQueued"})

T = TypeVar("T")


class Comparison:
    """The threads of one store, and the oracle's model of each."""

    def __init__(self, store: ConversationStore) -> None:
        self.store = store
        self.threads: list[OracleThread] = []
        self.past: dict[tuple[str, int], OracleThread] = {}
        """The oracle's model of a thread, at each version that was read."""
        self.seen: dict[tuple[str, int], ThreadState] = {}
        """Results of live reads, by thread and version."""
        self.done: list[Done] = []
        """Writes that were accepted under an idempotency key."""
        self.sound: bool = True
        """Whether nothing has failed so far, so that a last comparison makes sense."""
        self._recorded_at: dict[str, Any] = {}
        self._made = 0
        self._turn = 0

    def begin(self, title: str = "Plans", user: str = "u_1") -> int:
        """Create a thread; return its place in :attr:`threads`."""
        thread = self.store.threads.create(title=title, metadata={"user": user})
        return self.take(OracleThread(thread.id, title, {"user": user}))

    def take(self, thread: OracleThread) -> int:
        """Compare a thread that was just created or forked from now on; return its place."""
        self.threads.append(thread)
        self.look_at(thread, 0)
        return len(self.threads) - 1

    def new_id(self, prefix: str = "msg") -> str:
        """Return an id that was not used."""
        self._made += 1
        return f"{prefix}_{self._made:032x}"

    def look_back(self) -> None:
        """Compare everything once more, the past included."""
        for thread in self.threads:
            self._check(thread)
            self._check_replay(thread)
            self._check_said(thread)
            if not thread.deleted:
                self._check_sights(thread)
        self._check_lists()

    def do(
        self,
        at: int,
        act: Callable[[dict[str, Any]], T],
        say: Callable[[OracleThread, Fresh], object],
        *,
        keyed: bool = False,
    ) -> T | None:
        """Do one thing in the store and in the oracle: both accept it, or both refuse it."""
        self.sound = False
        before = self.threads[at]
        thread = before.copy()
        options: dict[str, Any] = {"idempotency_key": self.new_id("key")} if keyed else {}
        result, refused = None, None
        try:
            result = act(options)
        except ConversationStoreError as error:
            refused = code_of(error)
        happened = list(self.store.events.read(before.id, after=before.version))
        born = [event.data["message_id"] for event in happened if event.type in _BORN]
        expected = None
        try:
            say(thread, Fresh([one for one in born if one not in before.messages]))
        except Refusal as refusal:
            expected = refusal.code
        assert refused == expected, f"the store said {refused}, the oracle {expected}"
        if expected is not None:
            thread = before
        kinds = [event.type for event in happened]
        assert kinds == thread.events[before.version :], "other events than the oracle's"
        self.threads[at] = thread
        self.look_at(thread, before.version)
        if keyed and expected is None:
            key, versions = (
                options["idempotency_key"],
                range(before.version + 1, thread.version + 1),
            )
            self.done.append(Done(before.id, key, lambda: act(options), result, versions))
        return result

    # -- laws that must hold after each step ---------------------------------------------------

    def look_at(self, thread: OracleThread, after: int) -> None:
        """Compare the thread that was changed, and another one, which must not have changed."""
        self.sound = False
        self._check_versions(thread, after)
        self._check(thread)
        self.past[thread.id, thread.version] = thread.copy()
        self._turn += 1
        other = self.threads[self._turn % len(self.threads)]
        if other is not thread:
            self._check(other)
        self.sound = True

    def _check_versions(self, thread: OracleThread, after: int) -> None:
        """Law 1: versions without a gap, and times that never decrease along them."""
        events = list(self.store.events.read(thread.id, after=after))
        assert [event.version for event in events] == list(range(after + 1, thread.version + 1))
        last = self._recorded_at.get(thread.id)
        for event in events:
            assert last is None or event.recorded_at >= last, "recorded_at went back"
            last = event.recorded_at
        self._recorded_at[thread.id] = last

    def _check(self, thread: OracleThread) -> None:
        """Compare everything about one thread."""
        found = self.store.threads.get(thread.id, include_deleted=True)
        facts = (found.version, found.head_id, found.archived, found.deleted, found.busy)
        busy = bool(thread.open_runs())
        expected = (thread.version, thread.head, thread.archived, thread.deleted, busy)
        assert facts == expected
        assert (found.title, found.metadata) == (thread.title, thread.metadata)
        report = self.store.projections.compare(thread.id)
        assert report.ok, report.findings  # law 2
        if not thread.deleted:
            tree = self._check_tree(thread)
            path, waiting = self._check_path(thread)
            runs = self._check_runs(thread)
            self._keep_sight(
                ThreadState(
                    thread=found,
                    version=found.version,
                    messages=path,
                    tree=tree,
                    queued=waiting,
                    runs=runs,
                    labels=thread.labels,
                )
            )

    def _check_tree(self, thread: OracleThread) -> BranchTree:
        """Compare the visible messages: their places and their order."""
        tree = self.store.branches.tree(thread.id)
        assert tree.head_id == thread.head
        assert [node.message.id for node in tree.nodes] == thread.visible_tree()
        active = set(thread.path(thread.head))
        assert active <= set(thread.visible_tree()), "the active path shows a removed message"
        for node in tree.nodes:
            self._check_node(thread, node, active)
        ends = [branch.leaf_id for branch in self.store.branches.list(thread.id)]
        assert ends == thread.leaves()
        return tree

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
        assert found.sibling_index == siblings.index(found.id) + 1
        assert found.parent_id == expected.parent
        assert found.role == expected.role
        assert found.text == expected.wordings[-1].shown
        assert found.erased == expected.wordings[-1].erased
        assert not (found.erased and found.content)
        results = [part.status for part in found.content if part.type == "tool_result"]
        answered = expected.wordings[-1].answer is not None and not found.erased
        assert results == ([expected.wordings[-1].outcome] if answered else [])
        assert found.revision == len(expected.wordings) - 1
        assert found.metadata == expected.metadata
        assert found.name == expected.name
        assert found.provider == expected.wordings[-1].provider
        assert found.version == expected.version
        assert found.status == expected.status
        assert found.replaces == expected.replaces
        assert found.run_id == expected.run_id
        origin = None if found.origin is None else (found.origin.thread_id, found.origin.version)
        assert origin == expected.origin

    def _check_path(self, thread: OracleThread) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
        """Compare the active path, one path to a leaf, one way down, one set of siblings.

        Returns the path, and the messages that wait.
        """
        path = tuple(self.store.messages.list(thread.id))
        assert [message.id for message in path] == thread.path(thread.head)
        for message in path:
            self._check_message(thread, message)
        waiting = tuple(self.store.messages.queued(thread.id))
        assert [message.id for message in waiting] == thread.queue()
        visible = thread.visible_tree()
        if visible:
            chosen = visible[self._turn % len(visible)]
            ids = [one.id for one in self.store.messages.list(thread.id, branch=chosen)]
            assert ids == thread.path(thread.leaf_below(chosen))
            ids = [one.id for one in self.store.messages.list(thread.id, until=chosen)]
            assert ids == thread.path(chosen)
            ids = [one.id for one in self.store.branches.siblings(thread.id, chosen)]
            assert ids == thread.siblings(chosen)
            revisions = self.store.messages.revisions(thread.id, chosen)
            wordings = [(one.text, one.provider, one.erased) for one in revisions]
            said = thread.messages[chosen].wordings
            expected = [(one.shown, one.provider, one.erased) for one in said]
            assert wordings == expected
        return path, waiting

    def _check_runs(self, thread: OracleThread) -> tuple[Run, ...]:
        """Check law 9: the statuses of runs, one run past queued, the order of the queue."""
        runs = self.store.runs.list(thread.id, limit=None).data
        assert [run.id for run in runs] == list(thread.runs)
        for run in runs:
            expected = thread.runs[run.id]
            assert run.status == expected.status
            assert run.started_head_id == expected.started_head
            assert run.last_message_id == expected.last_message
            assert run.required_calls == expected.pending
            assert (run.holder, run.fence) == (expected.holder, expected.fence)
            held = run.status in {"in_progress", "cancelling"}
            assert (run.lease_ends_at is not None) == held
        past_queued = [
            r for r in runs if r.status in {"in_progress", "requires_action", "cancelling"}
        ]
        assert len(past_queued) <= 1
        # Events do not tell how long a lease lasts, so no replay gives it.
        return tuple(run.model_copy(update={"lease_ends_at": None}) for run in runs)

    def _keep_sight(self, live: ThreadState) -> None:
        """Remember the results of live reads at this version; later reads must give the same."""
        before = self.seen.setdefault((live.thread.id, live.version), live)
        assert live == before, "the thread looks different at the same version"

    def _check_replay(self, thread: OracleThread) -> None:
        """Check law 5: replay of the events up to a version gives what was read at it."""
        for step in self.store.replay.steps(thread.id):
            live = self.seen.get((thread.id, step.event.version))
            assert live is None or step.state.value() == live
        versions = [version for thread_id, version in self.seen if thread_id == thread.id]
        for version in versions[:: max(1, len(versions) // 4)]:
            state = self.store.replay.state(thread.id, at_version=version)
            assert state.value() == self.seen[thread.id, version]

    def _check_said(self, thread: OracleThread) -> None:
        """Check which events of messages and runs have content."""
        for event in self.store.events.read(thread.id):
            if event.data.keys() & {"message_id", "run_id"} and event.type != "ContentErased":
                there = event.content is not None
                assert there == (event.version in thread.said), (event.version, event.type)

    def _check_sights(self, thread: OracleThread) -> None:
        """Check that a step proves the messages it saw until one of them is erased."""
        for step, sight in thread.sights.items():
            seen = self.store.runs.context(thread.id, sight.run, step_id=step)
            assert seen.verified == (True if sight.version in thread.said else None)
            assert (seen.salt is None) == (seen.verified is None)

    def _check_lists(self) -> None:
        """Check that metadata finds threads, and forks by the metadata they inherited."""
        for user in ("u_1", "u_2"):
            found = self.store.threads.list(metadata={"user": user}, limit=None)
            expected = [t.id for t in self.threads if t.metadata["user"] == user and not t.deleted]
            assert [one.id for one in found] == expected
