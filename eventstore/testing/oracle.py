"""The oracle: a naive model of a thread, to hold a store against.

A thread here is what anybody would write first: dictionaries of messages with parent pointers, a
list of children for each, the child that was active last, and a walk up whenever a question comes.
It knows nothing of segments, depths, ranges or rows, and a fork is a copy. That is the point: the
store is fast because it does none of this, and must give the same answers.

Each method is a command. It raises :class:`Refusal` with the code that the store's error has, or
changes the model and notes in :attr:`OracleThread.events` which events must come of it.

The file is long because it is one model: whoever doubts the store should be able to read here,
from top to bottom, what a thread is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from eventstore.errors import ConversationStoreError, Refused
from eventstore.operations.operation import EMPTY

__all__ = [
    "HEAD",
    "LEGAL_MOVES",
    "TERMINAL",
    "OracleMessage",
    "OracleRun",
    "OracleThread",
    "Refusal",
    "Words",
    "code_of",
]

HEAD: Final = "<head>"
"""Parent of a message that names none."""

LEGAL_MOVES: Final = frozenset(
    {
        ("queued", "in_progress"),
        ("queued", "cancelled"),
        ("queued", "expired"),
        ("queued", "failed"),
        ("in_progress", "requires_action"),
        ("in_progress", "completed"),
        ("in_progress", "incomplete"),
        ("in_progress", "failed"),
        ("in_progress", "cancelling"),
        ("in_progress", "expired"),
        ("requires_action", "queued"),
        ("requires_action", "cancelling"),
        ("requires_action", "expired"),
        ("cancelling", "cancelled"),
        ("cancelling", "completed"),
        ("cancelling", "failed"),
        ("cancelling", "incomplete"),
        ("cancelling", "expired"),
    }
)
"""Every move of a run, as pairs of statuses; a change of holder is not one."""

TERMINAL: Final = frozenset({"completed", "incomplete", "failed", "cancelled", "expired"})

_EVENT_OF_END: Final = {
    "completed": "RunCompleted",
    "incomplete": "RunIncomplete",
    "failed": "RunFailed",
    "cancelled": "RunCancelled",
    "expired": "RunExpired",
}


class Refusal(Exception):
    """The oracle says that the store must say no, and why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def code_of(error: ConversationStoreError) -> str:
    """Return the code by which the store's refusals and the oracle's are compared."""
    return error.reason if isinstance(error, Refused) else type(error).__name__


@dataclass(frozen=True)
class Words:
    """What a message says: text, or one tool call, or one tool's result."""

    text: str = ""
    call: str | None = None
    answer: str | None = None
    metadata: tuple[tuple[str, Any], ...] = ()
    name: str | None = None

    @property
    def content(self) -> Any:  # noqa: ANN401 (what a caller would give)
        """The content as a caller gives it to the store."""
        if self.answer is not None:
            return [{"type": "tool_result", "call_id": self.answer, "output": self.text}]
        if self.call is not None:
            call = {"type": "tool_call", "id": self.call, "name": "look_up", "arguments": {}}
            return [{"type": "text", "text": self.text}, call]
        return self.text

    @property
    def shown(self) -> str:
        """The text that the message shows."""
        return "" if self.answer is not None else self.text


@dataclass
class OracleMessage:
    """One message."""

    id: str
    role: str
    parent: str | None
    wordings: list[Words]
    version: int
    status: str = "completed"
    metadata: dict[str, Any] = field(default_factory=dict)
    name: str | None = None
    replaces: str | None = None
    run_id: str | None = None
    queued: int | None = None
    """Version at which it, or what it replaces, was queued, while it waits."""
    removed: bool = False
    took_head: bool = False
    """Its removal moved the head."""
    origin: tuple[str, int] | None = None


@dataclass
class OracleRun:
    """One run."""

    id: str
    version: int
    regenerates: str | None
    status: str = "queued"
    started: bool = False
    started_head: str | None = None
    last_message: str | None = None
    pending: tuple[str, ...] = ()
    steps: dict[str, str] = field(default_factory=dict)


@dataclass
class OracleThread:
    """One thread."""

    id: str
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    events: list[str] = field(default_factory=lambda: ["ThreadCreated"])
    messages: dict[str, OracleMessage] = field(default_factory=dict)
    children: dict[str | None, list[str]] = field(default_factory=dict)
    active: dict[str | None, str] = field(default_factory=dict)
    """The child through which the head went last, by parent."""
    head: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    runs: dict[str, OracleRun] = field(default_factory=dict)
    archived: bool = False
    deleted: bool = False

    # -- questions -----------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """How many events there must be."""
        return len(self.events)

    def copy(self) -> OracleThread:
        """Return an independent copy."""
        return copy.deepcopy(self)

    def up_from(self, message_id: str | None) -> Iterator[OracleMessage]:
        """Yield a message, its parent, and so on up to a root."""
        while message_id is not None:
            message = self.messages[message_id]
            yield message
            message_id = message.parent

    def path(self, message_id: str | None) -> list[str]:
        """Return the path from a root down to a message."""
        return [message.id for message in self.up_from(message_id)][::-1]

    def is_visible(self, message_id: str) -> bool:
        """Tell whether neither the message nor one above it was removed."""
        return not any(message.removed for message in self.up_from(message_id))

    def siblings(self, message_id: str) -> list[str]:
        """Return the children of a message's parent that are not removed."""
        message = self.messages[message_id]
        if message.status in {"queued", "replaced"}:
            return [message_id]
        everyone = self.children.get(message.parent, [])
        return [one for one in everyone if not self.messages[one].removed]

    def next_below(self, message_id: str | None) -> str | None:
        """Return the child that was active last; the first one if none ever was."""
        children = self.children.get(message_id)
        return self.active.get(message_id, children[0]) if children else None

    def leaf_below(self, message_id: str) -> str:
        """Return where selecting a message leads."""
        below = self.next_below(message_id)
        while below is not None and not self.messages[below].removed:
            message_id, below = below, self.next_below(below)
        return message_id

    def visible_tree(self, parent: str | None = None) -> list[str]:
        """Return every visible message, depth first."""
        found = []
        for child in self.children.get(parent, []):
            if not self.messages[child].removed:
                found += [child, *self.visible_tree(child)]
        return found

    def leaves(self) -> list[str]:
        """Return the visible messages with no visible child."""
        visible = self.visible_tree()
        parents = {self.messages[one].parent for one in visible}
        return [one for one in visible if one not in parents]

    def open_calls(self, message_id: str | None) -> list[str]:
        """Return the tool calls on a path that have no result on it."""
        calls: list[str] = []
        for step in self.path(message_id):
            words = self.messages[step].wordings[0]
            calls = [call for call in calls if call != words.answer]
            calls += [words.call] if words.call is not None else []
        return calls

    def queue(self) -> list[str]:
        """Return the messages that wait, in the order they were sent."""
        waiting = [one for one in self.messages.values() if one.queued is not None]
        return [one.id for one in sorted(waiting, key=_sent) if not one.removed]

    def open_runs(self) -> list[OracleRun]:
        """Return the runs that have not ended, in the order they were sent."""
        return [run for run in self.runs.values() if run.status not in TERMINAL]

    # -- checks --------------------------------------------------------------------------------

    def check_living(self) -> None:
        """Hold that the thread was not deleted."""
        if self.deleted:
            raise Refusal("thread_deleted")

    def _writable(self) -> None:
        self.check_living()
        if self.archived:
            raise Refusal("thread_archived")

    def _some(self, message_id: str) -> OracleMessage:
        if message_id not in self.messages:
            raise Refusal("MessageNotFound")
        return self.messages[message_id]

    def _visible(self, message_id: str) -> OracleMessage:
        message = self._some(message_id)
        if not self.is_visible(message_id):
            raise Refusal("message_removed")
        return message

    def _changeable(self, message_id: str) -> OracleMessage:
        message = self._visible(message_id)
        if message.status == "replaced":
            raise Refusal("message_replaced")
        return message

    def _placed(self, message_id: str) -> OracleMessage:
        message = self._changeable(message_id)
        if message.queued is not None:
            raise Refusal("message_queued")
        return message

    def _unused(self, message_id: str) -> None:
        if message_id in self.messages:
            raise Refusal("InvalidInput")

    def _paired(self, parent: str | None, words: Words) -> None:
        calls = self.open_calls(parent)
        if words.answer is not None and words.answer not in calls:
            raise Refusal("call_not_open")
        if words.call is not None and words.call in calls:
            raise Refusal("call_already_open")

    def _run(self, run_id: str) -> OracleRun:
        self.check_living()
        if run_id not in self.runs:
            raise Refusal("RunNotFound")
        return self.runs[run_id]

    def _writing(self, run_id: str) -> OracleRun:
        if run_id not in self.runs:
            raise Refusal("RunNotFound")
        run = self.runs[run_id]
        if run.status not in {"in_progress", "cancelling"}:
            raise Refusal("run_not_in_progress")
        return run

    def check_head(self, expected: str) -> None:
        """Hold ``expected_head`` against the head."""
        if self.head != (None if expected == EMPTY else expected):
            raise Refusal("WrongExpectedHead")

    def check_version(self, expected: int) -> None:
        """Hold ``expected_version`` against the version."""
        if self.version != expected:
            raise Refusal("WrongExpectedVersion")

    # -- the thread ----------------------------------------------------------------------------

    def update(self, title: str | None, metadata: dict[str, Any]) -> None:
        """Say that title and metadata are replaced."""
        self.check_living()
        self.title, self.metadata = title, metadata
        self.events.append("ThreadUpdated")

    def archive(self) -> None:
        """Say that the thread rests."""
        self.check_living()
        self._require(not self.open_runs(), "thread_busy")
        if not self.archived:
            self.archived = True
            self.events.append("ThreadArchived")

    def unarchive(self) -> None:
        """Say that it goes on."""
        self.check_living()
        if self.archived:
            self.archived = False
            self.events.append("ThreadUnarchived")

    def delete(self) -> None:
        """Say that it is hidden."""
        self.check_living()
        if self.open_runs():
            raise Refusal("thread_busy")
        self.deleted = True
        self.events.append("ThreadDeleted")

    def restore_thread(self) -> None:
        """Say that it is back."""
        if self.deleted:
            self.deleted = False
            self.events.append("ThreadRestored")

    def fork(self, fork_id: str, at_message: str | None) -> OracleThread:
        """Return a fork of this thread as it stands: the path, copied."""
        self.check_living()
        end = at_message or self.head
        if end is None:
            raise Refusal("nothing_to_fork")
        self._placed(end)
        fork = OracleThread(fork_id, self.title, dict(self.metadata), ["ThreadForked"])
        fork.head = end
        for message in reversed(list(self.up_from(end))):
            inherited = copy.deepcopy(message)
            inherited.origin = message.origin or (self.id, message.version)
            fork.messages[message.id] = inherited
            fork.children[message.parent] = [message.id]
            fork.active[message.parent] = message.id
        return fork

    # -- messages ------------------------------------------------------------------------------

    def create(
        self,
        message_id: str,
        role: str,
        words: Words,
        *,
        parent: str | None = HEAD,
        select: bool = True,
        run_id: str | None = None,
        on_busy: str = "enqueue",
    ) -> None:
        """Say that a message is added, or has to wait."""
        self._writable()
        self._unused(message_id)
        if run_id is not None:
            self._create_in_run(message_id, role, words, run_id, select=select)
            return
        if parent == HEAD and self.open_runs():
            plain = words.call is None and words.answer is None
            if on_busy == "enqueue":
                self._require(plain and select, "thread_busy")
                self._event("MessageQueued")
                message = OracleMessage(message_id, role, None, [words], self.version)
                message.queued, message.status = self.version, "queued"
                self.messages[message_id] = _dressed(message)
                return
            self._require(on_busy != "reject", "thread_busy")
            self._require(plain, "thread_busy")
            self._make_way(on_busy)
        elif parent not in {HEAD, None}:
            self._placed(str(parent))
        above = self.head if parent == HEAD else parent
        self._paired(above, words)
        self._add("MessageAdded", message_id, role, above, words, select=select)

    def _create_in_run(
        self, message_id: str, role: str, words: Words, run_id: str, *, select: bool
    ) -> None:
        run = self._writing(run_id)
        if run.last_message is not None:
            self._placed(run.last_message)
        self._paired(run.last_message, words)
        moves = select and self.head == run.last_message
        self._add(
            "MessageAdded", message_id, role, run.last_message, words, select=moves, run_id=run_id
        )

    def edit(self, message_id: str, target: str, words: Words, *, select: bool = True) -> None:
        """Say that a sibling stands beside a message, or another takes its place in the queue."""
        self._writable()
        self._unused(message_id)
        old = self._changeable(target)
        if old.queued is not None:
            plain = words.call is None and words.answer is None
            self._require(old.role != "tool" and words.answer is None, "InvalidInput")
            self._require(words.call is None or old.role == "assistant", "InvalidInput")
            self._require(plain and select, "thread_busy")
            self._event("MessageQueued")
            new = OracleMessage(message_id, old.role, None, [words], self.version)
            new.queued, new.status, new.replaces = old.queued, "queued", target
            old.queued, old.status = None, "replaced"
            self.messages[message_id] = _dressed(new)
            return
        self._beside("MessageEdited", message_id, target, words, select=select)

    def regenerate(
        self,
        message_id: str,
        target: str,
        words: Words,
        *,
        select: bool = True,
        run_id: str | None = None,
    ) -> None:
        """Say that there is another answer."""
        if run_id is not None:
            self._writing(run_id)
        kind = "MessageRegenerated"
        self._beside(kind, message_id, target, words, select=select, run_id=run_id)

    def _beside(
        self,
        kind: str,
        message_id: str,
        target: str,
        words: Words,
        *,
        select: bool,
        run_id: str | None = None,
    ) -> None:
        self._writable()
        self._unused(message_id)
        old = self._placed(target)
        tools = (words.call is not None, words.answer is not None)
        right = {"assistant": tools[1] is False, "tool": tools == (False, True)}
        self._require(right.get(old.role, not any(tools)), "InvalidInput")
        self._paired(old.parent, words)
        if kind == "MessageRegenerated":
            self._require(old.role == "assistant", "not_an_answer")
        self._add(kind, message_id, old.role, old.parent, words, select=select, run_id=run_id)
        self.messages[message_id].replaces = target

    def amend(self, target: str, words: Words) -> None:
        """Say that a message's wording is corrected."""
        self._writable()
        message = self._changeable(target)
        first = message.wordings[0]
        self._require((words.call, words.answer) == (first.call, first.answer), "calls_changed")
        message.wordings.append(words)
        self._event("MessageAmended")

    def update_message(self, target: str, metadata: dict[str, Any], name: str | None) -> None:
        """Say that a message's metadata and name are replaced."""
        self.check_living()
        message = self._changeable(target)
        message.metadata, message.name = metadata, name
        self._event("MessageUpdated")

    def remove(self, target: str) -> None:
        """Say that a message is hidden with what follows."""
        self._writable()
        message = self._changeable(target)
        message.took_head = message.queued is None and target in self.path(self.head)
        if message.took_head:
            self.head = message.parent
        message.removed = True
        self._event("MessageRemoved")

    def restore(self, target: str) -> None:
        """Say that a message is back, and the head with it if it was there."""
        self._writable()
        message = self._some(target)
        if not message.removed:
            return
        message.removed = False
        self._event("MessageRestored")
        if message.queued is not None:
            if not any(run.started for run in self.open_runs()):
                self._let_in([target])
        elif (
            message.took_head
            and self.head == message.parent
            and self.next_below(message.parent) == target
        ):
            self._move_head(self.leaf_below(target))

    def _add(
        self,
        kind: str,
        message_id: str,
        role: str,
        parent: str | None,
        words: Words,
        *,
        select: bool,
        run_id: str | None = None,
    ) -> None:
        self._event(kind)
        message = OracleMessage(message_id, role, parent, [words], self.version, run_id=run_id)
        self.messages[message_id] = _dressed(message)
        self.children.setdefault(parent, []).append(message_id)
        if run_id is not None:
            self.runs[run_id].last_message = message_id
        if select:
            self._move_head(message_id)

    def _move_head(self, message_id: str | None) -> None:
        self.head = message_id
        for message in self.up_from(message_id):
            self.active[message.parent] = message.id

    # -- branches ------------------------------------------------------------------------------

    def select(self, branch: str) -> None:
        """Say that the path through a message, named by id or label, becomes the active one."""
        self._writable()
        if not branch.startswith("msg_"):
            self._require(branch in self.labels, "MessageNotFound")
            branch = self.labels[branch]
        leaf = self.leaf_below(self._placed(branch).id)
        if leaf != self.head:
            self._move_head(leaf)
            self._event("BranchSelected")

    def label(self, target: str, label: str | None) -> None:
        """Say that a message has a label, or loses it."""
        self.check_living()
        self._some(target)
        if label is not None:
            self._changeable(target)
            self._require(self.labels.get(label, target) == target, "label_in_use")
        self.labels = {one: bearer for one, bearer in self.labels.items() if bearer != target}
        if label is not None:
            self.labels[label] = target
        self._event("BranchLabelled")

    # -- runs ----------------------------------------------------------------------------------

    def create_run(self, run_id: str, regenerates: str | None, on_busy: str) -> None:
        """Say that a run is queued."""
        self._writable()
        self._require(run_id not in self.runs, "InvalidInput")
        if regenerates is not None:
            self._require(self._placed(regenerates).role == "assistant", "not_an_answer")
        if self.open_runs() and on_busy != "enqueue":
            self._require(on_busy != "reject", "thread_busy")
            self._make_way(on_busy)
        self._event("RunQueued")
        self.runs[run_id] = OracleRun(run_id, self.version, regenerates)

    def start_run(self, run_id: str, fresh: Callable[[], str], *, take_over: bool = False) -> None:
        """Say that a run begins or goes on; ``fresh`` gives ids of results that close calls."""
        self._writable()
        run = self._run(run_id)
        if take_over and run.status == "in_progress":
            self._event("RunTakenOver")
            return
        self._check_move(run, "in_progress")
        self._require(self.open_runs()[0] is run, "not_its_turn")
        if not run.started:
            if run.regenerates is not None:
                above = self._placed(run.regenerates).parent
                if above != self.head:
                    self._move_head(above)
                    self._event("BranchSelected")
            for call in self.open_calls(self.head):
                words = Words(answer=call)
                self._add("MessageAdded", fresh(), "tool", self.head, words, select=True)
            run.started, run.started_head, run.last_message = True, self.head, self.head
        run.status = "in_progress"
        self._event("RunStarted")

    def require_action(self, run_id: str, calls: Sequence[str] | None) -> None:
        """Say that a run waits for tool outputs."""
        run = self._run(run_id)
        there = self.open_calls(run.last_message)
        wanted = tuple(there if calls is None else calls)
        self._require(bool(wanted) and set(wanted) <= set(there), "no_open_call")
        self._check_move(run, "requires_action")
        run.status, run.pending = "requires_action", wanted
        self._event("RunActionRequired")

    def submit(self, run_id: str, outputs: Sequence[Words], fresh: Callable[[], str]) -> None:
        """Say that tool outputs come in."""
        run = self._run(run_id)
        self._check_move(run, "queued")
        given = [words.answer for words in outputs]
        right = set(given) <= set(run.pending) and len(set(given)) == len(given) > 0
        self._require(right, "unexpected_tool_outputs")
        if run.last_message is not None:
            self._placed(run.last_message)
        moves = self.head == run.last_message
        for words in outputs:
            parent = run.last_message
            self._add("MessageAdded", fresh(), "tool", parent, words, select=moves, run_id=run_id)
        run.pending = tuple(call for call in run.pending if call not in given)
        if not run.pending:
            run.status = "queued"
        self._event("ToolOutputsSubmitted")

    def end_run(self, run_id: str, status: str) -> None:
        """Say that a run completed, failed, expired or stayed incomplete."""
        run = self._run(run_id)
        self._check_move(run, status)
        self._end(run, status)
        self._let_in(self.queue())

    def cancel_run(self, run_id: str) -> None:
        """Say that a run is to end: at once, or once its loop has kept what it wrote."""
        run = self._run(run_id)
        if run.status == "in_progress":
            run.status = "cancelling"
            self._event("RunCancelling")
            return
        if run.status == "requires_action":
            self._event("RunCancelling")
        else:
            self._check_move(run, "cancelled")
        self._end(run, "cancelled")
        self._let_in(self.queue())

    def update_run(self, run_id: str) -> None:
        """Say that a run's metadata is replaced."""
        self._run(run_id)
        self._event("RunUpdated")

    def start_step(self, run_id: str, step_id: str) -> None:
        """Say that a step begins."""
        run = self._writing(run_id)
        run.steps[step_id] = "in_progress"
        self._event("RunStepStarted")

    def end_step(self, step_id: str, status: str) -> None:
        """Say that a step ended."""
        run = next((run for run in self.runs.values() if step_id in run.steps), None)
        if run is None:
            raise Refusal("unknown_step")
        self._writing(run.id)
        self._require(run.steps[step_id] == "in_progress", "step_ended")
        run.steps[step_id] = status
        self._event("RunStepCompleted" if status == "completed" else "RunStepFailed")

    def _check_move(self, run: OracleRun, status: str) -> None:
        self._require(run.status not in TERMINAL, "run_ended")
        self._require((run.status, status) in LEGAL_MOVES, "illegal_transition")

    def _end(self, run: OracleRun, status: str) -> None:
        run.status, run.pending = status, ()
        self._event(_EVENT_OF_END[status])

    def _make_way(self, on_busy: str) -> None:
        """Cancel every run; with ``rollback`` go back to where the one under way began."""
        runs = self.open_runs()
        for run in runs:
            if run.status not in {"queued", "cancelling"}:
                self._event("RunCancelling")
            self._end(run, "cancelled")
        if on_busy == "rollback" and runs[0].started:
            back = self._nearest_visible(runs[0].started_head)
            if back != self.head:
                self._move_head(back)
                self._event("BranchSelected")
        self._let_in(self.queue())

    def _nearest_visible(self, message_id: str | None) -> str | None:
        above = (message.id for message in self.up_from(message_id))
        return next((one for one in above if self.is_visible(one)), None)

    def _let_in(self, waiting: Iterable[str]) -> None:
        """Let the messages join that were sent before the first run that has not ended."""
        first = min((run.version for run in self.open_runs()), default=None)
        for message_id in waiting:
            message = self.messages[message_id]
            if first is not None and _sent(message) > first:
                break
            self._event("MessageAdded")
            message.version, message.queued, message.status = self.version, None, "completed"
            message.parent = self.head
            self.children.setdefault(self.head, []).append(message_id)
            self._move_head(message_id)

    def _event(self, kind: str) -> None:
        self.events.append(kind)

    def _require(self, holds: bool, code: str) -> None:  # noqa: FBT001 (private)
        if not holds:
            raise Refusal(code)


def _sent(message: OracleMessage) -> int:
    return message.queued or 0


def _dressed(message: OracleMessage) -> OracleMessage:
    words = message.wordings[0]
    message.metadata, message.name = dict(words.metadata), words.name
    return message
