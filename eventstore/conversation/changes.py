"""One change of one field, before and after: the word that trails and differences share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from msgspec import UNSET

from eventstore.conversation.content import from_stored
from eventstore.conversation.facts import Facts, Subject, Words
from eventstore.core import ids
from eventstore.core.trusted import trusted
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = [
    "ERASED",
    "Change",
    "ChangedKind",
    "Erased",
    "changes",
    "erased_content",
    "reversed_change",
    "value_of",
]

ChangedKind: TypeAlias = Literal["thread", "message", "run", "step", "assistant"]


class Erased(Enum):
    """Stands for words that are gone."""

    ERASED = "erased"


ERASED: Final = Erased.ERASED

_KINDS: Final[Mapping[str, ChangedKind]] = {
    ids.THREAD: "thread",
    ids.MESSAGE: "message",
    ids.RUN: "run",
    ids.STEP: "step",
    ids.ASSISTANT: "assistant",
}
_ALWAYS_SAID: Final = frozenset({"content", "title"})
"""Words that are shown as erased where a thing begins. Whether it had others, nobody knows."""
_STORED_AS: Final[Mapping[str, str]] = {"content": "parts"}


class Change(Value):
    """One field of a thing that changed.

    Values are JSON: the parts of a message as a list, ids as text. A field without a value is None,
    and so is every field of a thing that did not exist.
    """

    kind: ChangedKind
    """Kind of thing."""
    id: str
    """Id of the thing."""
    field: str
    """Name of the field, as in the value of the thing; ``label`` is a field of a message."""
    before: Unshown[Any]
    """Value before; None also if its words were erased."""
    after: Unshown[Any]
    """Value after; None also if its words were erased."""
    erased: tuple[Literal["before", "after"], ...] = ()
    """Sides whose words are gone for good."""


def changes(
    subject: Subject, before: Facts, after: Facts, said: Callable[[Words], object]
) -> Iterator[Change]:
    """Yield the fields that differ between two moments of a thing.

    ``said`` returns words, or ``ERASED``. Words of the same events are not read.
    """
    for field in {**after, **before} if before is not after else ():
        old, new = before.get(field), after.get(field)
        if old == new:
            continue
        old, new = _read(old, said), _read(new, said)
        if not before and (new is False or (new is ERASED and field not in _ALWAYS_SAID)):
            continue
        if old != new or old is ERASED:
            yield _change(subject, field, old, new)


def _read(fact: object, said: Callable[[Words], object]) -> object:
    return said(fact) if isinstance(fact, Words) else fact


def _change(subject: Subject, field: str, before: object, after: object) -> Change:
    sides = (("before", before), ("after", after))
    return trusted(
        Change,
        {
            "kind": _KINDS[subject.prefix],
            "id": subject.text,
            "field": field,
            "before": None if before is ERASED else before,
            "after": None if after is ERASED else after,
            "erased": tuple(side for side, value in sides if value is ERASED),
        },
    )


def erased_content(message_id: bytes) -> Change:
    """Return the change that an erasure makes of a message: neither side can be shown."""
    return _change(Subject(ids.MESSAGE, message_id), "content", ERASED, ERASED)


def reversed_change(change: Change) -> Change:
    """Return a change the other way round."""
    others: dict[Any, Any] = {"before": "after", "after": "before"}
    sides = tuple(sorted((others[side] for side in change.erased), reverse=True))
    return change.model_copy(
        update={"before": change.after, "after": change.before, "erased": sides}
    )


def value_of(content: object, field: str) -> object:
    """Return a field of an event's content as JSON; None if it is not there, or empty."""
    found = getattr(content, _STORED_AS.get(field, field), UNSET)
    if found is UNSET or found is None:
        return None
    if field == "content":
        return [part.model_dump(mode="json", exclude_none=True) for part in from_stored(found)]
    if field == "provider":
        return {"format": found.format, "data": found.data.hex()}
    return found or None
