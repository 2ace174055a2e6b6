"""The resources of the stores and the batch, their methods, and the operation behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Resource:
    """One attribute of a store: its class, its purpose, and its methods."""

    name: str
    purpose: str
    methods: Mapping[str, str]
    """The `module.function` of the operation, by name of the method."""
    base: str = "Resource"
    parts: Mapping[str, str] = field(default_factory=dict)
    """Attributes that are resources themselves."""


def _of(module: str, *names: str, **others: str) -> dict[str, str]:
    return {name: f"eventstore.api.operations.{module}.{name}" for name in names} | {
        name: f"eventstore.api.operations.{target}" for name, target in others.items()
    }


RESOURCES: Final = (
    Resource(
        "Threads",
        "Create, find, fork, archive and delete conversations.",
        {
            **_of("threads", "create", "get", list="thread_pages.list_"),
            **_of("threads", "update", "fork", "archive", "unarchive", "delete", "restore"),
            **_of("exporting", "export"),
            "batch": "eventstore.api.batches.batch",
        },
    ),
    Resource(
        "Messages",
        "Add messages, edit and regenerate them, and read the history of a thread.",
        {
            **_of("messages", "create", "create_many"),
            **_of("message_pages", "get", list="message_pages.list_"),
            **_of("message_siblings", "edit", "regenerate"),
            **_of("message_changes", "amend", "update"),
            **_of("message_pages", "revisions"),
            **_of("message_changes", "remove", "restore"),
            **_of("message_pages", "queued"),
        },
    ),
    Resource(
        "Branches",
        "Show the tree of a thread, and choose which of its paths is active.",
        _of("branches", "tree", "select", "label", "siblings", "diff", list="branches.list_"),
    ),
    Resource(
        "RunSteps",
        "Record the steps of a run: each model call, and the messages that it saw.",
        _of("run_steps", "start", "complete", "fail", list="run_steps.list_"),
    ),
    Resource(
        "Runs",
        "Record executions of an assistant: their starts, waits, ends and order.",
        {
            **_of("runs", "create", "start", "heartbeat", "update"),
            **_of("run_actions", "require_action", "submit_tool_outputs"),
            **_of("run_ends", "complete", "fail", "cancel", "expire"),
            **_of("approvals", "approve", "deny"),
            **_of("run_pages", "get", list="run_pages.list_"),
            **_of("run_context", "context"),
            **_of("run_streams", "write_text", "stream", "wait"),
            **_of("run_recording", "record"),
        },
        parts={"steps": "RunSteps"},
    ),
    Resource(
        "Assistants",
        "Keep assistants: a model, instructions and tools, each change a version.",
        _of("assistants", "create", "get", "update", "delete", "versions", list="assistants.list_"),
    ),
    Resource(
        "Events",
        "Read and follow the log itself, and append to streams of your own.",
        {
            **_of("events", "append", "read", "read_all", "last_position"),
            **_of("event_subscriptions", "subscribe"),
        },
    ),
    Resource(
        "Projections",
        "Run read models of your own behind the log, and check the tables of the store.",
        _of(
            "projections",
            *("rebuild", "compare", "read", "query"),
            status="projection_status.status",
            retry="projection_status.retry",
        ),
        base="ProjectionsBase",
    ),
    Resource(
        "Replay",
        "Rebuild any moment of a thread from its events alone.",
        _of("replay", "state", "steps", "diff"),
    ),
    Resource(
        "Privacy",
        "Remove content or whole threads for good.",
        {
            **_of("erasing", "erase"),
            **_of("purging", "purge"),
            **_of("retention", "retain"),
        },
    ),
    Resource(
        "Audit",
        "Prove that the log is what was written.",
        {
            **_of("verification", "verify"),
            **_of("audit", "sign_tree_head", "tree_heads", "inclusion_proof", "consistency_proof"),
            **_of("audit", "export", trail="trail.trail"),
        },
    ),
    Resource(
        "Keys",
        "Look at the keys of a store with encryption, and rotate the master key.",
        _of("keys", "status", "rotate"),
    ),
    Resource(
        "Tenants",
        "List the tenants of a store, and erase or purge one.",
        _of("whole_tenants", "erase", "purge", list="tenants.list_"),
    ),
)

PLANNED: Final = (
    Resource(
        "BatchMessages",
        "Commands on messages, collected for the end of the batch.",
        {
            **_of("messages", "create"),
            **_of("message_siblings", "edit", "regenerate"),
            **_of("message_changes", "amend", "update", "remove", "restore"),
        },
    ),
    Resource(
        "BatchBranches",
        "Commands on branches, collected for the end of the batch.",
        _of("branches", "select", "label"),
    ),
    Resource(
        "BatchSteps",
        "Commands on steps of runs, collected for the end of the batch.",
        _of("run_steps", "start", "complete", "fail"),
    ),
    Resource(
        "BatchRuns",
        "Commands on runs, collected for the end of the batch.",
        {
            **_of("runs", "create", "start", "update"),
            **_of("run_actions", "require_action", "submit_tool_outputs"),
            **_of("run_ends", "complete", "fail", "cancel", "expire"),
            **_of("approvals", "approve", "deny"),
        },
        parts={"steps": "BatchSteps"},
    ),
    Resource(
        "BatchThread",
        "Commands on the thread itself, collected for the end of the batch.",
        _of("threads", "update", "archive", "unarchive"),
    ),
)
