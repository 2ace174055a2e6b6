"""A process that records is killed: its run is found once its lease ends, with what it showed."""

import signal
import subprocess
import sys

import pytest

from eventstore import ConversationStore
from tests.recording.lives import until

LOOP = """
import sys, time
from eventstore import ConversationStore

with ConversationStore.open(sys.argv[1]) as store:
    with store.runs.record(sys.argv[2], holder="killed", lease_seconds=0.3) as run:
        run.text("It is ")
        if sys.argv[3] == "calling":
            run.tool_call("c1", "clock")
            run.message()
        print("said", flush=True)
        time.sleep(600)
"""


@pytest.mark.parametrize("where", ["writing", "calling"])
def test_a_killed_loop_is_found_and_its_run_goes_on(tmp_path, where):
    url = f"sqlite:///{tmp_path}/chat.db"
    with ConversationStore.open(url) as store:
        thread = store.threads.create(messages=[{"role": "user", "content": "When?"}]).id
        with subprocess.Popen(
            [sys.executable, "-c", LOOP, url, thread, where], stdout=subprocess.PIPE, text=True
        ) as loop:
            assert loop.stdout is not None
            assert loop.stdout.readline() == "said\n"
            [run] = store.runs.list(lease_ended=False)
            until(lambda: store.runs.get(thread, run.id).lease_ends_at != run.lease_ends_at)
            loop.send_signal(signal.SIGKILL)
        until(lambda: len(store.runs.list(lease_ended=True).data) == 1)
        [dead] = store.runs.list(lease_ended=True)
        assert (dead.id, dead.holder) == (run.id, "killed")
        with store.runs.record(
            thread, dead.id, holder="next", take_over=True, fence=dead.fence
        ) as again:
            if where == "calling":
                again.tool_result("c1", "noon")
            again.text("Noon.")
        assert store.runs.get(thread, dead.id).status == "completed"
        texts = [one.text for one in store.messages.list(thread) if one.role == "assistant"]
        assert texts == (["Noon."] if where == "writing" else ["It is ", "Noon."])
        kept = [one.message for one in store.branches.tree(thread).nodes]
        assert ("It is ", "incomplete" if where == "writing" else "completed") in [
            (one.text, one.status) for one in kept
        ]
