"""Folds the facts of one thing: a thread, a message, a run, a step or an assistant.

``evolve`` folds a whole thread into rows. An auditor asks a smaller question: what did this event
change, and what stood there before? So here each event names the things that it changes
(:func:`changed_by`), and :func:`after` gives their facts. The facts of a thing follow from its own
events alone. A trail can therefore walk a thread of any length and keep only a few things.

Words stay in the log: a fact that consists of words is :class:`Words`, the place of the event that
holds them. So two facts compare without reading anything, and erased words are never kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from msgspec import UNSET
from msgspec.structs import asdict

from eventstore.conversation.events import MessageBorn
from eventstore.conversation.run_lifecycle import MOVES
from eventstore.core import ids
from eventstore.core.events import Event

__all__ = [
    "Facts",
    "Subject",
    "Words",
    "after",
    "begins",
    "changed_by",
    "erased_by",
    "inherits",
]

Facts: TypeAlias = Mapping[str, Any]
"""Facts of one thing by name; empty before it exists. Never changed: each event makes new ones."""


class Subject(NamedTuple):
    """A thing that has facts: the prefix of its ids, and its 16 bytes."""

    prefix: str
    key: bytes

    @property
    def text(self) -> str:
        """The id as users see it."""
        return ids.show(self.prefix, self.key)


class Words(NamedTuple):
    """The place of words: a field in the content of one or more events of a stream."""

    stream: bytes
    versions: tuple[int, ...]
    field: str


_Data: TypeAlias = Any
"""The ``data`` of an event; its type says which."""
_Change: TypeAlias = Callable[[Facts, _Data, Event, bytes], Facts]
"""Returns the facts that an event sets, from those before it, its data, itself and its stream."""

_BEGINNINGS: Final = frozenset(
    {
        *("ThreadCreated", "ThreadForked", "MessageQueued", "MessageEdited", "MessageRegenerated"),
        *("RunQueued", "RunStepStarted", "AssistantCreated"),
    }
)

_THREAD_LIFE: Final = frozenset(
    {
        *("ThreadCreated", "ThreadForked", "ThreadUpdated", "ThreadArchived", "ThreadUnarchived"),
        *("ThreadDeleted", "ThreadRestored", "BranchSelected"),
    }
)


def changed_by(event: Event, stream: bytes) -> tuple[Subject, ...]:
    """Return the things whose facts an event of a stream may change, the one it is about first."""
    kind, data = event.type, event.data
    if kind in _THREAD_LIFE:
        return (Subject(ids.THREAD, stream),)
    if kind.startswith("Assistant"):
        return (Subject(ids.ASSISTANT, stream),)
    if (step := getattr(data, "step_id", None)) is not None:
        return (Subject(ids.STEP, step),)
    if kind in _RUN_CHANGES:
        return (Subject(ids.RUN, data.run_id),)
    if kind not in _MESSAGE_CHANGES:
        return ()
    found = [Subject(ids.MESSAGE, data.message_id)]
    if kind == "MessageQueued" and data.replaces is not None:
        found.append(Subject(ids.MESSAGE, data.replaces))
    if _head_moved(event):
        found.append(Subject(ids.THREAD, stream))
    return tuple(found)


def begins(event: Event) -> bool:
    """Return whether the first thing that an event names has no facts before it."""
    if event.type == "MessageAdded":
        return event.data.queued_version is None
    return event.type in _BEGINNINGS


def inherits(event: Event) -> bool:
    """Return whether an event begins a fork, whose names are those of its source."""
    return event.type == "ThreadForked"


def erased_by(event: Event) -> tuple[tuple[bytes, ...], tuple[int, ...]]:
    """Return the messages whose words an event erases, and the versions of their events."""
    if event.type != "ContentErased":
        return (), ()
    return event.data.messages, event.data.versions


def _head_moved(event: Event) -> bool:
    """Return whether an event about a message moves the head of its thread."""
    data = event.data
    return data.select if isinstance(data, MessageBorn) else getattr(data, "head_moved", False)


def after(facts: Facts, subject: Subject, event: Event, stream: bytes) -> Facts:
    """Return the facts of a thing after an event that names it."""
    data = event.data
    change = _CHANGES[subject.prefix].get(event.type)
    if change is None:
        return facts
    if subject.prefix == ids.MESSAGE and data.message_id != subject.key:
        replaced = getattr(data, "replaces", None) == subject.key  # by a queued edit
        return {**facts, "status": "replaced"} if replaced else facts
    return {**facts, **change(facts, data, event, stream)}


def _text(prefix: str, key: bytes | None) -> str | None:
    return ids.show_or_none(prefix, key)


def _words(stream: bytes, event: Event, *fields: str) -> Facts:
    return {field: Words(stream, (event.version,), field) for field in fields}


def _updated(_: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    return _words(stream, event, *data.fields)


# -- threads ---------------------------------------------------------------------------------------

_NEW_THREAD: Final[Facts] = {
    "title": None,
    "metadata": None,
    "head_id": None,
    "archived": False,
    "deleted": False,
    "forked_from": None,
}


def _created(_: Facts, __: _Data, event: Event, stream: bytes) -> Facts:
    return {**_NEW_THREAD, **_words(stream, event, "title", "metadata")}


def _forked(facts: Facts, data: _Data, _: Event, __: bytes) -> Facts:
    """Return the facts of a fork; ``facts`` are the title and the metadata that it inherits."""
    source = {
        "thread_id": _text(ids.THREAD, data.source_id),
        "message_id": _text(ids.MESSAGE, data.message_id),
        "version": data.source_version,
    }
    head = _text(ids.MESSAGE, data.message_id)
    return {**_NEW_THREAD, **facts, "head_id": head, "forked_from": source}


def _moved(_: Facts, data: _Data, __: Event, ___: bytes) -> Facts:
    return {"head_id": _text(ids.MESSAGE, data.head)}


def _moved_to_new(_: Facts, data: _Data, __: Event, ___: bytes) -> Facts:
    return {"head_id": _text(ids.MESSAGE, data.message_id)} if data.select else {}


def _moved_away(facts: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    return _moved(facts, data, event, stream) if data.head_moved else {}


def _sets(**given: _Data) -> _Change:
    return lambda *_: given


_THREAD_CHANGES: Final[Mapping[str, _Change]] = {
    "ThreadCreated": _created,
    "ThreadForked": _forked,
    "ThreadUpdated": _updated,
    "ThreadArchived": _sets(archived=True),
    "ThreadUnarchived": _sets(archived=False),
    "ThreadDeleted": _sets(deleted=True),
    "ThreadRestored": _sets(deleted=False),
    "BranchSelected": _moved,
    "MessageAdded": _moved_to_new,
    "MessageEdited": _moved_to_new,
    "MessageRegenerated": _moved_to_new,
    "MessageRemoved": _moved_away,
    "MessageRestored": _moved_away,
}


# -- messages --------------------------------------------------------------------------------------


def _born(_: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    joins = getattr(data, "queued_version", None) is not None
    placed = {
        "status": getattr(data, "status", "queued"),
        "parent_id": _text(ids.MESSAGE, getattr(data, "parent_id", None)),
        "run_id": _text(ids.RUN, getattr(data, "run_id", None)),
    }
    if joins:
        return placed
    return {
        "role": data.role,
        **_words(stream, event, "content", "name", "metadata", "external_id", "provider"),
        **placed,
        "replaces": _text(ids.MESSAGE, getattr(data, "replaces", None)),
        "removed": False,
        "label": None,
    }


def _amended(_: Facts, __: _Data, event: Event, stream: bytes) -> Facts:
    return _words(stream, event, "content", "provider")


def _labelled(_: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    return {"label": None} if data.cleared else _words(stream, event, "label")


_MESSAGE_CHANGES: Final[Mapping[str, _Change]] = {
    "MessageAdded": _born,
    "MessageEdited": _born,
    "MessageRegenerated": _born,
    "MessageQueued": _born,
    "MessageAmended": _amended,
    "MessageUpdated": _updated,
    "MessageRemoved": _sets(removed=True),
    "MessageRestored": _sets(removed=False),
    "BranchLabelled": _labelled,
}


# -- runs and their steps --------------------------------------------------------------------------


def _usage(data: _Data) -> dict[str, int] | None:
    usage = getattr(data, "usage", None)
    return None if usage is None else asdict(usage)


def _run_queued(_: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    return {
        "status": "queued",
        "assistant_id": _text(ids.ASSISTANT, data.assistant_id),
        "assistant_version": data.assistant_version,
        "model": data.model,
        **_words(stream, event, "instructions", "tools", "settings", "metadata"),
        "regenerates": _text(ids.MESSAGE, data.regenerates),
        "queue": data.queue,
        "holder": None,
        "required_calls": None,
        "usage": None,
        "incomplete_reason": None,
        "error_code": None,
        "error_message": None,
    }


def _run_moved(facts: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    found: dict[str, Any] = {
        "status": MOVES[facts["status"]][event.type],
        "required_calls": None,
        "usage": _usage(data) or facts["usage"],
    }
    if event.type in {"RunStarted", "RunTakenOver"}:
        found["holder"] = data.holder
    elif event.type == "RunFailed":
        found["error_code"] = data.code
        found["error_message"] = Words(stream, (event.version,), "message")
    elif event.type == "RunIncomplete":
        found["incomplete_reason"] = data.reason
    return found


def _action_required(facts: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    return {**_run_moved(facts, data, event, stream), "required_calls": list(data.calls) or None}


def _outputs_submitted(
    facts: Facts,
    data: _Data,
    event: Event,
    stream: bytes,
) -> Facts:
    if data.all_in:
        return _run_moved(facts, data, event, stream)
    settled = {*data.calls, *data.approved}
    left = [call for call in facts["required_calls"] or () if call not in settled]
    return {"required_calls": left or None}


def _run_updated(_: Facts, __: _Data, event: Event, stream: bytes) -> Facts:
    return _words(stream, event, "metadata")


_RUN_CHANGES: Final[Mapping[str, _Change]] = {
    "RunQueued": _run_queued,
    "RunActionRequired": _action_required,
    "ToolOutputsSubmitted": _outputs_submitted,
    "RunUpdated": _run_updated,
    **dict.fromkeys(
        (
            *("RunStarted", "RunTakenOver", "RunCancelling", "RunCancelled"),
            *("RunCompleted", "RunIncomplete", "RunFailed", "RunExpired"),
        ),
        _run_moved,
    ),
}


def _step_started(_: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    return {
        "status": "in_progress",
        "run_id": _text(ids.RUN, data.run_id),
        "type": data.type,
        "head_id": _text(ids.MESSAGE, data.head),
        **_words(stream, event, "details"),
        "usage": None,
        "error_code": None,
        "error_message": None,
    }


def _step_completed(facts: Facts, data: _Data, event: Event, _: bytes) -> Facts:
    begun: Words = facts["details"]
    details = begun._replace(versions=(*begun.versions, event.version))
    return {"status": "completed", "usage": _usage(data), "details": details}


def _step_failed(_: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    message = Words(stream, (event.version,), "message")
    return {"status": "failed", "error_code": data.code, "error_message": message}


_STEP_CHANGES: Final[Mapping[str, _Change]] = {
    "RunStepStarted": _step_started,
    "RunStepCompleted": _step_completed,
    "RunStepFailed": _step_failed,
}


# -- assistants ------------------------------------------------------------------------------------

_OF_ASSISTANTS: Final = ("name", "description", "instructions", "tools", "settings", "metadata")


def _assistant_created(_: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    return {"deleted": False, "model": data.model, **_words(stream, event, *_OF_ASSISTANTS)}


def _assistant_updated(facts: Facts, data: _Data, event: Event, stream: bytes) -> Facts:
    model = facts["model"] if data.model is UNSET else data.model
    return {"model": model, **_words(stream, event, *data.fields)}


_ASSISTANT_CHANGES: Final[Mapping[str, _Change]] = {
    "AssistantCreated": _assistant_created,
    "AssistantUpdated": _assistant_updated,
    "AssistantDeleted": _sets(deleted=True),
}

_CHANGES: Final[Mapping[str, Mapping[str, _Change]]] = {
    ids.THREAD: _THREAD_CHANGES,
    ids.MESSAGE: _MESSAGE_CHANGES,
    ids.RUN: _RUN_CHANGES,
    ids.STEP: _STEP_CHANGES,
    ids.ASSISTANT: _ASSISTANT_CHANGES,
}
