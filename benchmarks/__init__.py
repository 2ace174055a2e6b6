"""Benchmarks of the conversation store against a plain driver and against its peers.

Nothing here is a test and nothing here is imported by the library. `python -m benchmarks` runs
the works, prints their tables and writes them to `benchmarks/results/`.

How a figure comes about, from the inside out:

- `work` makes the messages; `contenders` says what a store must do to take part;
- `places` are where each keeps its data: a file, or a database on the server that `postgres` runs;
- `limits`, `limits_postgres`, `ours` and `peers/` are the stores that do; `limiting` chooses;
- `drivers` times one of them, sync or async, in the same words;
- `field` opens several side by side and takes them round by round, so that a machine that slows
  down slows all of them down;
- `durability` watches every SQLite connection that is opened, `postgres` counts what the server
  syncs, and a figure whose commits were not synced is refused;
- `works/` has one file for each measurement, `goals` what each has to reach, `report` the tables;
- `profiling` says where our own time goes, `memory` what a piece of work holds.
"""
