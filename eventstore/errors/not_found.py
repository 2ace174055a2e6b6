"""Errors of a name or a moment that leads nowhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from eventstore.errors.base import ConversationStoreError

__all__ = [
    "AssistantNotFound",
    "MessageNotFound",
    "MomentNotFound",
    "NotFound",
    "RunNotFound",
    "StreamNotFound",
    "SubjectNotFound",
    "TenantNotFound",
    "ThreadNotFound",
]


class NotFound(ConversationStoreError, LookupError):
    """No such object in this tenant."""

    kind = "object"

    def __init__(
        self, object_id: str | None, within: str | None = None, described: str = ""
    ) -> None:
        """``described`` names the object if it has no id; it never holds a user's words."""
        place = f" in {within}" if within else ""
        wanted = described if object_id is None else repr(object_id)
        doubtful = "the spelling" if object_id is None else "the id"
        super().__init__(f"no {self.kind} {wanted}{place}. Check {doubtful} and the tenant.")
        self.id = object_id
        self.within = within


class ThreadNotFound(NotFound):
    """No such thread in this tenant."""

    kind = "thread"


class MessageNotFound(NotFound):
    """No such message in this thread."""

    kind = "message"


class RunNotFound(NotFound):
    """No such run in this thread."""

    kind = "run"


class AssistantNotFound(NotFound):
    """No such assistant in this tenant."""

    kind = "assistant"


class StreamNotFound(NotFound):
    """No such stream in this tenant."""

    kind = "stream"


class SubjectNotFound(NotFound):
    """Nothing was written in the name of this person (``subject=``) in this tenant."""

    kind = "subject"

    def __init__(self, subject_id: str) -> None:
        """The id follows from the name: the name itself stands in no error."""
        super().__init__(subject_id)
        said = f"nothing was written in the name of this person ({subject_id})"
        self.args: tuple[Any, ...] = (
            f"{said}. Give name and tenant exactly as writes with subject= did.",
        )


class MomentNotFound(NotFound):
    """A thread has no such moment: it did not exist yet, or it has not come so far.

    ``reason`` is ``"not_yet_begun"`` or ``"not_yet_recorded"``.
    """

    kind = "moment"

    def __init__(self, thread_id: str, reason: str, began_at: datetime, last_version: int) -> None:
        super().__init__(thread_id)
        if reason == "not_yet_begun":
            began = began_at.isoformat()
            said = f"did not exist yet: it began at {began}. Give that time, version 1, or later"
        else:
            said = f"has not come so far: it is at version {last_version}. Give 1 to {last_version}"
        self.args: tuple[Any, ...] = (f"{thread_id} {said}.",)
        self.reason = reason
        self.began_at = began_at
        self.last_version = last_version


class TenantNotFound(NotFound):
    """No tenant of this name ever wrote into this store."""

    kind = "tenant"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.args: tuple[Any, ...] = (
            f"no tenant {name!r} ever wrote into this store. Look at tenants.list().",
        )
