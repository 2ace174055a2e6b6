"""Every event once and in order, whatever writers do: subscribers put through the schedules.

Writers in several processes append to several streams, in batches and in transactions of the
application's, some of which are rolled back; processes are killed.
"""

import pytest

from eventstore.testing.schedules import Schedule, run
from eventstore.testing.schedules.ours import OurStore

APPENDS = 400


@pytest.mark.parametrize("room", [100, 1], ids=["quick", "slow"])
def test_subscribers_on_one_file_lose_double_and_reorder_nothing(tmp_path, room):
    store = OurStore(f"sqlite:///{tmp_path}/chat.db", room=room)
    schedule = Schedule(
        appends=APPENDS, seed=11, processes=2, threads=4, kills=1, readers=0, subscribers=2
    )
    report = run(schedule, store)
    assert report.ok, str(report)
    assert report.stored >= report.acknowledged > APPENDS * 0.8
