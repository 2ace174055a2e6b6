"""Runs of assistants whose workers are killed: with ``kill -9``, at any time and in each state.

::

    report = torture("sqlite:///chat.db", folder, runs=100, seed=1)
    assert report.ok, str(report)

Workers are processes with engines, sync ones and async ones in turn. Asked models are a scripted
server that refuses requests and breaks streams. Users ask, read, cancel, hand in outputs, and let
calls happen or not. Each worker is killed after a moment: it kills itself before or after one of
its writes, or in a tool, or it is killed from outside. Another takes its place. ``disturb`` may
kill the database server meanwhile. The report compares what was recorded with what users saw and
what tools did:

* **never_ended**: a run did not end in time;
* **ended_wrongly**: a run ended in another way than its story: it fails only where its last answer
  breaks;
* **repeated**: a tool that must not be repeated was called twice for one call;
* **unrecorded**: a tool was called for a call that is not in the log, or that nobody approved;
* **lost_text**: a reader that went away and resumed missed something or saw it twice, or what was
  shown is not what was kept;
* **open_calls**: a call has no result or two, or a model would refuse the context;
* **broken**: a worker complained, or ended by itself.

``python -m eventstore.testing.killed_workers RUNS`` runs it by hand.
"""

from eventstore.testing.killed_workers.findings import Report
from eventstore.testing.killed_workers.running import torture

__all__ = ["Report", "torture"]
