"""The resources of the sync face, written from the operations by `python -m scripts.faces`."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from eventstore.api import batches as _batches
from eventstore.api.batches import Batch
from eventstore.api.faces.following import Following
from eventstore.api.faces.pages import Page
from eventstore.api.faces.recorded import RecordedRun
from eventstore.api.faces.sync_base import ProjectionsBase, Resource
from eventstore.api.faces.sync_runner import SyncRunner
from eventstore.api.operations import approvals as _approvals
from eventstore.api.operations import assistants as _assistants
from eventstore.api.operations import audit as _audit
from eventstore.api.operations import branches as _branches
from eventstore.api.operations import erasing as _erasing
from eventstore.api.operations import event_subscriptions as _event_subscriptions
from eventstore.api.operations import events as _events
from eventstore.api.operations import exporting as _exporting
from eventstore.api.operations import keys as _keys
from eventstore.api.operations import message_changes as _message_changes
from eventstore.api.operations import message_pages as _message_pages
from eventstore.api.operations import message_siblings as _message_siblings
from eventstore.api.operations import messages as _messages
from eventstore.api.operations import projection_status as _projection_status
from eventstore.api.operations import projections as _projections
from eventstore.api.operations import purging as _purging
from eventstore.api.operations import replay as _replay
from eventstore.api.operations import retention as _retention
from eventstore.api.operations import run_actions as _run_actions
from eventstore.api.operations import run_context as _run_context
from eventstore.api.operations import run_ends as _run_ends
from eventstore.api.operations import run_pages as _run_pages
from eventstore.api.operations import run_recording as _run_recording
from eventstore.api.operations import run_steps as _run_steps
from eventstore.api.operations import run_streams as _run_streams
from eventstore.api.operations import runs as _runs
from eventstore.api.operations import tenants as _tenants
from eventstore.api.operations import thread_pages as _thread_pages
from eventstore.api.operations import threads as _threads
from eventstore.api.operations import trail as _trail
from eventstore.api.operations import verification as _verification
from eventstore.api.operations import whole_tenants as _whole_tenants
from eventstore.api.operations.events import Receipt
from eventstore.api.operations.keys import KeyStatus, Rotation
from eventstore.api.operations.projection_status import ProjectionStatus
from eventstore.api.operations.projections import CompareReport, RebuildReport
from eventstore.api.operations.run_streams import _POLL_SECONDS
from eventstore.api.operations.tenants import Tenant
from eventstore.api.operations.thread_pages import ThreadSort
from eventstore.api.operations.write_options import (
    AppendOptions,
    ErasureOptions,
    RetentionOptions,
    WriteOptions,
)
from eventstore.audit.findings import VerifyReport
from eventstore.audit.proofs import ConsistencyProof, InclusionProof
from eventstore.audit.signing import PrivateKey
from eventstore.audit.trail_values import TrailEntry
from eventstore.audit.tree_heads import TreeHead
from eventstore.conversation.commands import OnBusy
from eventstore.conversation.parts import Content
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.rows import ActionReason, GivenStatus, Role, RunStatus
from eventstore.conversation.run_events import RunEvent
from eventstore.conversation.run_values import Assistant, Run, RunContext, RunStep, TokenUsage
from eventstore.conversation.tombstone import Tombstone
from eventstore.conversation.tool_definition import ToolGiven
from eventstore.conversation.values import Branch, BranchDiff, BranchTree, Message, Revision, Thread
from eventstore.core.events import NewEvent, Position, RecordedEvent
from eventstore.core.pages import Order
from eventstore.exporters.formats import ExportFormat
from eventstore.privacy.erasure import Erasure
from eventstore.privacy.retention import RetentionReport
from eventstore.privacy.whole_tenants import TenantErasure
from eventstore.read_models.catch_up.tables import Tables
from eventstore.replay import ReplayedThread, ReplayStep, ThreadDiff

__all__ = [
    "Assistants",
    "Audit",
    "Branches",
    "Events",
    "Keys",
    "Messages",
    "Privacy",
    "Projections",
    "Replay",
    "Resources",
    "RunSteps",
    "Runs",
    "Tenants",
    "Threads",
]

T = TypeVar("T")


class Threads(Resource):
    """Create, find, fork, archive and delete conversations."""

    def create(
        self,
        *,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        messages: Sequence[Mapping[str, Any]] | None = None,
        thread_id: str | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Thread:
        """Create a thread, and its first messages with it: all of it happens, or nothing.

        With an ``idempotency_key`` and no ``thread_id`` the id is derived from tenant and key, so
        that a second try finds the first thread.

        Args:
            title: Title, up to 1,000 characters; erasable.
            metadata: JSON object of your own; erasable. ``list`` filters by its top-level values.
            messages: Dicts of the arguments of ``messages.create``. One without ``parent_id``
                follows the one before it, unless that one has ``select=False``.
            thread_id: Id of your own: ``thread_`` and 32 lowercase hex digits.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or the id is in use.
            Refused: ``"thread_purged"``, a thread of this id was purged; or see
                ``messages.create``.
            WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _threads.create(
                self._scope,
                title=title,
                metadata=metadata,
                messages=messages,
                thread_id=thread_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def get(self, thread_id: str, *, include_deleted: bool = False) -> Thread:
        """Return a thread.

        Args:
            thread_id: The thread.
            include_deleted: Return it even if it was deleted.

        Raises:
            ThreadNotFound: there is none, or it was deleted.
        """
        return self._perform(_threads.get(self._scope, thread_id, include_deleted=include_deleted))

    def list(
        self,
        *,
        metadata: Mapping[str, object] | None = None,
        archived: bool | None = None,
        include_deleted: bool = False,
        after: str | None = None,
        limit: int | None = 100,
        sort: ThreadSort = "created",
        order: Order = "asc",
    ) -> Page[Thread]:
        """Return a page of threads, in the order they were created or last active.

        A page continues after the last thread of the one before. A thread that becomes active
        meanwhile moves to the newest end of the order of activity: with ``order="desc"`` later
        pages leave it out, with ``order="asc"`` they show it again. By creation a page costs the
        same among any number of threads; by activity all threads that match are sorted, so filter
        by ``metadata`` where a tenant has very many.

        Args:
            metadata: Top-level values that a thread's metadata must have: texts, numbers, booleans
                or None.
            archived: True for archived threads alone, False for the others alone, None for both.
            include_deleted: List deleted threads, too.
            after: A page's ``next_cursor``, to begin behind it.
            limit: Most threads on the page; None is all of them.
            sort: ``"created"``, or ``"activity"``: by ``updated_at``, when something last happened.
            order: ``"asc"`` is oldest first, ``"desc"`` newest first.

        Raises:
            InvalidInput: a value is malformed, or the cursor belongs to another listing.
        """
        return Page.of(
            self._perform(
                _thread_pages.list_(
                    self._scope,
                    metadata=metadata,
                    archived=archived,
                    include_deleted=include_deleted,
                    after=after,
                    limit=limit,
                    sort=sort,
                    order=order,
                )
            ),
            lambda cursor: self.list(
                metadata=metadata,
                archived=archived,
                include_deleted=include_deleted,
                after=cursor,
                limit=limit,
                sort=sort,
                order=order,
            ),
        )

    def update(
        self,
        thread_id: str,
        *,
        title: str | UnsetType | None = UNSET,
        metadata: Mapping[str, Any] | UnsetType | None = UNSET,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Thread:
        """Replace a thread's title or metadata. An argument that is left out changes nothing.

        Args:
            thread_id: The thread.
            title: Title, up to 1,000 characters; None takes it away.
            metadata: JSON object that takes the place of the old one; None takes it away.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or none was given.
            ThreadNotFound: there is none.
            Refused: the thread was deleted.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _threads.update(
                self._scope,
                thread_id,
                title=title,
                metadata=metadata,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def fork(
        self,
        thread_id: str,
        *,
        at_message: str | None = None,
        at_version: int | None = None,
        fork_id: str | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Thread:
        """Create a thread that shares the path from the root to a message.

        A fork costs the same at any length, in time and in bytes; only with ``at_version`` the path
        is looked through for messages that were removed then. Later writes on either side are
        invisible to the other; an erasure in the source shows in every fork.

        Args:
            thread_id: Thread to fork.
            at_message: Last message that is shared; the head if left out.
            at_version: Share the messages as they were at this version; now if left out.
            fork_id: Id of your own for the fork: ``thread_`` and 32 lowercase hex digits.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or the id is in use.
            ThreadNotFound, MessageNotFound: there is no such thread or message.
            Refused: the message is removed or queued, the thread has none, or ``"thread_purged"``:
                a thread with the id ``fork_id`` was purged.
            WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _threads.fork(
                self._scope,
                thread_id,
                at_message=at_message,
                at_version=at_version,
                fork_id=fork_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def archive(
        self,
        thread_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Thread:
        """Put a thread to rest: it takes no messages and no runs until it is unarchived.

        Args:
            thread_id: The thread.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound: there is none.
            Refused: the thread was deleted, or is busy.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _threads.archive(
                self._scope,
                thread_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def unarchive(
        self,
        thread_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Thread:
        """Let an archived thread take messages and runs again.

        Args:
            thread_id: The thread.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound: there is none.
            Refused: the thread was deleted.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _threads.unarchive(
                self._scope,
                thread_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def delete(
        self,
        thread_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Thread:
        """Hide a thread. Its events stay, and ``restore`` brings it back.

        ``privacy.purge`` removes a thread for good.

        Args:
            thread_id: The thread.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound: there is none.
            Refused: the thread is busy, or was deleted already.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _threads.delete(
                self._scope,
                thread_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def restore(
        self,
        thread_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Thread:
        """Bring a deleted thread back.

        Args:
            thread_id: The thread.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound: there never was one of this id.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _threads.restore(
                self._scope,
                thread_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def export(
        self,
        thread_id: str,
        *,
        format: ExportFormat = "markdown",
        at_version: int | None = None,
        at_time: datetime | None = None,
    ) -> str:
        """Return a conversation as one text: the active path first, then each branch by name.

        Markdown and HTML are for people. Messages are numbered by their depth, branches have
        letters, and each says where it leaves. The words of users are escaped, so they show as they
        were written. HTML is one page that prints well, runs no script and loads nothing. JSON is
        the value that ``replay.state(…).value()`` returns.

        Removed messages are left out, and erased ones say so. The whole thread is in memory.

        Args:
            thread_id: The thread.
            format: ``"markdown"``, ``"html"`` or ``"json"``.
            at_version: Version to export; the present one if left out.
            at_time: Time to export the thread as of, with a time zone.

        Raises:
            InvalidInput: an argument is malformed.
            ThreadNotFound: there is none.
            MomentNotFound: it did not exist yet then, or has not come so far.
        """
        return self._perform(
            _exporting.export(
                self._scope, thread_id, format=format, at_version=at_version, at_time=at_time
            )
        )

    def batch(
        self,
        thread_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> AbstractContextManager[Batch]:
        """Collect commands to a thread, and perform them together when the ``with`` block ends.

        All of them happen, or none. Calls on the batch return handles: an id is fixed at once, the
        object is there after the block. An exception inside the block discards everything.

        Args:
            thread_id: The thread.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or the batch is too large.
            Refused: one of the commands is refused; then none of them happened.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._collecting(
            _batches.batch(
                self._scope,
                thread_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )


class Messages(Resource):
    """Add messages, edit and regenerate them, and read the history of a thread."""

    def create(
        self,
        thread_id: str,
        *,
        role: Role,
        content: Content,
        parent_id: str | UnsetType | None = UNSET,
        select: bool = True,
        name: str | None = None,
        run_id: str | None = None,
        on_busy: OnBusy | None = None,
        message_id: str | None = None,
        external_id: str | None = None,
        original_created_at: datetime | None = None,
        status: GivenStatus = "completed",
        metadata: Mapping[str, Any] | None = None,
        provider: ProviderForm | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Message:
        """Add a message to a thread.

        It goes under the head, and becomes the head. A run's own message (``run_id``) goes under
        the last message of that run instead. On a busy thread a message without ``parent_id``
        follows ``on_busy``.

        Args:
            thread_id: The thread.
            role: Who speaks.
            content: Text, a part, or a list of texts and parts.
            parent_id: Message to put it under; the head if left out, a new root if None.
            select: Make it the head. False leaves the head where it is.
            name: Name of the speaker, up to 255 characters; erasable.
            run_id: Run that writes it.
            on_busy: ``"enqueue"`` (the default) waits for the run to end, ``"reject"`` refuses,
                ``"interrupt"`` cancels the run and keeps what it wrote, ``"rollback"`` cancels it
                and goes back to where it started.
            message_id: Id of your own: ``msg_`` and 32 lowercase hex digits, new to the thread.
            external_id: Name of the message elsewhere, up to 255 characters, unique in the thread.
            original_created_at: When it was written, for imported messages; with a time zone.
            status: ``"incomplete"`` for an answer that was cut off.
            metadata: JSON object of your own; erasable.
            provider: The provider's own form of it, returned byte for byte; erasable.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, MessageNotFound, RunNotFound: something that it names does not exist.
            Refused: the thread is busy, archived or deleted; a result has no call, or something
                else stands under an open call.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _messages.create(
                self._scope,
                thread_id,
                role=role,
                content=content,
                parent_id=parent_id,
                select=select,
                name=name,
                run_id=run_id,
                on_busy=on_busy,
                message_id=message_id,
                external_id=external_id,
                original_created_at=original_created_at,
                status=status,
                metadata=metadata,
                provider=provider,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def create_many(
        self,
        thread_id: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> builtins.list[Message]:
        """Add several messages, all or none.

        A message without ``parent_id`` goes under the head, as in ``create``: it follows the one
        before it, unless that one has ``select=False``. A message with a ``message_id`` of its own
        can be the parent of later ones, so a whole tree goes in at once.

        Args:
            thread_id: The thread.
            messages: Dicts of the arguments of ``create``; at most ``Limits.batch_size_max``.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a message is malformed; its index is named.
            ThreadNotFound, MessageNotFound, RunNotFound, Refused: as in ``create``.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _messages.create_many(
                self._scope,
                thread_id,
                messages,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def get(
        self,
        thread_id: str,
        message_id: str | None = None,
        *,
        external_id: str | None = None,
        include_deleted: bool = False,
    ) -> Message:
        """Return one message, by its id or by its external id.

        Args:
            thread_id: The thread.
            message_id: The message.
            external_id: External id of the message, in place of ``message_id``.
            include_deleted: Also find a removed message, or one of a deleted thread.

        Raises:
            InvalidInput: both ids were given, or neither.
            ThreadNotFound, MessageNotFound: there is no such message, or it is removed.
        """
        return self._perform(
            _message_pages.get(
                self._scope,
                thread_id,
                message_id,
                external_id=external_id,
                include_deleted=include_deleted,
            )
        )

    def list(
        self,
        thread_id: str,
        *,
        branch: str | None = None,
        until: str | None = None,
        at_version: int | None = None,
        at_time: datetime | None = None,
        after: str | None = None,
        before: str | None = None,
        limit: int | None = None,
        order: Order = "asc",
    ) -> Page[Message]:
        """Return messages of a path, oldest first: the active path, or that of ``branch``.

        A cursor pins the path, so one listing shows one path even if another is selected meanwhile.
        Messages are shown as they are when their page is read; one that was removed since has
        ``removed`` set. ``at_version`` and ``at_time`` read the past, and all pages of such a
        listing show one version. The cost of a past page depends on its size, unless a message is
        named: then the path above it is scanned, and ``branch`` replays the thread up to then.

        Args:
            thread_id: The thread.
            branch: Message id or label that the path leads through; it goes on to the last message
                below.
            until: Message where the path stops. Without ``branch``, the path that ends there.
            at_version: Read the thread as it was at this version.
            at_time: Read the thread as it was at this time; with a time zone.
            after: Message id, or a page's ``next_cursor``, to begin behind.
            before: Message id to stop in front of.
            limit: Most messages on the page; None is all of them.
            order: ``"asc"`` is oldest first, ``"desc"`` newest first.

        Raises:
            InvalidInput: a value is malformed, or a cursor belongs to another listing.
            ThreadNotFound: there is no such thread.
            MomentNotFound: it did not exist yet then, or has not come so far.
            MessageNotFound: ``branch``, ``until``, ``after`` or ``before`` is not on the path.
        """
        return Page.of(
            self._perform(
                _message_pages.list_(
                    self._scope,
                    thread_id,
                    branch=branch,
                    until=until,
                    at_version=at_version,
                    at_time=at_time,
                    after=after,
                    before=before,
                    limit=limit,
                    order=order,
                )
            ),
            lambda cursor: self.list(
                thread_id,
                branch=branch,
                until=until,
                at_version=at_version,
                at_time=at_time,
                after=cursor,
                before=before,
                limit=limit,
                order=order,
            ),
        )

    def edit(
        self,
        thread_id: str,
        message_id: str,
        *,
        content: Content,
        select: bool = True,
        name: str | None = None,
        new_message_id: str | None = None,
        external_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        provider: ProviderForm | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Message:
        """Change the prompt and ask again: add a new message beside the one that it replaces.

        The old message and everything below it stay as they are; ``branches.select`` goes back to
        them. A message that still waits in the queue leaves it, and the new one takes its place
        there.

        Args:
            thread_id: The thread.
            message_id: Message to replace.
            content: Text, a part, or a list of texts and parts.
            select: Make the new message the head.
            name: Name of the speaker, up to 255 characters; erasable.
            new_message_id: Id of your own for the new message: ``msg_`` and 32 lowercase hex
                digits.
            external_id: Name of the new message elsewhere, unique in the thread.
            metadata: JSON object of your own; erasable.
            provider: The provider's own form of it, returned byte for byte; erasable.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed or was replaced already; or see ``create``.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _message_siblings.edit(
                self._scope,
                thread_id,
                message_id,
                content=content,
                select=select,
                name=name,
                new_message_id=new_message_id,
                external_id=external_id,
                metadata=metadata,
                provider=provider,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def regenerate(
        self,
        thread_id: str,
        message_id: str,
        *,
        content: Content,
        select: bool = True,
        name: str | None = None,
        run_id: str | None = None,
        new_message_id: str | None = None,
        external_id: str | None = None,
        status: GivenStatus = "completed",
        metadata: Mapping[str, Any] | None = None,
        provider: ProviderForm | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Message:
        """Add another answer beside an assistant's message.

        The old answer stays as it is; ``branches.select`` goes back to it.

        Args:
            thread_id: The thread.
            message_id: Answer to put another one beside.
            content: Text, a part, or a list of texts and parts.
            select: Make the new answer the head.
            name: Name of the speaker, up to 255 characters; erasable.
            run_id: Run that writes it.
            new_message_id: Id of your own for the new answer: ``msg_`` and 32 lowercase hex digits.
            external_id: Name of the new answer elsewhere, unique in the thread.
            status: ``"incomplete"`` for an answer that was cut off.
            metadata: JSON object of your own; erasable.
            provider: The provider's own form of it, returned byte for byte; erasable.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, MessageNotFound, RunNotFound: something that it names does not exist.
            Refused: it is not an assistant's message; or see ``create``.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _message_siblings.regenerate(
                self._scope,
                thread_id,
                message_id,
                content=content,
                select=select,
                name=name,
                run_id=run_id,
                new_message_id=new_message_id,
                external_id=external_id,
                status=status,
                metadata=metadata,
                provider=provider,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def amend(
        self,
        thread_id: str,
        message_id: str,
        *,
        content: Content,
        provider: ProviderForm | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Message:
        """Correct the content of a message in place; ``revisions`` keeps every earlier wording.

        Args:
            thread_id: The thread.
            message_id: Message to correct.
            content: Text, a part, or a list of texts and parts.
            provider: The provider's own form of the new wording; the old form goes with the old
                one.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: the content is malformed.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed, or its tool calls would change.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _message_changes.amend(
                self._scope,
                thread_id,
                message_id,
                content=content,
                provider=provider,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def update(
        self,
        thread_id: str,
        message_id: str,
        *,
        metadata: Mapping[str, Any] | UnsetType | None = UNSET,
        name: str | UnsetType | None = UNSET,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Message:
        """Replace a message's metadata or name. An argument that is left out changes nothing.

        Args:
            thread_id: The thread.
            message_id: Message to update.
            metadata: JSON object that takes the place of the old one; None takes it away.
            name: Name of the speaker; None takes it away.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or none was given.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _message_changes.update(
                self._scope,
                thread_id,
                message_id,
                metadata=metadata,
                name=name,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def revisions(self, thread_id: str, message_id: str) -> builtins.list[Revision]:
        """Return every wording of a message, the first one first.

        Args:
            thread_id: The thread.
            message_id: The message.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message.
        """
        return self._perform(_message_pages.revisions(self._scope, thread_id, message_id))

    def remove(
        self,
        thread_id: str,
        message_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Message:
        """Hide a message and everything below it; ``restore`` brings it back.

        Its parent becomes the head if the message was on the active path. The words stay in the
        log: ``privacy.erase`` removes them for good.

        Args:
            thread_id: The thread.
            message_id: Message to hide.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed already.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _message_changes.remove(
                self._scope,
                thread_id,
                message_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def restore(
        self,
        thread_id: str,
        message_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Message:
        """Bring a removed message back.

        The head goes back, too, if removing the message moved it and nothing was selected since.

        Args:
            thread_id: The thread.
            message_id: Message to bring back.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _message_changes.restore(
                self._scope,
                thread_id,
                message_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def queued(self, thread_id: str) -> builtins.list[Message]:
        """Return the messages that wait for a run to end, in the order they were sent.

        Args:
            thread_id: The thread.

        Raises:
            ThreadNotFound: there is none, or it was deleted.
        """
        return self._perform(_message_pages.queued(self._scope, thread_id))


class Branches(Resource):
    """Show the tree of a thread, and choose which of its paths is active."""

    def tree(self, thread_id: str) -> BranchTree:
        """Return every visible message with its place in the tree, depth first.

        Args:
            thread_id: The thread.

        Raises:
            ThreadNotFound: there is none, or it was deleted.
        """
        return self._perform(_branches.tree(self._scope, thread_id))

    def select(
        self,
        thread_id: str,
        branch: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Branch:
        """Make the path through a message the active one.

        If messages follow it, the head becomes the one that was last active below it.

        Args:
            thread_id: The thread.
            branch: Message id, or a label.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message or label.
            Refused: the message is removed or queued.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _branches.select(
                self._scope,
                thread_id,
                branch,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def label(
        self,
        thread_id: str,
        message_id: str,
        label: str | None,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Branch:
        """Give a message a label that ``select`` and ``messages.list`` understand.

        Args:
            thread_id: The thread.
            message_id: The message.
            label: Up to 255 characters, unique in the thread; None takes the label away.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: the label looks like a message's id.
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: another message has the label.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _branches.label(
                self._scope,
                thread_id,
                message_id,
                label,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def siblings(self, thread_id: str, message_id: str) -> builtins.list[Message]:
        """Return a message and the other children of its parent, in order of creation.

        Args:
            thread_id: The thread.
            message_id: The message.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message.
            Refused: it is removed.
        """
        return self._perform(_branches.siblings(self._scope, thread_id, message_id))

    def diff(self, thread_id: str, a: str, b: str) -> BranchDiff:
        """Compare the paths of two branches: how far they are the same, and the rest of each.

        Args:
            thread_id: The thread.
            a: Message id or label of one branch.
            b: Message id or label of the other.

        Raises:
            ThreadNotFound, MessageNotFound: there is no such message or label.
            Refused: a message is removed or queued.
        """
        return self._perform(_branches.diff(self._scope, thread_id, a, b))

    def list(self, thread_id: str) -> builtins.list[Branch]:
        """Return every branch, named by its last message, in the order of the drawn tree.

        Its cost depends on branches and removed messages, not on the length of the branches.

        Args:
            thread_id: The thread.

        Raises:
            ThreadNotFound: there is none, or it was deleted.
        """
        return self._perform(_branches.list_(self._scope, thread_id))


class RunSteps(Resource):
    """Record the steps of a run: each model call, and the messages that it saw."""

    def start(
        self,
        thread_id: str,
        run_id: str,
        *,
        type: str = "message_creation",
        context: RunContext | None = None,
        details: Mapping[str, Any] | None = None,
        step_id: str | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> RunStep:
        """Record that a step of a run begins.

        Args:
            thread_id: The thread.
            run_id: The run.
            type: Kind of step, up to 255 characters.
            context: Context that the step saw, from ``runs.context``; it can then be rebuilt
                exactly.
            details: JSON object of your own; erasable.
            step_id: Id of your own: ``step_`` and 32 lowercase hex digits.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or the id is in use.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run is not in progress; ``"context_erased"``, read the context again.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_steps.start(
                self._scope,
                thread_id,
                run_id,
                type=type,
                context=context,
                details=details,
                step_id=step_id,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def complete(
        self,
        thread_id: str,
        step_id: str,
        *,
        details: Mapping[str, Any] | None = None,
        usage: TokenUsage | Mapping[str, Any] | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> RunStep:
        """Record that a step ended well.

        Args:
            thread_id: The thread.
            step_id: The step.
            details: JSON object that is added to the details that the step began with; erasable.
            usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound: there is none.
            Refused: there is no such step, it ended, or its run did.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_steps.complete(
                self._scope,
                thread_id,
                step_id,
                details=details,
                usage=usage,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def fail(
        self,
        thread_id: str,
        step_id: str,
        *,
        code: str = "server_error",
        message: str | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> RunStep:
        """Record that a step failed.

        Args:
            thread_id: The thread.
            step_id: The step.
            code: Kind of failure, up to 255 characters.
            message: Words for people; erasable.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound: there is none.
            Refused: there is no such step, it ended, or its run did.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_steps.fail(
                self._scope,
                thread_id,
                step_id,
                code=code,
                message=message,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def list(self, thread_id: str, run_id: str) -> builtins.list[RunStep]:
        """Return the steps of a run, in order.

        Args:
            thread_id: The thread.
            run_id: The run.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
        """
        return self._perform(_run_steps.list_(self._scope, thread_id, run_id))


class Runs(Resource):
    """Record executions of an assistant: their starts, waits, ends and order."""

    @property
    def steps(self) -> RunSteps:
        """Record the steps of a run: each model call, and the messages that it saw."""
        return RunSteps(self._runner)

    def create(
        self,
        thread_id: str,
        *,
        assistant_id: str | None = None,
        model: str | None = None,
        instructions: str | None = None,
        tools: Sequence[ToolGiven] | None = None,
        settings: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        regenerates: str | None = None,
        run_id: str | None = None,
        on_busy: OnBusy | None = None,
        queue: str | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Queue a run behind the runs and messages that were sent before it.

        Args:
            thread_id: The thread.
            assistant_id: Assistant that answers; the run keeps the version that it has now.
            model: Model, in place of the assistant's.
            instructions: Instructions, in place of the assistant's; erasable.
            tools: Tool definitions or tools of ``eventstore.engine``, in place of the assistant's.
            settings: JSON object of whatever the model takes: temperature, limits.
            metadata: JSON object of your own; erasable.
            regenerates: Assistant's message to make another answer to.
            run_id: Id of your own: ``run_`` and 32 lowercase hex digits.
            on_busy: ``"enqueue"`` (the default) waits for its turn, ``"reject"`` refuses,
                ``"interrupt"`` cancels the other run and keeps what it wrote, ``"rollback"``
                cancels it and goes back to where it started.
            queue: Name of the queue whose workers execute it, up to 255 characters; None if the
                application executes it itself.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or an id is in use.
            ThreadNotFound, AssistantNotFound, MessageNotFound: something that it names does not
                exist.
            Refused: the thread is archived, deleted, or busy with ``on_busy="reject"``.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _runs.create(
                self._scope,
                thread_id,
                assistant_id=assistant_id,
                model=model,
                instructions=instructions,
                tools=tools,
                settings=settings,
                metadata=metadata,
                regenerates=regenerates,
                run_id=run_id,
                on_busy=on_busy,
                queue=queue,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def start(
        self,
        thread_id: str,
        run_id: str,
        *,
        holder: str | None = None,
        take_over: bool = False,
        fence: int | None = None,
        lease_seconds: float = 30.0,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Begin a run, or go on with it once its tool outputs are in.

        Only the first run of the queue may start. Tool calls on its path that were never answered
        are closed with a "cancelled" result first.

        Whoever starts a run, or takes it over, holds it, and gives ``fence=run.fence`` with each
        further write. Writes of the holder before it are refused from then on.

        Args:
            thread_id: The thread.
            run_id: The run.
            holder: Name of the worker that executes it, up to 255 characters.
            take_over: Take a run in progress, or one that is being cancelled, away from its holder.
            fence: Fence that the run must still have. Of several workers that saw the same dead
                holder, the first one takes over.
            lease_seconds: Time in which the holder promises to call ``heartbeat``. Later
                ``runs.list(lease_ended=True)`` shows the run to others.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it is not its turn, or it ended.
            LeaseLost: the run has another fence.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _runs.start(
                self._scope,
                thread_id,
                run_id,
                holder=holder,
                take_over=take_over,
                fence=fence,
                lease_seconds=lease_seconds,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def heartbeat(
        self, thread_id: str, run_id: str, *, fence: int, lease_seconds: float = 30.0
    ) -> Run:
        """Say that the holder of a run is alive: its lease ends that much later from now.

        This is no event: nothing happened to the run. A third of the lease is a good interval.

        Args:
            thread_id: The thread.
            run_id: The run.
            fence: Fence of the holder, from ``start``.
            lease_seconds: Length of the lease from now on; 0 gives it back, for others to take over
                at once.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run ended, or nobody holds it.
            LeaseLost: another worker took over: stop.
        """
        return self._write(
            _runs.heartbeat(
                self._scope, thread_id, run_id, fence=fence, lease_seconds=lease_seconds
            )
        )

    def update(
        self,
        thread_id: str,
        run_id: str,
        *,
        metadata: Mapping[str, Any] | UnsetType | None = UNSET,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Replace a run's metadata, at any time of its life.

        Args:
            thread_id: The thread.
            run_id: The run.
            metadata: JSON object that takes the place of the old one; None takes it away.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: the metadata is malformed, or was not given.
            ThreadNotFound, RunNotFound: there is no such run.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _runs.update(
                self._scope,
                thread_id,
                run_id,
                metadata=metadata,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def require_action(
        self,
        thread_id: str,
        run_id: str,
        *,
        calls: Sequence[str] | Mapping[str, ActionReason] | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Let a run wait for people: for the outputs of tool calls, or for leave to make them.

        Args:
            thread_id: The thread.
            run_id: The run.
            calls: Ids of the calls to wait for; all that are open if left out. A dict gives each
                its reason: ``"outputs"``, ``"outcome_unknown"`` or ``"approval"``.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it is not in progress, or has no such open call.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_actions.require_action(
                self._scope,
                thread_id,
                run_id,
                calls=calls,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def submit_tool_outputs(
        self,
        thread_id: str,
        run_id: str,
        outputs: Sequence[Mapping[str, Any]],
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Hand in outputs of tool calls that a run waits for.

        Each becomes a tool message of the run. When the last one is in, the run is queued at the
        front. A call that is approved becomes no message: it stays open, and whoever executes the
        run makes it, or makes it again.

        Args:
            thread_id: The thread.
            run_id: The run.
            outputs: Dicts of ``call_id``, ``output`` (any JSON value) and perhaps
                ``status="failed"``; or of ``call_id`` and ``approved=True``.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: an output is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run does not wait, or not for these calls.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_actions.submit_tool_outputs(
                self._scope,
                thread_id,
                run_id,
                outputs,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def complete(
        self,
        thread_id: str,
        run_id: str,
        *,
        usage: TokenUsage | Mapping[str, Any] | None = None,
        incomplete_reason: str | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """End a run well; with ``incomplete_reason`` it ends ``incomplete``.

        It ends well once each of its tool calls has a result. If it ends incomplete, the open calls
        are closed with a "cancelled" result.

        Messages that waited for it join the tree in the order they were sent, up to the next queued
        run.

        Args:
            thread_id: The thread.
            run_id: The run.
            usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
            incomplete_reason: Why the answer was cut off, for example ``"max_tokens"``.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already, or was never started; ``"open_tool_calls"``.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_ends.complete(
                self._scope,
                thread_id,
                run_id,
                usage=usage,
                incomplete_reason=incomplete_reason,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def fail(
        self,
        thread_id: str,
        run_id: str,
        *,
        code: str = "server_error",
        message: str | None = None,
        usage: TokenUsage | Mapping[str, Any] | None = None,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """End a run that failed. Its open tool calls are closed with a "failed" result.

        Args:
            thread_id: The thread.
            run_id: The run.
            code: Kind of failure, up to 255 characters, for example ``"rate_limit_exceeded"``.
            message: Words for people; erasable.
            usage: Tokens that it took: a ``TokenUsage``, or a dict of its fields.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_ends.fail(
                self._scope,
                thread_id,
                run_id,
                code=code,
                message=message,
                usage=usage,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def cancel(
        self,
        thread_id: str,
        run_id: str,
        *,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Cancel a run.

        A run in progress becomes ``cancelling``, so that its loop can keep its output and call this
        once more, with its ``fence``. Any other run ends at once. Its open tool calls are closed
        with a "cancelled" result when it ends.

        Args:
            thread_id: The thread.
            run_id: The run.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_ends.cancel(
                self._scope,
                thread_id,
                run_id,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def expire(
        self,
        thread_id: str,
        run_id: str,
        *,
        fence: int | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """End a run that took too long.

        Args:
            thread_id: The thread.
            run_id: The run.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: it ended already.
            LeaseLost: another worker took the run over.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _run_ends.expire(
                self._scope,
                thread_id,
                run_id,
                fence=fence,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def approve(
        self,
        thread_id: str,
        run_id: str,
        call_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Let whoever executes the run make a tool call that it waits for, or make it again.

        ``actor`` says who consents, and ``reason`` why; both are recorded. When nothing else is
        waited for, the run is queued at the front.

        Args:
            thread_id: The thread.
            run_id: The run.
            call_id: Call that the run waits for.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: the call id, the reason or another value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run does not wait, or not for this call.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _approvals.approve(
                self._scope,
                thread_id,
                run_id,
                call_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def deny(
        self,
        thread_id: str,
        run_id: str,
        call_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Run:
        """Refuse a tool call that a run waits for; its result is "failed", and tells the model so.

        ``actor`` says who refuses, and ``reason`` why; both are recorded, and the model is told the
        reason. When nothing else is waited for, the run is queued at the front.

        Args:
            thread_id: The thread.
            run_id: The run.
            call_id: Call that the run waits for.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: the call id, the reason or another value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run does not wait, or not for this call.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _approvals.deny(
                self._scope,
                thread_id,
                run_id,
                call_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def get(self, thread_id: str, run_id: str) -> Run:
        """Return a run.

        Args:
            thread_id: The thread.
            run_id: The run.

        Raises:
            ThreadNotFound, RunNotFound: there is no such run.
        """
        return self._perform(_run_pages.get(self._scope, thread_id, run_id))

    def list(
        self,
        thread_id: str | None = None,
        *,
        status: RunStatus | Sequence[RunStatus] | None = None,
        holder: str | None = None,
        queue: str | UnsetType | None = UNSET,
        lease_ended: bool | None = None,
        updated_before: datetime | None = None,
        after: str | None = None,
        limit: int | None = 100,
    ) -> Page[Run]:
        """Return a page of the runs of a thread or of all threads, in the order they were created.

        Without a thread, and without ``status``, runs that ended are left out: among very many of
        them the others cost the same to find. ``runs.list(lease_ended=True)`` finds those whose
        worker died.

        Args:
            thread_id: The thread; None is all threads of the tenant that are not deleted.
            status: A status, or several. None is every status in a thread, and every one that is
                not final among all threads.
            holder: Worker that executes them, or executed them last.
            queue: Name of their queue; None for those without one, all if left out.
            lease_ended: True for runs in progress, or being cancelled, whose holder did not renew
                its lease in time, by the database's clock; False for those whose holder did.
            updated_before: Time after which nothing moved them; with a time zone. Their messages
                and steps do not count.
            after: A page's ``next_cursor``, to begin behind it.
            limit: Most runs on the page; None is all of them.

        Raises:
            InvalidInput: a value is malformed, or the cursor belongs to another listing.
            ThreadNotFound: there is none, or it was deleted.
        """
        return Page.of(
            self._perform(
                _run_pages.list_(
                    self._scope,
                    thread_id,
                    status=status,
                    holder=holder,
                    queue=queue,
                    lease_ended=lease_ended,
                    updated_before=updated_before,
                    after=after,
                    limit=limit,
                )
            ),
            lambda cursor: self.list(
                thread_id,
                status=status,
                holder=holder,
                queue=queue,
                lease_ended=lease_ended,
                updated_before=updated_before,
                after=cursor,
                limit=limit,
            ),
        )

    def context(
        self,
        thread_id: str,
        run_id: str,
        *,
        step_id: str | None = None,
        last_messages: int | None = None,
        leave_out: Sequence[str] = (),
    ) -> RunContext:
        """Return the messages that a run works with: the path to its last one. Writes nothing.

        A model API accepts each of these lists: every tool call is followed by its results. While
        calls are open, the list ends above the message that makes them.

        Pass the context to ``runs.steps.start`` to record what a step saw. With ``step_id`` the
        list that a recorded step saw is rebuilt from the events. ``verified`` then shows whether it
        equals the recorded list; None if nothing was recorded, or if something in it was erased
        since.

        Args:
            thread_id: The thread.
            run_id: The run.
            step_id: Recorded step to rebuild the context of.
            last_messages: Keep only so many of the newest messages, or fewer: the list begins with
                a message of the user. If there is none among them, it begins with the next one
                above.
            leave_out: Ids of messages to skip. A tool call and its results are skipped together.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run.
        """
        return self._perform(
            _run_context.context(
                self._scope,
                thread_id,
                run_id,
                step_id=step_id,
                last_messages=last_messages,
                leave_out=leave_out,
            )
        )

    def write_text(
        self,
        thread_id: str,
        run_id: str,
        text: str,
        *,
        message_id: str,
        offset: int,
        fence: int | None = None,
    ) -> int:
        """Show the next piece of a message that the run is writing.

        The piece is committed when this returns, and ``stream()`` shows it in any process. Give
        whole pieces, not each token: ``TextBuffer`` collects them. Finish with
        ``messages.create(message_id=…, run_id=…)``, whose text begins with all that was written. If
        the run ends or is taken over before, the text is kept as a message with the status
        ``"incomplete"``. Text for another message gives this one up in the same way, and starts
        again beside it.

        Args:
            thread_id: The thread.
            run_id: The run.
            text: The piece.
            message_id: The message; choose an id of your own, ``msg_`` and 32 lowercase hex digits.
            offset: Number of characters of this message that were written before. A repeated piece
                adds nothing.
            fence: Fence of the run's holder, from ``start``; needed once another holder took over.

        Returns:
            The offset of the next piece.

        Raises:
            InvalidInput: a value is malformed, or the message is final.
            ThreadNotFound, RunNotFound: there is no such run.
            Refused: the run does not write now, has open tool calls, or showed another text there.
            LeaseLost: another worker took the run over.
        """
        return self._write(
            _run_streams.write_text(
                self._scope,
                thread_id,
                run_id,
                text,
                message_id=message_id,
                offset=offset,
                fence=fence,
            )
        )

    def stream(
        self,
        thread_id: str,
        run_id: str,
        *,
        after: str | None = None,
        poll_seconds: float = _POLL_SECONDS,
    ) -> Following[RunEvent]:
        """Yield what a run does: its states, steps, text as it is written, and tool calls.

        Any process may read along, from the start or behind a cursor, live or long afterwards: the
        events are the same, and each piece of text comes once. Live the text comes in more pieces,
        and steps may end between them. The iterator ends when the run has ended, or waits for tool
        outputs; then go on behind the last cursor.

        Args:
            thread_id: The thread.
            run_id: The run.
            after: ``cursor`` of the last event that you are done with, to begin behind it.
            poll_seconds: How long news may take where no hint of a commit arrives: after a lost
                connection, through a pooler, or beside an engine of your own.

        Raises:
            InvalidInput: a value is malformed, or the cursor belongs to another run.
            ThreadNotFound, RunNotFound: there is no such run, or it was purged meanwhile.
            StoreClosed: the store was closed, also while waiting.
            StoreUnavailable: the database fails for a reason that does not pass with time.
        """
        return self._following(
            _run_streams.stream(
                self._scope, thread_id, run_id, after=after, poll_seconds=poll_seconds
            )
        )

    def wait(
        self,
        thread_id: str,
        run_id: str,
        *,
        timeout_seconds: float | None = None,
        poll_seconds: float = _POLL_SECONDS,
    ) -> Run:
        """Wait until a run has ended, or waits for tool outputs; return it.

        Args:
            thread_id: The thread.
            run_id: The run.
            timeout_seconds: How long to wait; None has no limit.
            poll_seconds: How long news may take where no hint of a commit arrives: after a lost
                connection, through a pooler, or beside an engine of your own.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound, RunNotFound: there is no such run, or it was purged meanwhile.
            WaitTimedOut: it did neither in time; it goes on.
            StoreClosed: the store was closed, also while waiting.
            StoreUnavailable: the database fails for a reason that does not pass with time.
        """
        return self._awaited(
            _run_streams.wait(
                self._scope,
                thread_id,
                run_id,
                timeout_seconds=timeout_seconds,
                poll_seconds=poll_seconds,
            )
        )

    def record(
        self,
        thread_id: str,
        run_id: str | None = None,
        *,
        assistant_id: str | None = None,
        model: str | None = None,
        instructions: str | None = None,
        tools: Sequence[ToolGiven] | None = None,
        settings: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        regenerates: str | None = None,
        on_busy: OnBusy = "reject",
        holder: str | None = None,
        take_over: bool = False,
        fence: int | None = None,
        lease_seconds: float = 30.0,
    ) -> AbstractContextManager[RecordedRun]:
        """Record a run of your own loop in a ``with`` block: its start, what it says, and its end.

        Entering the block starts the run, and heartbeats keep it from being taken over while the
        block runs. Leaving the block completes it. After an exception it has failed, with the code
        of the error, or the name of its class. After a cancellation or an interrupt it is
        cancelled. In each case the text that it had said so far is kept as a message, with the
        status ``"incomplete"`` if it was cut off, and the thread is free again. If the process
        dies, the lease ends, and ``runs.list(lease_ended=True)`` finds the run.

        Args:
            thread_id: The thread.
            run_id: A queued run to start, or one to take over; a new run is made if left out.
            assistant_id: Assistant that answers, for a new run.
            model: Model, in place of the assistant's.
            instructions: Instructions, in place of the assistant's; erasable.
            tools: Tool definitions, in place of the assistant's.
            settings: JSON object of whatever the model takes.
            metadata: JSON object of your own; erasable.
            regenerates: Assistant's message to make another answer to.
            on_busy: ``"reject"`` (the default) refuses while another run is open, ``"interrupt"``
                and ``"rollback"`` cancel it.
            holder: Name of this worker, up to 255 characters.
            take_over: Take ``run_id`` away from a holder that died.
            fence: Fence that ``run_id`` must still have.
            lease_seconds: How long this process may be silent before another may take over.

        Raises:
            InvalidInput: a value is malformed, or values for a new run are given with ``run_id``.
            ThreadNotFound, RunNotFound, AssistantNotFound, MessageNotFound: something that it names
                does not exist.
            Refused: the thread is archived, deleted or busy, or it is not the run's turn.
            LeaseLost: the run has another fence; inside the block, another worker took it over.
        """
        return self._recorded(
            _run_recording.record(
                self._scope,
                thread_id,
                run_id,
                assistant_id=assistant_id,
                model=model,
                instructions=instructions,
                tools=tools,
                settings=settings,
                metadata=metadata,
                regenerates=regenerates,
                on_busy=on_busy,
                holder=holder,
                take_over=take_over,
                fence=fence,
                lease_seconds=lease_seconds,
            )
        )


class Assistants(Resource):
    """Keep assistants: a model, instructions and tools, each change a version."""

    def create(
        self,
        *,
        model: str | None = None,
        name: str | None = None,
        description: str | None = None,
        instructions: str | None = None,
        tools: Sequence[ToolGiven] | None = None,
        settings: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        assistant_id: str | None = None,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Assistant:
        """Create an assistant at version 1.

        With an ``idempotency_key`` and no ``assistant_id`` the id is derived from tenant and key,
        so that a second try finds the first assistant.

        Args:
            model: Model that it answers with.
            name: Name, up to 255 characters; erasable.
            description: Description for people; erasable.
            instructions: System prompt; erasable.
            tools: Tool definitions as JSON objects, or tools of ``eventstore.engine``.
            settings: JSON object of whatever the model takes: temperature, limits.
            metadata: JSON object of your own; erasable.
            assistant_id: Id of your own: ``asst_`` and 32 lowercase hex digits.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or the id is in use.
            WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _assistants.create(
                self._scope,
                model=model,
                name=name,
                description=description,
                instructions=instructions,
                tools=tools,
                settings=settings,
                metadata=metadata,
                assistant_id=assistant_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def get(self, assistant_id: str, *, version: int | None = None) -> Assistant:
        """Return an assistant as it is, or as it was at a version.

        Args:
            assistant_id: The assistant.
            version: Version to read; the latest if left out.

        Raises:
            InvalidInput: it has no such version.
            AssistantNotFound: there is none, or it was deleted and no version was asked for.
        """
        return self._perform(_assistants.get(self._scope, assistant_id, version=version))

    def update(
        self,
        assistant_id: str,
        *,
        model: str | UnsetType | None = UNSET,
        name: str | UnsetType | None = UNSET,
        description: str | UnsetType | None = UNSET,
        instructions: str | UnsetType | None = UNSET,
        tools: Sequence[ToolGiven] | UnsetType = UNSET,
        settings: Mapping[str, Any] | UnsetType = UNSET,
        metadata: Mapping[str, Any] | UnsetType = UNSET,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Assistant:
        """Change an assistant, which makes its next version.

        An argument that is left out changes nothing. Runs keep the version that they were created
        for.

        Args:
            assistant_id: The assistant.
            model: Model that it answers with; None takes it away.
            name: Name, up to 255 characters; None takes it away.
            description: Description for people; None takes it away.
            instructions: System prompt; None takes it away.
            tools: Tool definitions, or tools, that take the place of the old ones.
            settings: JSON object that takes the place of the old one.
            metadata: JSON object that takes the place of the old one.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or none was given.
            AssistantNotFound: there is none.
            Refused: the assistant was deleted.
            WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _assistants.update(
                self._scope,
                assistant_id,
                model=model,
                name=name,
                description=description,
                instructions=instructions,
                tools=tools,
                settings=settings,
                metadata=metadata,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def delete(
        self,
        assistant_id: str,
        *,
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Assistant:
        """Delete an assistant: it takes no new runs, and its versions stay readable.

        Args:
            assistant_id: The assistant.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            AssistantNotFound: there is none.
            Refused: it was deleted already.
            WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _assistants.delete(
                self._scope,
                assistant_id,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def versions(self, assistant_id: str) -> builtins.list[Assistant]:
        """Return every version of an assistant, the first one first.

        Args:
            assistant_id: The assistant.

        Raises:
            AssistantNotFound: there is none.
        """
        return self._perform(_assistants.versions(self._scope, assistant_id))

    def list(self, *, after: str | None = None, limit: int | None = 100) -> Page[Assistant]:
        """Return a page of assistants in the order they were created, without the deleted ones.

        Args:
            after: A page's ``next_cursor``, to begin behind it.
            limit: Most assistants on the page; None is all of them.

        Raises:
            InvalidInput: a value is malformed, or the cursor belongs to another listing.
        """
        return Page.of(
            self._perform(_assistants.list_(self._scope, after=after, limit=limit)),
            lambda cursor: self.list(after=cursor, limit=limit),
        )


class Events(Resource):
    """Read and follow the log itself, and append to streams of your own."""

    def append(
        self,
        stream_id: str,
        events: Sequence[NewEvent | Mapping[str, Any]],
        *,
        expected_version: int | Literal["no_stream", "stream_exists", "any"],
        idempotency_key: str | None = None,
        actor: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Receipt:
        """Append events of your own to a stream of your own, all or none.

        Args:
            stream_id: Category and 32 lowercase hex digits, for example ``invoice_…``.
            events: NewEvents, or dicts of their fields.
            expected_version: Version that the stream must be at, ``"no_stream"``,
                ``"stream_exists"``, or ``"any"``.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            subject: Opaque name of the person whose data the content is; the thread's own if left
                out.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or the category belongs to the library.
            WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._write(
            _events.append(
                self._scope,
                stream_id,
                events,
                expected_version=expected_version,
                options=AppendOptions(
                    idempotency_key=idempotency_key,
                    actor=actor,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def read(
        self, stream_id: str, *, after: int = 0, limit: int | None = None, backwards: bool = False
    ) -> Iterator[RecordedEvent]:
        """Yield the events of a stream.

        Args:
            stream_id: Id of a thread, an assistant, or a stream of your own.
            after: Version to begin behind; backwards, the version to stop in front of.
            limit: Most events to yield; None is all of them.
            backwards: Begin with the last event.

        Raises:
            InvalidInput: a value is malformed.
            StreamNotFound: the stream has no events in this tenant.
            BrokenChain: the next event is missing.
        """
        return self._each(
            _events.read(self._scope, stream_id, after=after, limit=limit, backwards=backwards)
        )

    def read_all(
        self, *, after: Position | str | None = None, limit: int | None = None
    ) -> Iterator[RecordedEvent]:
        """Yield every event of the tenant, in the order of the store.

        Args:
            after: ``position`` of an event to begin behind, or the text of one.
            limit: Most events to yield; None is all of them.

        Raises:
            InvalidInput: a value is malformed.
            BrokenChain: an event is missing between two of its stream that were read together.
                ``projections.compare()`` finds every one that is missing.
            Refused: the tables are distributed over several nodes, which have no common order.
        """
        return self._each(_events.read_all(self._scope, after=after, limit=limit))

    def last_position(self) -> Position:
        """Return the position of the newest event: a subscription behind it begins with news.

        Raises:
            Refused: the tables are distributed over several nodes, which have no common order.
        """
        return self._perform(_events.last_position(self._scope))

    def subscribe(
        self,
        *,
        after: Position | str | None = None,
        categories: Sequence[str] | None = None,
        stream_id: str | None = None,
        types: Sequence[str] | None = None,
        poll_seconds: float = 1.0,
        pause_seconds: float = 0.0,
    ) -> Following[RecordedEvent]:
        """Yield the events of the tenant after a position, then each new one, without end.

        Every event is delivered once, and the events of each stream in order of version, whatever
        writers do meanwhile. Keep the ``position`` of the last event that you are done with, and
        begin behind it next time. While the database cannot be reached, the subscription waits for
        it.

        Args:
            after: ``position`` of an event to begin behind, or the text of one.
            categories: Deliver only streams of these categories, for example ``["thread"]``.
            stream_id: Deliver only this stream.
            types: Deliver only events of these types; up to 1,000.
            poll_seconds: How long a new event may take where no hint of a commit arrives: after a
                lost connection, through a pooler, or beside an engine of your own.
            pause_seconds: Least time between two looks at the log. The first event after a quiet
                time still comes at once; in a busy store this many seconds of events are read
                together.

        Raises:
            InvalidInput: a value is malformed.
            StoreClosed: the store was closed, also while waiting.
            UndecodableEvent, UnknownEventType: the next event cannot be read; none is ever skipped.
            BrokenChain: the event before the next one in its stream is missing.
            StoreUnavailable: the database fails for a reason that does not pass with time.
            Refused: the tables are distributed over several nodes, which have no common order.
        """
        return self._following(
            _event_subscriptions.subscribe(
                self._scope,
                after=after,
                categories=categories,
                stream_id=stream_id,
                types=types,
                poll_seconds=poll_seconds,
                pause_seconds=pause_seconds,
            )
        )


class Projections(ProjectionsBase):
    """Run read models of your own behind the log, and check the tables of the store."""

    def rebuild(
        self, thread_id: str | None = None, *, projection: str | None = None
    ) -> RebuildReport:
        """Make tables anew from the events: the store's own, or those of a projection.

        ``rebuild()`` mends the decision tables of all threads, ``rebuild(thread_id)`` those of one.
        Threads are compared with their events while others write. Only rows that differ are written
        anew, some hundred in a transaction. An append to a thread with more differences rebuilds it
        first, and takes as long. An interrupted rebuild can simply be run again.

        ``rebuild(projection="search")`` begins new tables for a projection, beside those that are
        read. The worker that runs the projection, or ``catch_up("search")``, fills and swaps them.
        Until then the old tables are read and kept current.

        Args:
            thread_id: Thread whose decision tables are mended; all of them if left out.
            projection: Name of the projection whose tables are made anew, instead of decision
                tables.

        Raises:
            InvalidInput: both were given, or the projection is not registered in this process.
            ThreadNotFound: there is none.
            Refused: the projection's tables cannot be made; nothing was.
        """
        return self._perform(_projections.rebuild(self._scope, thread_id, projection=projection))

    def compare(self, thread_id: str | None = None) -> CompareReport:
        """Compare the decision tables of one thread, or of all, with the events. Writes nothing.

        It also finds missing events, missing large contents, and large contents that a manual
        erasure left behind.

        Args:
            thread_id: The thread; all of them if left out.

        Raises:
            ThreadNotFound: there is none.
        """
        return self._perform(_projections.compare(self._scope, thread_id))

    def read(self, name: str, look: Callable[[Tables], T]) -> T:
        """Call a function with the tables of a projection, on one snapshot.

        Args:
            name: Name of the projection, or the projection itself.
            look: Takes the tables; its result is returned.

        Raises:
            InvalidInput: the projection has no tables yet.
        """
        return self._perform(_projections.read(self._scope, name, look))

    def query(self, name: str, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT over a projection's tables.

        Args:
            name: Name of the projection.
            sql: SELECT in which a table stands as ``{table}`` and a parameter as ``?``.
            parameters: Values of the parameters.

        Raises:
            InvalidInput: the projection has no tables yet, or no table of that name.
            StoreUnavailable: the database does not take the statement, or a parameter.
        """
        return self._perform(_projections.query(self._scope, name, sql, parameters))

    def status(self) -> list[ProjectionStatus]:
        """Return the state of each projection that is registered here or ran on this store.

        A store that is bound to a tenant learns how many of the tenant's own events are missing,
        and whether a projection stopped, but not where: that may be at another tenant's event.
        """
        return self._perform(_projection_status.status(self._scope))

    def retry(self, name: str) -> int:
        """Let a projection go on that stopped, or is held; return how many sets of tables do.

        The event where it stopped, if there is one, stays unchanged: the worker that runs the
        projection applies it again, or creates the tables again. A worker that is alive and holds a
        lease loses it, writes nothing any more, and stands by; nobody has to wait for one that
        died.

        Args:
            name: Name of the projection.
        """
        return self._write(_projection_status.retry(self._scope, name))


class Replay(Resource):
    """Rebuild any moment of a thread from its events alone."""

    def state(
        self, thread_id: str, *, at_version: int | None = None, at_time: datetime | None = None
    ) -> ReplayedThread:
        """Return a thread at a version, at a time, or now, made from its events alone.

        All of the thread is in memory then. It goes on from a snapshot, which writers leave after
        some thousand events. So at whichever version it reads the events that hold the words of the
        state, and at most some thousand more, or twice as many as the state has messages, runs and
        steps; of a fork also that much of each thread that it comes from. A store that writes only
        through ``connection=`` leaves none, and its first reader reads every event.

        An event that was deleted below a snapshot is not missed here: ``audit.verify`` finds it,
        and :meth:`steps` from the beginning stop there. One page of a past path costs less:
        ``messages.list(thread_id, at_version=…)``.

        Args:
            thread_id: The thread.
            at_version: Version to stop at.
            at_time: Time to stop at, with a time zone: the last version that was recorded by then.

        Raises:
            InvalidInput: the version is none, or the time has no zone.
            ThreadNotFound: there is none.
            MomentNotFound: it did not exist yet then, or has not come so far.
        """
        return self._perform(
            _replay.state(self._scope, thread_id, at_version=at_version, at_time=at_time)
        )

    def steps(self, thread_id: str, *, after: int = 0) -> Iterator[ReplayStep]:
        """Yield every event of a thread with the state right after it.

        n steps cost n, also where the length of the path or the last message is read at each. With
        ``after`` the state there is read first, which costs what :meth:`state` does.

        Args:
            thread_id: The thread.
            after: Version to begin behind; earlier steps are skipped.

        Raises:
            InvalidInput: ``after`` is not a version.
            ThreadNotFound: there is none.
        """
        return self._each(_replay.steps(self._scope, thread_id, after=after))

    def diff(
        self, thread_id: str, *, from_version: int, to_version: int | None = None
    ) -> ThreadDiff:
        """Compare a thread at two versions: each field that differs, with both values, and paths.

        Its cost depends on the events between the two and on the result; not on the length of the
        thread. Of each thing that they touch some thousand other events are read at most.

        Args:
            thread_id: The thread.
            from_version: The earlier version; a later one shows everything the other way round.
            to_version: The later version; the latest if left out.

        Raises:
            InvalidInput: a version is none.
            ThreadNotFound: there is none.
            MomentNotFound: it did not exist yet then, or has not come so far.
        """
        return self._perform(
            _replay.diff(self._scope, thread_id, from_version=from_version, to_version=to_version)
        )


class Privacy(Resource):
    """Remove content or whole threads for good."""

    def erase(
        self,
        thread_id: str | None = None,
        message_id: str | None = None,
        *,
        subject: str | None = None,
        include: Sequence[str] = (),
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        connection: Connection | None = None,
    ) -> Erasure:
        """Erase a message, a whole thread or a person for good, and return a certificate of it.

        Of a **message** its wordings, metadata, name, label, external id, tool text and the reasons
        given for its changes are gone, also from forks. Its place, author, role and times stay, and
        the hash chain holds. It reads as ``erased``, in the past, too.

        Of a **thread** (without ``message_id``) all of this is gone for every message, with title,
        metadata, and what runs recorded; its tree, roles and versions stay. What a fork shows of
        its source stands in the source, and stays.

        Of a **person** everything is gone that was written with ``subject=`` of that name, in all
        threads, assistants and streams of the tenant, with what others said about such messages,
        and with the records and messages of runs created in that name. It takes one transaction a
        stream.

        Erasing again appends nothing and finishes what was ``pending`` or interrupted.

        Args:
            thread_id: The thread.
            message_id: Message to erase; the whole thread if left out.
            subject: The person to erase, by the name that writes gave; instead of a thread.
            include: Copies of a message to take along: ``"edits"`` are the messages that came from
                it by editing or regenerating, or it from them; ``"run"`` is what the runs that
                wrote or saw it recorded (instructions, tools, settings, metadata, steps, errors;
                not their messages).
            expected_head: Id of the message that the caller believes is the head of the thread;
                ``EMPTY`` for none.
            expected_version: Version that the caller believes the thread is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed, or they do not go together.
            ThreadNotFound, MessageNotFound: there is no such message.
            SubjectNotFound: nothing was ever written in that name.
            Refused: ``"message_inherited"``, erase it in its source.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._perform(
            _erasing.erase(
                self._scope,
                thread_id,
                message_id,
                subject=subject,
                include=include,
                options=ErasureOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    connection=connection,
                ),
            )
        )

    def purge(
        self,
        thread_id: str,
        *,
        forks: Literal["refuse", "purge"] = "refuse",
        expected_head: str | None = None,
        expected_version: int | Literal["no_stream", "stream_exists", "any"] | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        reason: str | None = None,
        subject: str | None = None,
        connection: Connection | None = None,
    ) -> Tombstone:
        """Remove a thread for good, with everything that is kept of it, and return its tombstone.

        Events, messages, runs, metadata and idempotency keys go in one transaction. A
        ``ThreadPurged`` stays in the tenant's stream of the category ``store``. Nothing brings the
        thread back, and its id stays refused.

        The tombstone names places where bytes may still stand on disk. Purging again returns the
        same tombstone, and finishes what was ``pending``. ``expected_version`` and
        ``expected_head`` are about the thread.

        Args:
            thread_id: Thread to remove; it may be archived or deleted.
            forks: ``"refuse"`` refuses while forks of it exist, and lists them. ``"purge"`` takes
                them and their forks along, each with a tombstone of its own: all of them go, or
                none.
            expected_head: Id of the message that the caller believes is the head; ``EMPTY`` for
                none.
            expected_version: Version that the caller believes the stream is at; None does not check
                it.
            idempotency_key: The same key with the same command returns the first result and adds
                nothing.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.
            subject: Opaque name of the person whose data the content is. If left out, what belongs
                to a run is of the person in whose name the run was created, and all else is the
                thread's own.
            connection: The application's own open transaction: the write commits or rolls back with
                it.

        Raises:
            InvalidInput: a value is malformed.
            ThreadNotFound: there never was one of this id.
            Refused: ``"thread_busy"``, a run has not ended: cancel it first;
                ``"thread_has_forks"``.
            WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
        """
        return self._perform(
            _purging.purge(
                self._scope,
                thread_id,
                forks=forks,
                options=WriteOptions(
                    expected_head=expected_head,
                    expected_version=expected_version,
                    idempotency_key=idempotency_key,
                    actor=actor,
                    reason=reason,
                    subject=subject,
                    connection=connection,
                ),
            )
        )

    def retain(
        self,
        *,
        older_than: timedelta,
        metadata: Mapping[str, object] | None = None,
        archived: bool | None = None,
        action: Literal["erase", "purge"] = "erase",
        dry_run: bool = False,
        actor: str | None = None,
        reason: str | None = None,
    ) -> RetentionReport:
        """Erase or purge every thread in which nothing happened for some time; deleted ones, too.

        Each takes transactions of its own, so others write meanwhile. A call that was interrupted
        is made again: it goes on with what is left. A thread stays as long as a fork of it is in
        use.

        Args:
            older_than: The time since the last event of a thread.
            metadata: Top-level values that a thread's metadata must have.
            archived: True for archived threads alone, False for the others alone, None for both.
            action: ``"erase"`` takes the content and keeps the skeleton; ``"purge"`` leaves a
                tombstone.
            dry_run: Only list what is due.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.

        Raises:
            InvalidInput: a value is malformed.
        """
        return self._perform(
            _retention.retain(
                self._scope,
                older_than=older_than,
                metadata=metadata,
                archived=archived,
                action=action,
                dry_run=dry_run,
                options=RetentionOptions(actor=actor, reason=reason),
            )
        )


class Audit(Resource):
    """Prove that the log is what was written."""

    def verify(
        self,
        thread_id: str | None = None,
        *,
        tree_head: TreeHead | str | None = None,
        public_key: str | bytes | None = None,
        changed_only: bool = False,
        read_models: bool = False,
        mark: bool = False,
    ) -> VerifyReport:
        """Recompute the hash chain, and compare the tables with the events.

        It checks hashes and commitments, gaps and order, the ends of streams, that content went
        only by an erasure, that forks still stand on the events that they were made from, that
        purged threads are gone, and that decision tables hold what the events say. It writes
        nothing but a ``mark``.

        Nothing inside a database can show that an older copy was put in its place, that an end was
        cut off together with every trace of it, or that all hashes were computed anew. A signed
        tree head that was kept elsewhere shows this.

        Args:
            thread_id: The thread, with the threads that it was forked from; the whole tenant if
                left out.
            tree_head: A head that was signed earlier: the tree has to go on from it.
            public_key: The key that signed it, 32 bytes or 64 hex digits. Stored heads of this key
                are verified as well.
            changed_only: Recompute only streams that went on since ``tree_head``, or without one
                since the last mark: that the others end where it says is verified all the same. An
                alteration of an older event is then found only if the end of its stream differs,
                too.
            read_models: Also build the registered projections that offer ``contents`` anew, in
                memory, and compare. It reads all events once more for each.
            mark: If nothing is found, append a mark to the tenant's stream of the category
                ``store``, from which ``changed_only`` goes on.

        Raises:
            InvalidInput: an argument is malformed, or the signature of the head does not hold.
            ThreadNotFound: there is none.
            Refused: with a mark, if the tables are distributed over several nodes, which have no
                common order.
        """
        return self._perform(
            _verification.verify(
                self._scope,
                thread_id,
                tree_head=tree_head,
                public_key=public_key,
                changed_only=changed_only,
                read_models=read_models,
                mark=mark,
            )
        )

    def sign_tree_head(self, private_key: PrivateKey) -> TreeHead:
        """Sign a head over the whole store, all tenants included, and return it.

        It covers the end of every stream, and its cost grows with what changed since the last one.
        If nothing did, the last one is returned. Keep it where nobody who can write to the database
        can.

        Args:
            private_key: An ``Ed25519PrivateKey`` of ``cryptography``, its PEM text, or anything
                that signs like one.

        Raises:
            InvalidInput: it is no such key, or ``cryptography`` is not installed.
            BrokenChain: a stream does not end where its head says; nothing was signed.
            Refused: ``"distributed_schema"``; such a store has no order over all streams.
        """
        return self._write(_audit.sign_tree_head(self._scope, private_key))

    def tree_heads(self, *, limit: int = 100) -> list[TreeHead]:
        """Return the heads that were signed, the newest first.

        Args:
            limit: How many, at most.

        Raises:
            InvalidInput: the limit is not allowed.
        """
        return self._perform(_audit.tree_heads(self._scope, limit=limit))

    def inclusion_proof(
        self, thread_id: str, *, tree_head: TreeHead | str | None = None
    ) -> InclusionProof:
        """Return the proof that a tree head covers a thread (RFC 9162).

        Args:
            thread_id: The thread.
            tree_head: The head; the newest one if left out.

        Raises:
            InvalidInput: an argument is malformed, or the store has no such head.
            ThreadNotFound: the head covers no such thread.
        """
        return self._perform(_audit.inclusion_proof(self._scope, thread_id, tree_head=tree_head))

    def consistency_proof(self, first: int, second: int | None = None) -> ConsistencyProof:
        """Return the proof that a tree begins with a smaller one (RFC 9162).

        Args:
            first: The number of leaves of the smaller tree: ``size`` of its head.
            second: That of the larger one; the present tree if left out.

        Raises:
            InvalidInput: a number is not that of a tree here.
        """
        return self._perform(_audit.consistency_proof(self._scope, first, second))

    def export(self, thread_id: str, private_key: PrivateKey) -> bytes:
        """Sign a tree head, and return evidence of a thread: one file that proves itself.

        It holds the events, a signed head that covers the last of them, the proof of that, and a
        readable transcript of the active path. Erased content stays erased in it. The program that
        verifies it needs nothing but Python: ``eventstore audit verifier`` prints it.

        Args:
            thread_id: The thread.
            private_key: As :meth:`sign_tree_head` takes it.

        Raises:
            InvalidInput: an argument is malformed, or ``cryptography`` is not installed.
            ThreadNotFound: there is none.
            BrokenChain: a stream does not end where its head says; nothing was signed.
        """
        return self._perform(_audit.export(self._scope, thread_id, private_key))

    def trail(
        self,
        thread_id: str | None = None,
        *,
        actor: str | None = None,
        type: str | Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        event_id: str | None = None,
    ) -> Iterator[TrailEntry]:
        """Yield who did what, when and why: each event with the fields that it changed.

        Before and after are folded from the events. Words that were erased are shown as erased.
        Entries of a thread come in the order of its versions, those of a tenant in the order of the
        store.

        Its cost is linear in the events read, which are all events of the thread or tenant: filters
        save making entries, and ``since`` also saves reading what came before it in a thread. A
        page of events is in memory at a time.

        To follow causes, give ``event_id=entry.causation_id``; to follow effects,
        ``causation_id=entry.event_id``; for everything done for one request, its
        ``correlation_id``.

        Args:
            thread_id: The thread; the whole tenant if left out, with its assistants and purges, and
                without streams of the application's own.
            actor: Only what this actor did.
            type: Only events of this type, or of these types; ``eventstore log`` shows them.
            since: Only what was recorded then or later; with a time zone.
            until: Only what was recorded earlier than then; with a time zone.
            correlation_id: Only what was done under this correlation id.
            causation_id: Only what this event or request led to.
            event_id: Only this event.

        Raises:
            InvalidInput: an argument is malformed, or there is no such type of event.
            ThreadNotFound: there is none.
            BrokenChain: the next event is missing.
            Refused: without ``thread_id``, if the tables are distributed over several nodes, which
                have no common order.
        """
        return self._each(
            _trail.trail(
                self._scope,
                thread_id,
                actor=actor,
                type=type,
                since=since,
                until=until,
                correlation_id=correlation_id,
                causation_id=causation_id,
                event_id=event_id,
            )
        )


class Keys(Resource):
    """Look at the keys of a store with encryption, and rotate the master key."""

    def status(self) -> KeyStatus:
        """Return which master keys wrap the data keys.

        Raises:
            InvalidInput: the store was opened without encryption.
            KeyUnavailable: the key store cannot be used.
        """
        return self._perform(_keys.status(self._scope))

    def rotate(self, *, actor: str | None = None, reason: str | None = None) -> Rotation:
        """Wrap every data key by the store's present master key; no content is written again.

        The former master keys have to be given to ``Encryption(former_master_keys=…)``. It may be
        interrupted and called again: keys that are done are left alone. Other processes may read
        and write meanwhile, once they know both master keys. A ``KeyRotated`` in the tenant's
        stream of the category ``store`` records it.

        Args:
            actor: Opaque id of the user or service that acts.
            reason: The reason, in the writer's words; erasable.

        Raises:
            InvalidInput: the store was opened without encryption.
            KeyUnavailable: a master key that wraps one of the keys is not known, or cannot be used.
        """
        return self._perform(_keys.rotate(self._scope, actor=actor, reason=reason))


class Tenants(Resource):
    """List the tenants of a store, and erase or purge one."""

    def erase(
        self, name: str, *, actor: str | None = None, reason: str | None = None
    ) -> TenantErasure:
        """Erase all content of a tenant for good, and return a certificate of it.

        Threads, assistants and streams of your own keep their skeletons; the name of the tenant
        stays, too. It takes a transaction a stream. A call that was interrupted is made again.

        Args:
            name: The tenant; ``""`` is the default one.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.

        Raises:
            InvalidInput: a value is malformed, or the store is bound to another tenant.
            TenantNotFound: no tenant of this name ever wrote.
        """
        return self._perform(
            _whole_tenants.erase(
                self._scope, name, options=RetentionOptions(actor=actor, reason=reason)
            )
        )

    def purge(
        self, name: str, *, actor: str | None = None, reason: str | None = None
    ) -> TenantErasure:
        """Remove everything of a tenant for good, and return a certificate of it.

        Its threads go, forks before their sources, whether or not a run has ended; then assistants
        and streams of your own. Their tombstones stay in the tenant's stream of the category
        ``store``, without reasons. A call that was interrupted is made again.

        Args:
            name: The tenant; ``""`` is the default one.
            actor: Opaque id of the user or service that acts, up to 255 characters; kept for ever.
                Overrides ``acting()``.
            reason: The reason, in the writer's words; erasable.

        Raises:
            InvalidInput: a value is malformed, or the store is bound to another tenant.
            TenantNotFound: no tenant of this name ever wrote.
        """
        return self._perform(
            _whole_tenants.purge(
                self._scope, name, options=RetentionOptions(actor=actor, reason=reason)
            )
        )

    def list(self, *, measure: bool = False) -> builtins.list[Tenant]:
        """Return the tenants that ever wrote, in order of their names, with their sizes.

        A store that is bound to a tenant learns only of that one.

        Args:
            measure: Also add up the bytes of all events, which reads through them.
        """
        return self._perform(_tenants.list_(self._scope, measure=measure))


class Resources:
    """The attributes of a store."""

    def __init__(self, runner: SyncRunner) -> None:
        self._runner = runner
        self._threads = Threads(runner)
        self._messages = Messages(runner)
        self._branches = Branches(runner)
        self._runs = Runs(runner)
        self._assistants = Assistants(runner)
        self._events = Events(runner)
        self._projections = Projections(runner)
        self._replay = Replay(runner)
        self._privacy = Privacy(runner)
        self._audit = Audit(runner)
        self._keys = Keys(runner)
        self._tenants = Tenants(runner)

    @property
    def threads(self) -> Threads:
        """Create, find, fork, archive and delete conversations."""
        return self._threads

    @property
    def messages(self) -> Messages:
        """Add messages, edit and regenerate them, and read the history of a thread."""
        return self._messages

    @property
    def branches(self) -> Branches:
        """Show the tree of a thread, and choose which of its paths is active."""
        return self._branches

    @property
    def runs(self) -> Runs:
        """Record executions of an assistant: their starts, waits, ends and order."""
        return self._runs

    @property
    def assistants(self) -> Assistants:
        """Keep assistants: a model, instructions and tools, each change a version."""
        return self._assistants

    @property
    def events(self) -> Events:
        """Read and follow the log itself, and append to streams of your own."""
        return self._events

    @property
    def projections(self) -> Projections:
        """Run read models of your own behind the log, and check the tables of the store."""
        return self._projections

    @property
    def replay(self) -> Replay:
        """Rebuild any moment of a thread from its events alone."""
        return self._replay

    @property
    def privacy(self) -> Privacy:
        """Remove content or whole threads for good."""
        return self._privacy

    @property
    def audit(self) -> Audit:
        """Prove that the log is what was written."""
        return self._audit

    @property
    def keys(self) -> Keys:
        """Look at the keys of a store with encryption, and rotate the master key."""
        return self._keys

    @property
    def tenants(self) -> Tenants:
        """List the tenants of a store, and erase or purge one."""
        return self._tenants
