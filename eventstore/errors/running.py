"""Errors of those who execute runs: a lost lease, a model, a tool, a closed engine."""

from __future__ import annotations

from eventstore.errors.base import ConversationStoreError

__all__ = ["EngineClosed", "LeaseLost", "ModelError", "ToolError", "WaitTimedOut"]


class LeaseLost(ConversationStoreError):
    """The lease on a run or a projection was freed, or went to another worker.

    Nothing was written.
    """

    def __init__(self, name: str, holder: str | None, remedy: str = "Stop this worker.") -> None:
        held = "was freed or taken over" if holder is None else f"is held by {holder!r} now"
        super().__init__(f"the lease on {name} {held}. {remedy}")
        self.name = name
        self.holder = holder


class WaitTimedOut(ConversationStoreError, TimeoutError):
    """A run neither ended nor asked for tool outputs in the time given. It goes on."""

    def __init__(self, run_id: str, status: str, seconds: float) -> None:
        super().__init__(
            f"{run_id} was still {status} after {seconds:g} seconds. It goes on: wait longer, or"
            " cancel it with runs.cancel()."
        )
        self.run_id = run_id
        self.status = status
        self.seconds = seconds


class ModelError(ConversationStoreError):
    """A model could not be asked, or its answer broke off.

    ``code`` is one of ``"invalid_api_key"``, ``"permission_denied"``, ``"model_not_found"``,
    ``"unknown_model"``, ``"rate_limit_exceeded"``, ``"server_error"``, ``"unreachable"``,
    ``"timeout"``, ``"stream_broken"``, ``"context_length_exceeded"``, ``"unsupported_content"``,
    ``"bad_request"``, ``"bad_response"``, ``"script_ended"``, ``"missing_dependency"``. The words
    of a provider are never part of it, as they may repeat a message or a key.
    """

    def __init__(
        self,
        code: str,
        problem: str,
        remedy: str,
        *,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        """``retryable``: the same request may succeed later, as after an overload."""
        super().__init__(f"{problem}. {remedy}")
        self.code = code
        self.problem = problem
        self.remedy = remedy
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


class ToolError(ConversationStoreError):
    """A tool cannot be used as it was asked for. A call that fails is a result, not this.

    ``code`` is one of ``"missing_dependency"``, ``"no_sandbox"``, ``"closed"``,
    ``"credentials_missing"``, ``"bad_description"``.
    """

    def __init__(self, code: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}. {remedy}")
        self.code = code
        self.problem = problem
        self.remedy = remedy


class EngineClosed(ConversationStoreError):
    """The engine was closed. What it recorded stands, and runs that have not ended wait."""

    def __init__(self) -> None:
        super().__init__("the engine is closed. Make another one to go on with the run.")
