"""The values of runs and of the assistants that they execute."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import ConfigDict, model_validator

from eventstore.conversation.rows import ActionReason, RunStatus, StepStatus
from eventstore.conversation.values import Message
from eventstore.core.unshown import Unshown
from eventstore.core.values import Value

__all__ = ["Assistant", "RequiredAction", "Run", "RunContext", "RunError", "RunStep", "TokenUsage"]


class TokenUsage(Value):
    """Tokens, as the provider counted them. ``input`` and ``output`` are accepted, too."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    input_tokens: int = 0
    """Tokens that the model read."""
    output_tokens: int = 0
    """Tokens that the model wrote."""
    total_tokens: int = 0
    """All of them; the sum of both if left out."""

    @model_validator(mode="before")
    @classmethod
    def _totalled(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        counts = {_COUNTS.get(name, name): count for name, count in given.items()}
        if "total_tokens" not in counts:
            both = (counts.get("input_tokens", 0), counts.get("output_tokens", 0))
            if all(isinstance(count, int) for count in both):
                counts["total_tokens"] = sum(both)
        return counts


_COUNTS: Final = {"input": "input_tokens", "output": "output_tokens", "total": "total_tokens"}


class RunError(Value):
    """The reason that a run or a step failed."""

    code: str
    """Kind of failure."""
    message: Unshown[str | None]
    """Words for people."""


class RequiredAction(Value):
    """A tool call for which a run waits for people."""

    call_id: str
    """The call."""
    reason: ActionReason
    """``"outputs"``: somebody else runs the tool. ``"outcome_unknown"``: a crash hid what became of
    the call. ``"approval"``: a person approves it first."""


class Run(Value):
    """One execution of an assistant, or of the application's own agent loop."""

    id: str
    """``run_`` and 32 hex digits."""
    thread_id: str
    """Thread that it answers in."""
    assistant_id: str | None
    """Assistant that answers."""
    assistant_version: int | None
    """Version of the assistant that the run was created for."""
    status: RunStatus
    """Status in its life cycle."""
    model: str | None
    """Model that answers."""
    instructions: Unshown[str | None]
    """System prompt."""
    tools: Unshown[tuple[dict[str, Any], ...]]
    """Tool definitions."""
    settings: Unshown[dict[str, Any]]
    """Settings of the model."""
    metadata: Unshown[dict[str, Any]]
    """JSON object of the application."""
    regenerates: str | None
    """Message that it makes another answer to."""
    queue: str | None
    """Name of the queue whose workers execute it; None if the application executes it itself."""
    holder: str | None
    """Worker that executes it, or executed it last."""
    fence: int | None
    """Number that the holder gives with each write; it changes when another one takes over."""
    lease_ends_at: datetime | None
    """Time until which its holder holds it, by the database's clock. None if nobody does, and
    where the run is read from its events alone: in the past, in replays, in repeats by key."""
    started_head_id: str | None
    """Head of the thread when it started."""
    last_message_id: str | None
    """Last message that it works on or wrote."""
    required_calls: tuple[str, ...]
    """Tool calls for which it waits."""
    required_actions: tuple[RequiredAction, ...]
    """The same calls, each with the reason."""
    incomplete_reason: str | None
    """Reason for which the answer was cut off."""
    error: RunError | None
    """Error, if it failed."""
    usage: TokenUsage | None
    """Tokens that it took."""
    created_at: datetime
    """Time at which it was queued."""
    updated_at: datetime
    """Time at which it last changed; its messages and steps do not count."""
    started_at: datetime | None
    """Time at which it first started."""
    ended_at: datetime | None
    """Time at which it ended."""
    version: int
    """Version of the last event that changed it."""


class RunStep(Value):
    """One model call, or one round of tools."""

    id: str
    """``step_`` and 32 hex digits."""
    run_id: str
    """Run that it belongs to."""
    thread_id: str
    """Thread of the run."""
    type: str
    """Kind of step."""
    status: StepStatus
    """Status in its life cycle."""
    details: Unshown[dict[str, Any]]
    """JSON object of the application."""
    head_id: str | None
    """Last message that it saw."""
    seen_version: int | None
    """Version of the thread that it saw."""
    left_out: tuple[str, ...]
    """Messages that it did not see although they were on the path."""
    error: RunError | None
    """Error, if it failed."""
    usage: TokenUsage | None
    """Tokens that it took."""
    created_at: datetime
    """Time at which it began."""
    ended_at: datetime | None
    """Time at which it ended."""
    version: int
    """Version of the event that began it."""


class RunContext(Value):
    """The messages that a run, or one of its steps, works with. In JSON, bytes are hex."""

    model_config: ClassVar[ConfigDict] = ConfigDict(ser_json_bytes="hex", val_json_bytes="hex")

    thread_id: str
    """Thread of the run."""
    run_id: str
    """The run."""
    messages: tuple[Message, ...]
    """The messages, oldest first."""
    left_out: tuple[str, ...]
    """Messages that were skipped."""
    head_id: str | None
    """Last message of the path."""
    version: int
    """Version of the thread when they were read."""
    ranges: tuple[tuple[int, int, int, int], ...]
    """Places of the messages in the tree: hop, segment, first and last depth."""
    sources: tuple[tuple[str, int], ...] = ()
    """For a fork: each thread that holds some of these messages, with its version when they were
    read. A step that begins with them is refused if content was erased there since."""
    salt: bytes | None = None
    """Salt of ``digest``."""
    digest: bytes | None = None
    """Digest over ids, revisions and contents in order; see ``conversation.context``."""
    verified: bool | None = None
    """Whether a context rebuilt for a step equals the one that the step recorded. None if it
    recorded none, or if an erasure removed ``salt`` and ``digest``: then nothing can be proven any
    more, and no guess of the words can be tested."""


class Assistant(Value):
    """A model with instructions and tools."""

    id: str
    """``asst_`` and 32 hex digits."""
    version: int
    """Goes up by one with each change."""
    model: str | None
    """Model that it answers with."""
    name: str | None
    """Name."""
    description: Unshown[str | None]
    """Description for people."""
    instructions: Unshown[str | None]
    """System prompt."""
    tools: Unshown[tuple[dict[str, Any], ...]]
    """Tool definitions."""
    settings: Unshown[dict[str, Any]]
    """Settings of the model."""
    metadata: Unshown[dict[str, Any]]
    """JSON object of the application."""
    deleted: bool
    """Takes no new runs."""
    created_at: datetime
    """Time at which it was created."""
    updated_at: datetime
    """Time at which this version was made."""
