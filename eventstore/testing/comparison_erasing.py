"""Erasing and purging in a store and in the oracle, which may concern several threads at once.

An erasure reaches back: reads of the past, and repeats of earlier writes, must now lack the words
and be the same otherwise. So the results that a :class:`Comparison` remembers are changed in the
same way, and then compared with the store like all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from eventstore.conversation.run_values import Run
from eventstore.conversation.thread_state import ThreadState
from eventstore.conversation.values import Branch, BranchTree, Message, TreeNode
from eventstore.errors import ConversationStoreError
from eventstore.privacy import Erasure
from eventstore.testing.comparison import Comparison
from eventstore.testing.oracle import Refusal, code_of
from eventstore.testing.oracle.erasing import Gone, erase, forget, purge

__all__ = ["erase_in_both", "purge_in_both"]

_WORDLESS: Final[Mapping[str, Any]] = {
    "content": (),
    "text": "",
    "provider": None,
    "metadata": {},
    "name": None,
    "external_id": None,
    "erased": True,
}


_PARTS: Final[Mapping[type[Any], Sequence[str]]] = {
    ThreadState: ("messages", "tree", "queued", "runs"),
    BranchTree: ("nodes",),
    TreeNode: ("message",),
}
"""Fields that may hold words, by the class of a value."""


def _outcome(act: Callable[[], Any]) -> tuple[Any, str | None]:
    """Return the result of a call, or the code of its refusal."""
    try:
        return act(), None
    except ConversationStoreError as error:
        return None, code_of(error)
    except Refusal as refusal:
        return None, refusal.code


def erase_in_both(
    both: Comparison, thread_id: str, message_id: str, include: Sequence[str]
) -> Gone | None:
    """Erase a message in both; return the oracle's account of it, None if it was refused."""
    both.sound = False
    threads = {thread.id: thread.copy() for thread in both.threads}
    before = {thread.id: thread.version for thread in both.threads}
    made, refused = _outcome(
        lambda: both.store.privacy.erase(thread_id, message_id, include=list(include))
    )
    gone, expected = _outcome(lambda: erase(threads, thread_id, message_id, include))
    assert refused == expected, f"the store said {refused}, the oracle {expected}"
    if gone is not None:
        _check_certificate(both, made, gone)
        both.threads[:] = threads.values()
        _forget(both, gone)
    for thread in both.threads:
        both.look_at(thread, before[thread.id])
    return gone  # type: ignore[no-any-return]


def _check_certificate(both: Comparison, made: Erasure, gone: Gone) -> None:
    assert {(one.stream_id, one.version) for one in made.erased} == gone.erased
    assert {(one.kind, one.thread_id, one.id) for one in made.copies} == gone.copies
    for thread_id in gone.messages:
        for event in both.store.events.read(thread_id):
            assert (thread_id, event.version) not in gone.erased or event.content is None


def _forget(both: Comparison, gone: Gone) -> None:
    """Remove the words from all remembered results."""
    for (thread_id, _), past in both.past.items():
        forget(past, gone.messages.get(thread_id, ()))
    for key, state in both.seen.items():
        both.seen[key] = _without(state, key[0], gone)
    for at, done in enumerate(both.done):
        lost = any((done.thread_id, version) in gone.now for version in done.versions)
        result = _without(done.result, done.thread_id, gone)
        both.done[at] = done._replace(result=result, digested=done.digested and not lost)


def _without(value: Any, thread_id: str, gone: Gone) -> Any:  # noqa: ANN401 (any result)
    """Return a value of a thread without the erased words."""
    erased = gone.messages.get(thread_id, frozenset())
    if isinstance(value, Message):
        return value.model_copy(update=_WORDLESS) if value.id in erased else value
    if isinstance(value, Branch):
        return value.model_copy(update={"label": None}) if value.leaf_id in erased else value
    if isinstance(value, Run) and value.id in gone.runs and value.error is not None:
        error = value.error.model_copy(update={"message": None})
        return value.model_copy(update={"error": error})
    if isinstance(value, (list, tuple)):
        return type(value)(_without(one, thread_id, gone) for one in value)
    parts = {
        name: _without(getattr(value, name), thread_id, gone)
        for name in _PARTS.get(type(value), ())
    }
    if isinstance(value, ThreadState):
        parts["labels"] = {name: one for name, one in value.labels.items() if one not in erased}
    elif isinstance(value, TreeNode) and value.message.id in erased:
        parts["label"] = None
    return value.model_copy(update=parts) if parts else value


# -- purging ---------------------------------------------------------------------------------------


def purge_in_both(both: Comparison, thread_id: str, *, along: bool) -> list[str] | None:
    """Purge a thread in both; return the forks purged with it, None if it was refused."""
    both.sound = False
    store = both.store
    threads = {thread.id: thread.copy() for thread in both.threads}
    versions = {thread.id: thread.version for thread in both.threads}
    forks: Literal["refuse", "purge"] = "purge" if along else "refuse"
    made, refused = _outcome(lambda: store.privacy.purge(thread_id, forks=forks))
    forked, expected = _outcome(lambda: purge(threads, thread_id, along=along))
    assert refused == expected, f"the store said {refused}, the oracle {expected}"
    if forked is None:
        both.look_at(next(one for one in both.threads if one.id == thread_id), versions[thread_id])
        return None
    assert set(made.forks) == set(forked)
    assert store.privacy.purge(thread_id) == made
    for gone in (thread_id, *forked):
        _check_gone(both, gone, versions[gone])
    both.threads[:] = threads.values()
    both.done[:] = [done for done in both.done if done.thread_id in threads]
    for key in [key for key in both.past if key[0] not in threads]:
        del both.past[key]
        both.seen.pop(key, None)
    for thread in both.threads:
        both.look_at(thread, versions[thread.id])
    return forked  # type: ignore[no-any-return]


def _check_gone(both: Comparison, thread_id: str, last: int) -> None:
    """Check that only the tombstone of a thread is left, and that its id is refused."""
    store = both.store
    tombstone = store.privacy.purge(thread_id)
    assert (tombstone.thread_id, tombstone.version) == (thread_id, last)
    assert _outcome(lambda: store.threads.get(thread_id))[1] == "ThreadNotFound"
    assert _outcome(lambda: list(store.events.read(thread_id)))[1] == "StreamNotFound"
    say = lambda: store.messages.create(thread_id, role="user", content="Hello?")  # noqa: E731
    assert _outcome(say)[1] == "ThreadNotFound"
    assert _outcome(lambda: store.threads.create(thread_id=thread_id))[1] == "thread_purged"
