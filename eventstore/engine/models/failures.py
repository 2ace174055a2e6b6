"""Turns the errors of the ``openai`` SDK into :class:`eventstore.ModelError`.

The words of a provider are read to tell one failure from another, and never passed on: they may
repeat a message, or a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec
import openai

from eventstore import ModelError

if TYPE_CHECKING:
    import httpx2 as httpx

__all__ = ["is_known", "retry_after", "told_of", "translated"]

_TOO_LONG: Final = re.compile(
    r"context.{0,10}(length|window|size)|maximum.{0,20}(length|tokens)|input length|too long"
    r"|too many tokens|exceeds? the (available|max)",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
_QUOTA: Final = frozenset({"insufficient_quota", "Arrearage", "billing_hard_limit_reached"})

_AGAIN = "Ask again later"
_BY_STATUS: Final = {
    401: ("invalid_api_key", "refused the API key", "Check the key and the endpoint it is for"),
    403: ("permission_denied", "does not allow this", "Check what the key may do"),
    404: ("model_not_found", "does not know the model", "Check the model's name and the base URL"),
    408: ("timeout", "timed out", _AGAIN),
    429: ("rate_limit_exceeded", "is asked too often", _AGAIN),
}
_TRANSPORT: Final = ("RequestError", "EndOfStream")
_RETRYABLE: Final = frozenset({"timeout", "rate_limit_exceeded", "server_error", "unreachable"})


def translated(error: Exception, place: str) -> ModelError:
    """Return the error for what an SDK raised.

    Args:
        error: The SDK's error.
        place: The model and its host, for people.
    """
    match error:
        case Exception() if _is_one_of(error, "APITimeoutError", "TimeoutException"):
            return _failure("timeout", place, "did not answer in time", _AGAIN)
        case Exception() if _is_one_of(error, "APIConnectionError", "OSError", *_TRANSPORT):
            remedy = "Check the base URL and the network"
            return _failure("unreachable", place, "cannot be reached", remedy)
        case openai.APIStatusError():
            return _by_status(error, place)
        case openai.APIError():  # a frame of the stream that tells of an error
            return _in_stream(error, place)
        case _:
            return ModelError(
                "stream_broken",
                f"{place} sent something that is no answer ({type(error).__name__})",
                "Ask again. If it stays so, check that the base URL is that of an "
                "OpenAI-compatible endpoint.",
                retryable=True,
            )


def is_known(error: Exception) -> bool:
    """Return whether an error is one of an endpoint, of the network, or of half an answer."""
    known = (openai.OpenAIError, msgspec.DecodeError, UnicodeDecodeError, OSError)
    return isinstance(error, known) or _is_one_of(error, *_TRANSPORT)


def _is_one_of(error: Exception, *names: str) -> bool:
    """Return whether the HTTP library raised it; the SDK works with several of these."""
    return any(one.__name__ in names for one in type(error).__mro__)


def told_of(error: object, request: httpx.Request) -> openai.APIError:
    """Return the SDK's error for a frame of a stream that tells of one."""
    told = error.get("message") if isinstance(error, Mapping) else None
    message = told if told and isinstance(told, str) else "An error occurred during streaming"
    return openai.APIError(message, request, body=error)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, measured by the server's own clock."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (until - parsedate_to_datetime(headers["date"])).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None


def _by_status(error: openai.APIStatusError, place: str) -> ModelError:
    status, details = error.status_code, _details(error)
    if error.code in _QUOTA:
        return ModelError(
            "rate_limit_exceeded",
            f"{place} has no quota left{details}",
            "Look at the plan and the bill of the account.",
        )
    if status in {400, 413, 422} and (error.code == "context_length_exceeded" or _long(error)):
        return _too_long(place, details)
    if status in _BY_STATUS:
        code, problem, remedy = _BY_STATUS[status]
    elif status >= 500:  # noqa: PLR2004 (of HTTP)
        code, problem, remedy = "server_error", "failed", _AGAIN
    else:
        code, problem, remedy = "bad_request", "refused the request", "Check the run's settings"
    return _failure(code, place, f"{problem}{details}", remedy, retry_after(error.response.headers))


def _in_stream(error: openai.APIError, place: str) -> ModelError:
    kinds = {error.code, error.type}
    if _long(error):
        return _too_long(place)
    if any("rate_limit" in (kind or "") for kind in kinds):
        return _failure("rate_limit_exceeded", place, "is asked too often", _AGAIN)
    return _failure("server_error", place, "failed while it answered", _AGAIN)


def _too_long(place: str, details: str = "") -> ModelError:
    remedy = "Set truncation or max_prompt_tokens, or take a model with a longer context"
    return _failure("context_length_exceeded", place, f"takes no prompt so long{details}", remedy)


def _failure(
    code: str, place: str, problem: str, remedy: str, seconds: float | None = None
) -> ModelError:
    return ModelError(
        code,
        f"{place} {problem}",
        f"{remedy}.",
        retryable=code in _RETRYABLE,
        retry_after_seconds=seconds,
    )


def _long(error: openai.APIError) -> bool:
    return error.code != "invalid_api_key" and bool(_TOO_LONG.search(error.message))


def _details(error: openai.APIStatusError) -> str:
    """Return status, code and id of the request, if they are plain words."""
    facts = {"code": error.code, "request": error.request_id}
    words = [f"{name} {fact}" for name, fact in facts.items() if fact and _WORD.match(fact)]
    return f" ({', '.join([f'HTTP {error.status_code}', *words])})"
