"""One life of a recorded run, and what must hold however it was struck."""

import gc
import threading
import time

OPEN = ("queued", "in_progress", "requires_action", "cancelling")
SAID = ("Let me ", "look. ")
ANSWERED = ("It is ", "noon.")


def live(store, thread, heard, *, fails=False):
    """A loop that calls a tool, and notes each text once it was taken."""
    with store.runs.record(thread, holder="loop", lease_seconds=0.03) as run:
        for delta in SAID:
            run.text(delta)
            heard.append(delta)
        run.tool_call("c1", "clock", {"zone": "UTC"})
        run.tool_result("c1", "noon")
        for delta in ANSWERED:
            run.text(delta)
            heard.append(delta)
        run.usage(output_tokens=4)
        if fails:
            raise ValueError


def until(holds):
    """Wait until something is true."""
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not become true"
        time.sleep(0)  # lets the others run


def beating():
    return [one for one in threading.enumerate() if one.name == "eventstore-heartbeat"]


def check(store, thread, heard):
    """Check what is left of a life, and that the thread can go on; return how its run ended."""
    if beating():
        gc.collect()
        until(lambda: not beating())
    runs = store.runs.list(thread).data
    ended = "never began"
    for run in runs:
        ended = run.status
        if run.status in OPEN:  # struck before it could end it: another worker finds it
            ended = "stuck"
            until(lambda wanted=run.id: wanted in [r.id for r in store.runs.list(lease_ended=True)])
            taken = store.runs.start(
                thread, run.id, holder="other", take_over=True, fence=run.fence
            )
            store.runs.fail(thread, run.id, code="stuck", fence=taken.fence)
    kept = "".join(
        one.message.text
        for one in store.branches.tree(thread).nodes
        if one.message.role == "assistant"
    )
    everything = "".join(SAID + ANSWERED)
    assert everything.startswith(kept)
    if ended not in {"stuck", "never began"}:
        assert kept.startswith("".join(heard))
    with store.runs.record(thread) as again:
        again.text("Go on.")
    assert store.messages.list(thread).data[-1].text == "Go on."
    assert store.runs.get(thread, again.id).status == "completed"
    return ended
