"""Rules of the machine that add, correct and remove messages, one or several at once."""

# ruff: noqa: FBT001 (rules take what Hypothesis draws for them, by name)

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import rule

from eventstore.api.faces.handles import Handle
from eventstore.api.operations.operation import EMPTY, UNSET
from eventstore.conversation.commands import OnBusy
from eventstore.conversation.values import Message
from eventstore.testing.comparison_parts import Fresh
from eventstore.testing.machine.base import ANSWERED, BUSY, GUARDS, MOSTLY, PICKS, SAID, Machine
from eventstore.testing.oracle import HEAD, OracleThread, Words
from eventstore.testing.strategies import NAMES, words

__all__ = ["MessageRules"]

_CHANGES_WITH_SIBLINGS: Final = {"sibling_index": 0, "sibling_count": 0}


class MessageRules(Machine):
    """Rules about messages."""

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
        on_busy: OnBusy,
        guard: str | None,
        keyed: bool,
    ) -> None:
        """Add a message at the head, under a message, or as a new root, with some expectation."""
        at = self.a_thread(at)
        thread, new = self.threads[at], self.both.new_id()
        above = {"head": HEAD, "root": None, "message": self.a_message(pick, thread)}[parent]
        role = _role_of(said, pick)
        believed: dict[str, Any] = {}
        if guard in {"head", "another head"}:
            head = thread.head or EMPTY
            believed["expected_head"] = head if guard == "head" else self.a_message(pick, thread)
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
            "provider": said.provider,
            **believed,
        }

        def say(oracle: OracleThread, fresh: Fresh) -> None:
            if "expected_version" in believed:
                oracle.check_version(believed["expected_version"])
            if "expected_head" in believed:
                oracle.check_head(believed["expected_head"])
            oracle.create(new, role, said, fresh, parent=above, select=select, on_busy=on_busy)

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
        """Add a sibling of a message. Law 4: every other branch's path stays as it is."""
        at = self.a_thread(at)
        thread, new = self.threads[at], self.both.new_id()
        target = self.a_message(pick, thread)
        if thread.queue() and pick % 2:
            target = self.one_of(pick, thread.queue())
        run = None if alone or not thread.runs else self.a_run(pick, thread)
        options: dict[str, Any] = {
            "content": said.content,
            "new_message_id": new,
            "select": select,
            "name": said.name,
            "metadata": dict(said.metadata) or None,
            "provider": said.provider,
        }
        fence = self.fence_of(pick, thread, run)
        others = [] if thread.deleted else thread.leaves()
        before = [self._branch(thread, leaf) for leaf in others]
        if answer and target in thread.messages and thread.messages[target].role == "assistant":
            self.both.do(
                at,
                lambda more: self.store.messages.regenerate(
                    thread.id, target, run_id=run, fence=fence, **options, **more
                ),
                lambda o, _: o.regenerate(
                    new, target, said, select=select, run_id=run, fence=fence
                ),
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
        """Return a path without the numbers of its messages' siblings."""
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
        at = self.a_thread(at)
        thread = self.threads[at]
        target = self.a_message(pick, thread)
        name = NAMES[pick % len(NAMES)]
        label = name if what == "label" else None
        first = thread.messages[target].wordings[0] if target in thread.messages else said
        if pick % 4:
            said = Words(said.text, first.calls, first.answer, provider=said.provider)
        messages, branches = self.store.messages, self.store.branches
        act: Callable[[dict[str, Any]], Any]
        say: Callable[[OracleThread, Fresh], Any]
        if what == "amend":
            act = lambda o: messages.amend(  # noqa: E731
                thread.id, target, content=said.content, provider=said.provider, **o
            )
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
        """Remove a message with those below it, or restore one."""
        at = self.a_thread(at)
        thread = self.threads[at]
        gone = [message.id for message in thread.messages.values() if message.removed]
        if back and gone:
            target = self.one_of(pick, gone)
            self.both.do(
                at,
                lambda options: self.store.messages.restore(thread.id, target, **options),
                lambda o, fresh: o.restore(target, fresh),
                keyed=keyed,
            )
        else:
            target = self.a_message(pick, thread)
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
        """Add several messages at once; if one has an id that is in use, none is added."""
        at = self.a_thread(at)
        thread = self.threads[at]
        guards: dict[str, Any] = {"expected_head": thread.head} if guarded and thread.head else {}
        new = [self.both.new_id() for _ in said]
        if not sound and thread.messages:
            new[-1] = next(iter(thread.messages))
        given = [
            {"role": "user", "content": one.content, "message_id": message_id}
            for one, message_id in zip(said, new, strict=True)
        ]

        def say(oracle: OracleThread, fresh: Fresh) -> None:
            for one, message_id in zip(said, new, strict=True):
                oracle.create(message_id, "user", Words(one.text), fresh)

        self.both.do(
            at,
            lambda options: self.store.messages.create_many(thread.id, given, **guards, **options),
            say,
            keyed=keyed,
        )

    @rule(at=PICKS, pick=PICKS, said=SAID, keyed=st.booleans())
    def batch(self, at: int, pick: int, said: Words, keyed: bool) -> None:
        """Batch several commands: ask, answer, label it, go back, plan a run."""
        at = self.a_thread(at)
        thread = self.threads[at]
        back, asked, answered = self.a_message(pick, thread), self.both.new_id(), self.both.new_id()
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

        def say(oracle: OracleThread, fresh: Fresh) -> None:
            oracle.create(asked, "user", Words(said.text), fresh, parent=None)
            oracle.create(answered, "user", Words("Yes."), fresh, parent=asked)
            oracle.label(answered, name)
            oracle.remove(back)
            oracle.restore(back, fresh)
            oracle.select(back)
            oracle.create_run(run, None, "enqueue", fresh)
            oracle.cancel_run(run, fresh)

        self.both.do(at, act, say, keyed=keyed)


def _role_of(said: Words, pick: int) -> str:
    if said.answer is not None:
        return "tool"
    return "assistant" if said.calls else ["user", "assistant", "system"][pick % 3]
