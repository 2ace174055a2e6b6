"""A store whose clock and dice are known, and a thread that has lived through everything."""

import itertools
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from typing import Any

from eventstore import ConversationStore, Environment, ProviderForm

INVOICE = "invoice_" + "0" * 31 + "1"
NOON = 1_767_225_600_000_000
LONG = "It was a dark and stormy night. " * 1_025
"""Does not stand in its event's row."""


class Clock:
    """Ticks by a second, or says what it is told."""

    def __init__(self, moments: Iterable[int] | None = None) -> None:
        self._moments = iter(itertools.count(NOON, 1_000_000) if moments is None else moments)

    def __call__(self) -> int:
        return next(self._moments)


class Dice:
    """Bytes that differ each time and are the same in each test."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def __call__(self, size: int) -> bytes:
        blocks = -(-size // 8)
        return b"".join(next(self._count).to_bytes(8, "big") for _ in range(blocks))[:size]


def environment(moments: Iterable[int] | None = None) -> Environment:
    return Environment(Clock(moments), Dice())


def full_life(store: ConversationStore) -> list[str]:  # noqa: PLR0915 (a life is a list)
    """Let threads, an assistant and a stream of one's own see every kind of event.

    Returns the ids of the threads.
    """
    messages, branches, runs, steps = store.messages, store.branches, store.runs, store.runs.steps
    assistant = store.assistants.create(model="m1", name="Guide", instructions="Be brief.")
    store.assistants.update(assistant.id, model="m2", tools=[{"name": "clock"}])
    thread = store.threads.create(title="Sky", metadata={"user": "u_42"}, idempotency_key="sky")
    one = thread.id
    question = messages.create(one, role="user", content="Why is the sky blue?", name="Ann")
    answer = messages.create(one, role="assistant", content="Scattering.", external_id="x-1")
    form = ProviderForm(format="openai.chat", data=b'{"content": "\xff"}')
    other = messages.regenerate(one, answer.id, content="Rayleigh scattering.", provider=form)
    messages.edit(one, question.id, content="Why are sunsets red?", metadata={"try": 2})
    branches.select(one, other.id, reason="the first question was better")
    branches.label(one, answer.id, "short")
    branches.label(one, question.id, "start")
    branches.label(one, answer.id, None)
    messages.amend(one, other.id, content="Rayleigh scattering, mostly.")
    messages.update(one, question.id, metadata={"seen": True}, name=None)
    removed = messages.create(one, role="user", content="never mind \0 🙂")
    messages.remove(one, removed.id)
    messages.restore(one, removed.id)
    messages.remove(one, removed.id)
    run = runs.create(one, assistant_id=assistant.id, instructions="x", settings={"t": 0.5})
    runs.start(one, run.id, holder="worker-1")
    runs.write_text(one, run.id, "Let me", message_id=f"msg_{'0b' * 16}", offset=0)
    fence = runs.start(one, run.id, holder="worker-2", take_over=True).fence
    shown = f"msg_{'0c' * 16}"
    runs.write_text(one, run.id, "One ", message_id=shown, offset=0, fence=fence)
    context = runs.context(one, run.id)
    step = steps.start(one, run.id, context=context, details={"n": 1}, fence=fence)
    calls = [{"type": "tool_call", "id": name, "name": "clock"} for name in ("c1", "c2")]
    held: dict[str, Any] = {"run_id": run.id, "fence": fence}
    messages.create(
        one, role="assistant", content=["One moment.", *calls], message_id=shown, **held
    )
    steps.complete(one, step.id, usage={"input_tokens": 7}, fence=fence)
    steps.fail(one, steps.start(one, run.id, fence=fence).id, message="no answer", fence=fence)
    runs.require_action(one, run.id, fence=fence)
    outputs = [{"call_id": name, "output": "noon"} for name in ("c1", "c2")]
    runs.submit_tool_outputs(one, run.id, outputs)
    waits = messages.create(one, role="user", content="Are you there?")
    messages.edit(one, waits.id, content="Are you still there?")
    fence = runs.start(one, run.id, holder="worker-3").fence
    runs.update(one, run.id, metadata={"cost": 1})
    runs.complete(
        one, run.id, fence=fence, usage={"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}
    )
    for end in ("incomplete", "failed", "expired", "cancelled"):
        again = runs.create(one)
        runs.start(one, again.id)
        if end == "incomplete":
            runs.complete(one, again.id, incomplete_reason="max_tokens")
        elif end == "failed":
            runs.fail(one, again.id, message="no answer")
        elif end == "expired":
            runs.expire(one, again.id)
        else:
            runs.cancel(one, again.id)
            runs.cancel(one, again.id)
    fork = store.threads.fork(one, at_message=other.id)
    messages.create(fork.id, role="user", content="And on Mars?")
    messages.amend(fork.id, question.id, content="Why is our sky blue?")
    second = store.threads.fork(fork.id)
    store.threads.update(one, title="Skies")
    store.threads.archive(one)
    store.threads.unarchive(one)
    store.threads.delete(second.id)
    store.threads.restore(second.id)
    acting = store.acting(actor="user_1", correlation_id="request_1", causation_id="evt_1")
    store.privacy.erase(one, removed.id, reason="asked for", actor="user_2")
    acting.events.append(
        INVOICE,
        [{"type": "Sent", "data": {"total": 5}, "content": {"to": "Ann"}}, {"type": "Paid"}],
        expected_version="no_stream",
    )
    store.tenant("acme").threads.create(title="Elsewhere")
    store.assistants.delete(assistant.id)
    book = store.threads.create(title="Book").id
    messages.create(book, role="user", content=LONG)
    messages.create(book, role="user", content="My name is Eve.", subject="eve")
    draft = store.threads.create(title="Draft").id
    said = messages.create(draft, role="user", content="Take this down.", external_id="x-2")
    messages.amend(draft, said.id, content="Take this down, please.")
    messages.update(draft, said.id, name="Ben")
    store.threads.fork(draft)
    acting.privacy.purge(draft, forks="purge", reason="it was a draft")
    store.privacy.erase(subject="eve", reason="asked for", actor="user_2")
    store.tenant("left").assistants.create(name="Guide")
    store.tenant("left").tenants.purge("left", reason="the contract ended")
    store.audit.verify(mark=True)
    return [one, fork.id, second.id]


def ask(path, sql, *parameters):
    """What a plain connection to a file finds."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute(sql, parameters).fetchall()
