"""W12: the kernels of the code interpreter: their start, a call, their memory, and many at once.

The limit is a bare Jupyter kernel, without sandbox and without any of the limits. Each kernel is
started anew in every round. The processor's time is that of the kernel from its birth to its first
answer, and that of this process for a call. Memory is that of the kernel; of pages that it shares
with others a part counts.

Then fifty threads want a kernel each, at once: so many run, and the others wait for their turn. No
database is involved, so this work is measured on SQLite's turn alone.
"""

from __future__ import annotations

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jupyter_client.manager import KernelManager

from benchmarks import goals
from benchmarks.contenders import Kind
from benchmarks.drivers import Burst
from benchmarks.field import Plan, say
from benchmarks.goals import Comparison, ratios
from benchmarks.places import Database
from benchmarks.results import Column, Result, Row, Table
from eventstore.engine.tools.code_interpreter import CodeInterpreter, CodeLimits

TITLE = "kernels of the code interpreter"
THREADS = 50
CALLS = 100
COLUMNS = (
    Column("start", "ms to start"),
    Column("born", "ms of processor to start"),
    Column("p50", "ms a call", 1),
    Column("p99", "p99 ms", 1),
    Column("cpu", "own ms of processor a call", 1),
    Column("memory", "MB", 0),
)
COLUMNS_TOGETHER = (
    Column("whole", "s for all", 1),
    Column("p50", "s of a thread", 1),
    Column("most", "most kernels"),
    Column("memory", "MB at most"),
)
_MEGABYTE = 2**20
_NO_DISK = "in memory"


class _Kernel(Protocol):
    """One kernel, started and asked."""

    @property
    def pid(self) -> int:
        """The kernel's process."""

    def run(self, code: str) -> str:
        """Run code, and return its result."""

    def close(self) -> None:
        """End it."""


class _Taken(NamedTuple):
    """A round of one contender."""

    start_seconds: float
    born_seconds: float
    burst: Burst
    cpu_seconds: float
    memory: float


def run(plan: Plan, result: Result) -> None:
    """Measure, unless the plan is for another database."""
    result.missing.clear()  # the peers of stores have no kernels
    if plan.database is not Database.SQLITE:
        result.notes.append("Kernels keep nothing in a database: see the tables of SQLite.")
        return
    result.tables += [_alone(plan), _together(plan)]


# -- one kernel ------------------------------------------------------------------------------------


def _alone(plan: Plan) -> Table:
    ways: dict[str, tuple[Kind, Callable[[], _Kernel]]] = {
        "bare ipykernel": (Kind.LIMIT, _Bare),
        "in a sandbox": (Kind.OURS, lambda: _Ours("bubblewrap")),
        "without a sandbox": (Kind.OURS, lambda: _Ours("none")),
    }
    taken: dict[str, list[_Taken]] = {name: [] for name in ways}
    for number in range(plan.rounds):
        for name, (_, make) in ways.items():
            say(f"W12 {name}, round {number + 1}")
            taken[name].append(_measured(make, 10 if plan.quick else CALLS))
    rows = [Row(name, kind, _figures(taken[name]), _NO_DISK) for name, (kind, _) in ways.items()]
    comparisons = [
        Comparison(goal, "bare ipykernel", ratios(ours, bare))
        for goal, of in (
            (goals.KERNEL_START, lambda one: one.born_seconds),
            (goals.KERNEL_CALL, lambda one: one.burst.median),
        )
        for ours, bare in [[list(map(of, taken[n])) for n in ("in a sandbox", "bare ipykernel")]]
    ]
    return Table("one kernel", COLUMNS, rows, comparisons)


def _measured(make: Callable[[], _Kernel], calls: int) -> _Taken:
    begun = time.perf_counter()
    kernel = make()
    try:
        assert kernel.run("6 * 7") == "42"
        started = time.perf_counter() - begun
        born = _processor_seconds(kernel.pid)
        latencies = []
        before = time.process_time()
        for _ in range(calls):
            asked = time.perf_counter()
            kernel.run("1")
            latencies.append(time.perf_counter() - asked)
        cpu = (time.process_time() - before) / calls
        memory = _memory(kernel.pid)
    finally:
        kernel.close()
    return _Taken(started, born, Burst(sum(latencies), tuple(latencies)), cpu, memory)


def _figures(rounds: Sequence[_Taken]) -> dict[str, float]:
    return {
        "start": statistics.median(one.start_seconds for one in rounds) * 1000,
        "born": statistics.median(one.born_seconds for one in rounds) * 1000,
        "p50": statistics.median(one.burst.median for one in rounds) * 1000,
        "p99": statistics.median(one.burst.p99 for one in rounds) * 1000,
        "cpu": statistics.median(one.cpu_seconds for one in rounds) * 1000,
        "memory": statistics.median(one.memory for one in rounds) / _MEGABYTE,
    }


class _Ours:
    def __init__(self, sandbox: Any) -> None:
        self._interpreter = CodeInterpreter(sandbox=sandbox, limits=CodeLimits(kernels_max=1))

    @property
    def pid(self) -> int:
        return self._interpreter.process_of("thread") or 0

    def run(self, code: str) -> str:
        return self._interpreter.run("thread", code).result

    def close(self) -> None:
        self._interpreter.close()


class _Bare:
    def __init__(self) -> None:
        self._manager = KernelManager(transport="ipc")
        self._manager.start_kernel()
        self._client = self._manager.blocking_client()
        self._client.start_channels()
        self._client.wait_for_ready()
        self._provisioner: Any = self._manager.provisioner

    @property
    def pid(self) -> int:
        return int(self._provisioner.pid)

    def run(self, code: str) -> str:
        found: list[str] = []

        def hook(message: Any) -> None:
            if message["msg_type"] == "execute_result":
                found.append(message["content"]["data"]["text/plain"])

        self._client.execute_interactive(code, output_hook=hook, allow_stdin=False)
        return found[-1]

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0.0


# -- many threads ----------------------------------------------------------------------------------


def _together(plan: Plan) -> Table:
    threads = 5 if plan.quick else THREADS
    caps = (2,) if plan.quick else (2, 8)
    rows = [_row(f"{cap} at a time", _crowd(threads, cap)) for cap in caps]
    return Table(f"{threads} threads, a kernel each", COLUMNS_TOGETHER, rows, ())


def _row(name: str, figures: dict[str, float]) -> Row:
    return Row(name, Kind.OURS, figures, _NO_DISK)


def _crowd(threads: int, cap: int) -> dict[str, float]:
    """Let every thread run code once, all at the same time."""
    say(f"W12 {threads} threads, {cap} kernels at a time")
    taken: list[float] = []
    most = memory = 0.0
    with CodeInterpreter(limits=CodeLimits(kernels_max=cap, queue_seconds=600)) as interpreter:

        def work(number: int) -> None:
            begun = time.perf_counter()
            result = interpreter.run(f"thread {number}", f"{number} + 1")
            assert result.result == f"{number + 1}", result.output
            taken.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            most = max(most, interpreter.kernels)
            memory = max(memory, interpreter.memory_bytes / _MEGABYTE)
            time.sleep(0.05)
        whole = time.perf_counter() - begun
    assert len(taken) == threads, "a thread got no answer"
    assert most <= cap, f"{most} kernels at once"
    return {"whole": whole, "p50": statistics.median(taken), "most": most, "memory": memory}
