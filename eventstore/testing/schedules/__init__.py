"""Concurrent schedules: many writers against many readers, on any event store, and what came of it.

::

    from eventstore.testing.schedules.naive import PostgresStore

    report = run(Schedule(seed=1, appends=2_000), PostgresStore(dsn, order="key"))
    assert report.ok, str(report)

Writers append in threads of several processes; some connections, some whole processes and the
server itself are killed while they do. Every acknowledgement is written down before the next
append. Readers page through everything meanwhile, or subscribe to it. At the end stands what each
reader was told, against what each writer was promised:

* **lost**: acknowledged, or stored, and never delivered to a reader that came to the end;
* **doubled**: delivered twice, or stored twice;
* **reordered**: delivered before an older event of its stream;
* **stalled**: a reader that did not come to the end in time after the last writer;
* **gaps**: versions that are missing in a stream;
* **phantoms**: delivered although their transaction was rolled back.

``protocol`` says what a store under test has to do; ``ours`` does it for ``ConversationStore``,
``naive`` for three ways of ordering events in PostgreSQL, two of which are wrong: they are the test
of this test. What each writer does is drawn from the seed; who comes first is up to the machine.

``python -m eventstore.testing.schedules APPENDS`` runs one by hand. A million appends take no more
memory than some bytes each: names are numbers in a table (``names``), and ledgers are read as they
grow.
"""

from eventstore.testing.schedules.plan import Schedule, long_schedule
from eventstore.testing.schedules.protocol import (
    Append,
    Connected,
    Delivered,
    Ending,
    LostConnection,
    Reader,
    StoreUnderTest,
    Transaction,
    Writer,
)
from eventstore.testing.schedules.report import Report
from eventstore.testing.schedules.running import Progress, Server, run

__all__ = [
    "Append",
    "Connected",
    "Delivered",
    "Ending",
    "LostConnection",
    "Progress",
    "Reader",
    "Report",
    "Schedule",
    "Server",
    "StoreUnderTest",
    "Transaction",
    "Writer",
    "long_schedule",
    "run",
]
