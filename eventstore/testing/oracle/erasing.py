"""Erasing and purging: the content that goes, and the threads that it goes from.

The oracle knows which message or run each event is about (``said``), so erasing is a search: every
event about the message, in its own thread and in forks that inherit it. The threads of a store are
a dictionary by id; :func:`erase` and :func:`purge` change the threads concerned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping
from typing import NamedTuple

from eventstore.testing.oracle.threads import OracleThread
from eventstore.testing.oracle.values import Refusal

__all__ = ["Gone", "erase", "family", "forget", "forks_of", "purge"]


class Gone(NamedTuple):
    """The result of an erasure."""

    messages: Mapping[str, frozenset[str]]
    """By thread that shows them: the messages without words."""
    runs: frozenset[str]
    erased: frozenset[tuple[str, int]]
    """Thread and version of each event whose content is gone."""
    now: frozenset[tuple[str, int]]
    """Those of them that had content until now."""
    copies: frozenset[tuple[str, str, str]]


class _Reach(NamedTuple):
    """The reach of an erasure in one thread."""

    messages: tuple[str, ...]
    runs: frozenset[str]
    steps: frozenset[int]
    copies: frozenset[tuple[str, str, str]]

    def takes(self, version: int, about: str) -> bool:
        return version in self.steps or about in self.messages or about in self.runs


def forks_of(threads: Mapping[str, OracleThread], thread_id: str) -> list[OracleThread]:
    """Return the threads that were forked from a thread and read from it."""
    return [one for one in threads.values() if one.source == thread_id]


def family(threads: Mapping[str, OracleThread], thread: OracleThread) -> list[OracleThread]:
    """Return a thread, its forks, their forks, and so on."""
    found = [thread]
    for one in found:  # grows meanwhile
        found += forks_of(threads, one.id)
    return found


# -- erasing ---------------------------------------------------------------------------------------


def erase(
    threads: Mapping[str, OracleThread], thread_id: str, message_id: str, include: Collection[str]
) -> Gone:
    """Erase a message, whatever the status of the thread and the message."""
    thread = threads[thread_id]
    if message_id not in thread.messages:
        raise Refusal("MessageNotFound")
    if thread.messages[message_id].home != thread_id:
        raise Refusal("message_inherited")
    concerned = _concerned(threads, thread, message_id, include)
    found = {one: _reach(threads[one], targets, include) for one, targets in concerned.items()}
    now = set()
    for one, reach in found.items():
        versions = [v for v, about in threads[one].said.items() if reach.takes(v, about)]
        now |= {(one, version) for version in versions}
        _lose(threads[one], versions)
        forget(threads[one], reach.messages)
    erased = [
        (one, version)
        for one, reach in found.items()
        for version, about in threads[one].lost.items()
        if reach.takes(version, about)
    ]
    copies = [_reach(threads[one], to, include).copies for one, to in concerned.items()]
    return Gone(
        {one: frozenset(reach.messages) for one, reach in found.items()},
        frozenset().union(*(reach.runs for reach in found.values())),
        frozenset(erased),
        frozenset(now),
        frozenset().union(*copies),
    )


def _lose(thread: OracleThread, versions: Iterable[int]) -> None:
    gone = {version: thread.said.pop(version) for version in list(versions)}
    thread.lost.update(gone)
    if gone:
        thread.events.append("ContentErased")


def forget(thread: OracleThread, messages: Iterable[str]) -> None:
    """Erase messages; only their places remain."""
    for message_id in messages:
        message = thread.messages.get(message_id)
        if message is not None:  # else: it came later than this past of the thread
            message.wordings = [words.without_text() for words in message.wordings]
            message.metadata, message.name = {}, None
    gone = frozenset(messages)
    thread.labels = {name: one for name, one in thread.labels.items() if one not in gone}


def _concerned(
    threads: Mapping[str, OracleThread],
    first: OracleThread,
    message_id: str,
    include: Collection[str],
) -> dict[str, list[str]]:
    """Return the threads that show erased messages, with the ids of those in each."""
    asked = {first.id: [message_id]}
    waiting = [first]
    for one in waiting:  # grows meanwhile
        reached = _reach(one, asked[one.id], include).messages
        for fork in forks_of(threads, one.id):
            inherited = [key for key in reached if _inherits(fork, key)]
            if inherited:
                asked[fork.id] = inherited
                waiting.append(fork)
    return asked


def _inherits(thread: OracleThread, message_id: str) -> bool:
    message = thread.messages.get(message_id)
    return message is not None and message.origin is not None


def _reach(thread: OracleThread, targets: Iterable[str], include: Collection[str]) -> _Reach:
    targets = list(targets)
    kin = _kin(thread, targets)
    own = [one for one in kin if thread.messages[one].home == thread.id]
    along = own if "edits" in include else []
    messages = (*targets, *along)
    saw = [one for one in thread.sights.values() if not one.messages.isdisjoint(messages)]
    steps = frozenset(one.version for one in saw)
    wrote = {
        message.run_id
        for message in map(thread.messages.__getitem__, messages)
        if message.run_id is not None and message.origin is None
    }
    runs = frozenset(wrote | {one.run for one in saw})
    copies = {
        ("edit", thread.messages[one].home, one)
        for one in kin
        if one not in along and (one not in own or one in thread.said.values())
    }
    if "run" not in include:
        others = {about for version, about in thread.said.items() if version not in steps}
        copies |= {("run", thread.id, run) for run in runs & others}
        runs = frozenset()
    return _Reach(messages, runs, steps, frozenset(copies))


def _kin(thread: OracleThread, targets: Collection[str]) -> list[str]:
    """Return the messages connected with these by editing or regenerating, at any distance."""
    links = [
        {one.id, one.replaces}
        for one in thread.messages.values()
        if one.home == thread.id and one.replaces in thread.messages
    ]
    found = list(targets)
    for one in found:  # grows meanwhile
        near = [other for link in links if one in link for other in link]
        found += [str(other) for other in dict.fromkeys(near) if other not in found]
    return found[len(targets) :]


# -- purging ---------------------------------------------------------------------------------------


def purge(threads: MutableMapping[str, OracleThread], thread_id: str, *, along: bool) -> list[str]:
    """Purge a thread, and its forks and theirs if asked to; return those forks."""
    thread = threads[thread_id]
    if thread.open_runs():
        raise Refusal("thread_busy")
    forks = family(threads, thread)[1:]
    if forks and not along:
        raise Refusal("thread_has_forks")
    if any(fork.open_runs() for fork in forks):
        raise Refusal("thread_busy")
    for gone in (thread, *forks):
        del threads[gone.id]
    return [fork.id for fork in forks]
