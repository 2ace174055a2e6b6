"""Every event once and in order, whatever writers do: subscribers put through the schedules.

Writers in several processes append to several streams, in batches and in transactions of the
application's, some of which are rolled back; processes are killed.
"""

import pytest

from eventstore.testing.schedules import Schedule, run
from tests.subscriptions.scheduled import SLOW, SubscribedStore

APPENDS = 600


@pytest.mark.parametrize("room", [100, SLOW], ids=["quick", "slow"])
def test_subscribers_on_one_file_lose_double_and_reorder_nothing(tmp_path, room):
    store = SubscribedStore(f"sqlite:///{tmp_path}/chat.db", room=room)
    report = run(Schedule(appends=APPENDS, seed=11, processes=2, kills=1, page=50), store)
    assert report.ok, str(report)
    assert report.stored >= report.acknowledged > APPENDS * 0.8
