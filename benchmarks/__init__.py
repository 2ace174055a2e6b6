"""Benchmarks of the conversation store against a plain driver and against its peers.

Nothing here is a test and nothing here is imported by the library. `python -m benchmarks` runs
the works, prints their tables and writes them to `benchmarks/results/`.

How a figure comes about, from the inside out:

- `work` makes the messages; `contenders` says what a store must do to take part;
- `limits`, `ours` and `peers/` are the stores that do;
- `drivers` times one of them, sync or async, in the same words;
- `field` opens several side by side and takes them round by round, so that a machine that slows
  down slows all of them down;
- `durability` watches every SQLite connection that is opened, and a figure whose connections did
  not sync each commit is refused;
- `works/` has one file for each measurement, `goals` what each has to reach, `report` the tables.
"""
