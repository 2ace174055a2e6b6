"""Concurrent schedules: many writers against many readers on any event store, and a report.

::

    report = run(Schedule(appends=500, seed=1), MyStore())    # an EventStoreAdapter
    assert report.ok, str(report)

Writers append in threads, of this process or of several others; some connections, some whole
processes and the server itself are killed while they do, if the schedule says so. Every
acknowledgement is written down before the next append. Readers page through everything meanwhile,
or subscribe to it. At the end the report compares the events that each
reader received with the acknowledgements that each writer received:

* **lost**: acknowledged, or stored, and never delivered to a reader that came to the end;
* **doubled**: delivered twice to one reader, or stored twice;
* **reordered**: delivered after a later event of its stream;
* **duplicated**: two events of one stream have the same version;
* **stalled**: a reader did not come to the end in time after the last writer;
* **gaps**: a version is missing in a stream;
* **phantoms**: delivered although their transaction was rolled back or refused.

For the first finding of each kind it shows which writer wrote what and when.

``adapter`` asks a store under test for three methods, and ``protocol`` has everything that one may
implement. ``ours`` implements it for ``ConversationStore``, ``naive`` for three ways of ordering
events in PostgreSQL, two of which are wrong: they test this test. The seed decides the actions of
each writer; the machine decides their order.

``python -m eventstore.testing.schedules APPENDS`` runs one by hand. A million appends take no more
memory than some bytes each: names are numbers in a table (``names``), and ledgers are read as they
grow.
"""

from eventstore.testing.schedules.adapter import EventStoreAdapter
from eventstore.testing.schedules.findings import Finding
from eventstore.testing.schedules.plan import Schedule, long_schedule
from eventstore.testing.schedules.protocol import (
    Append,
    Connected,
    Delivered,
    Ending,
    LostConnection,
    NotWritten,
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
    "EventStoreAdapter",
    "Finding",
    "LostConnection",
    "NotWritten",
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
