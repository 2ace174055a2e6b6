"""Kernels with small limits. Without bubblewrap these tests fail and say so; none is skipped."""

import os
from dataclasses import replace

import pytest

from eventstore.engine.tools.code_interpreter import CodeInterpreter, CodeLimits

MIB = 1024 * 1024
SMALL = CodeLimits(
    call_seconds=30,
    grace_seconds=0.3,
    memory_bytes=400 * MIB,
    disk_bytes=16 * MIB,
    files_max=500,
    processes_max=40,
    output_bytes_max=20_000,
    flood_bytes_max=MIB // 4,
    kernels_max=2,
)


SECRET = "s3cret-of-the-parent"


@pytest.fixture(scope="session")
def interpreter():
    os.environ["SECRET_OF_THE_PARENT"] = SECRET
    try:
        with CodeInterpreter(limits=SMALL) as interpreter:
            yield interpreter
    finally:
        del os.environ["SECRET_OF_THE_PARENT"]


@pytest.fixture(scope="session")
def impatient():
    """One that waits for nobody."""
    with CodeInterpreter(limits=replace(SMALL, call_seconds=0.5)) as interpreter:
        yield interpreter
