"""The measurements, one file for each. Each has a `TITLE` and `run(plan, result)`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.field import Plan
from benchmarks.results import Result
from benchmarks.works import (
    w1_serial,
    w2_concurrent,
    w3_load,
    w4_growth,
    w4b_costs,
    w5_whole_store,
    w6_last,
    w7_fork,
    w8_delivery,
    w9_runs,
    w9b_reading,
    w10_proof,
    w10b_sealing,
    w12_kernels,
)

Run = Callable[[Plan, Result], None]

WORKS: dict[str, tuple[str, Run]] = {
    "W1": (w1_serial.TITLE, w1_serial.run),
    "W2": (w2_concurrent.TITLE, w2_concurrent.run),
    "W3": (w3_load.TITLE, w3_load.run),
    "W4": (w4_growth.TITLE, w4_growth.run),
    "W4b": (w4b_costs.TITLE, w4b_costs.run),
    "W5": (w5_whole_store.TITLE, w5_whole_store.run),
    "W6": (w6_last.TITLE, w6_last.run),
    "W7": (w7_fork.TITLE, w7_fork.run),
    "W8": (w8_delivery.TITLE, w8_delivery.run),
    "W9": (w9_runs.TITLE, w9_runs.run),
    "W9b": (w9b_reading.TITLE, w9b_reading.run),
    "W10": (w10_proof.TITLE, w10_proof.run),
    "W10b": (w10b_sealing.TITLE, w10b_sealing.run),
    "W12": (w12_kernels.TITLE, w12_kernels.run),
}
