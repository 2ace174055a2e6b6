"""Silence of other libraries' logs while a request holds credentials.

A service may repeat a credential in a header or in the words of an error, and libraries below log
both. So what they would log within :func:`silenced` is dropped; their other work is logged as ever.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["silence", "silenced"]

_silenced: ContextVar[bool] = ContextVar("_silenced", default=False)


def silence(*loggers: str) -> None:
    """Let some loggers drop what is logged within :func:`silenced`."""
    for name in loggers:
        logging.getLogger(name).addFilter(_is_loud)


def _is_loud(_: logging.LogRecord) -> bool:
    return not _silenced.get()


@contextmanager
def silenced() -> Iterator[None]:
    """Hold a request that carries credentials."""
    before = _silenced.set(True)
    try:
        yield
    finally:
        _silenced.reset(before)
