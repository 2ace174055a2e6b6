"""Benchmarks of the conversation store against a plain driver and against its peers.

Nothing here is a test and nothing here is imported by the library. `python -m benchmarks` runs
the works, prints their tables and writes them to `benchmarks/results/`.

How a figure comes about, from the inside out:

- `work` makes the messages; `contenders` defines the protocol of a measured store;
- `places` hold their data: a file, or a database on the server that `postgres` runs;
- `limits`, `limits_postgres`, `ours` and `peers/` are the stores; `limiting` chooses a limit;
- `drivers` times one of them, sync or async, in the same words;
- `field` opens several side by side and takes them round by round, so that a machine that slows
  down slows all of them down;
- `durability` watches every SQLite connection that is opened, `postgres` counts what the server
  syncs, and a figure whose commits were not synced is refused;
- `works/` has one file for each measurement, `goals` their goals, `report` the tables;
- `profiling` profiles our own store, `memory` measures the memory of a piece of work.
"""
