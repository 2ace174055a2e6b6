"""An answer that streams at 50 tokens a second costs at most five commits a second."""

import asyncio
import threading
import time

from eventstore.engine import Engine
from eventstore.engine.models.protocol import Finished, TextDelta

TOKENS, PAUSE = 60, 0.02


class Steady:
    """A model that speaks at 50 tokens a second."""

    name = "steady"

    async def stream(self, request):
        del request
        for number in range(TOKENS):
            yield TextDelta(f"word {number} ")
            await asyncio.sleep(PAUSE)
        yield Finished()

    async def aclose(self):
        """Nothing to close."""


def counted(store, monkeypatch):
    """The number of times that text is written from now on."""
    written, write = [], store.runs.write_text

    def count(*given, **options):
        written.append(time.monotonic())
        return write(*given, **options)

    monkeypatch.setattr(type(store.runs), "write_text", lambda _, *a, **o: count(*a, **o))
    return written


def most_in_a_second(times):
    return max(sum(at <= other < at + 1 for other in times) for at in times)


def test_an_engine_writes_at_most_five_times_a_second(store, thread, monkeypatch):
    written = counted(store, monkeypatch)
    with Engine(store, models={"m": Steady()}) as engine:
        run = engine.execute(thread.id, engine.run(thread.id, model="m").id)
    assert run.status == "completed"
    assert most_in_a_second(written) <= 5
    assert len(written) >= 3  # it was shown meanwhile


def test_a_recorded_loop_shows_at_most_five_pieces_a_second(store, thread):
    seen: list[float] = []

    def read(run_id):
        told = store.runs.stream(thread.id, run_id)
        seen.extend(time.monotonic() for event in told if event.type == "message.delta")

    with store.runs.record(thread.id) as run:
        reader = threading.Thread(target=read, args=(run.id,))
        reader.start()
        for number in range(TOKENS):
            run.text(f"word {number} ")
            time.sleep(PAUSE)  # as its model would
    reader.join()
    assert len(seen) >= 3
    assert most_in_a_second(seen[:-1]) <= 6  # one may come late; the last piece is the message
