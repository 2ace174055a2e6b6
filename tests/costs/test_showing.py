"""A piece of text costs the same, however much of the answer was shown before it."""

import secrets
import sqlite3
from contextlib import closing

import pytest

from eventstore import ConversationStore
from eventstore.encryption import Encryption, LocalMasterKey, SqliteKeys
from tests.effort import assert_flat

FEW, MANY = 20, 400


@pytest.fixture
def store(effort):
    del effort  # it counts on stores that are opened after it
    with ConversationStore.open("sqlite://") as opened:
        yield opened


class Answer:
    """An answer of which some pieces were shown."""

    def __init__(self, store, pieces):
        self.runs = store.runs
        self.thread = store.threads.create(messages=[{"role": "user", "content": "why?"}]).id
        self.run = store.runs.create(self.thread).id
        store.runs.start(self.thread, self.run)
        self.message, self.offset = f"msg_{secrets.token_hex(16)}", 0
        for _ in range(pieces):
            self.write()
        *_, self.last = iter_until(self.runs.stream(self.thread, self.run), self.offset)
        self.write()

    def write(self):
        self.offset = self.runs.write_text(
            self.thread, self.run, "a piece ", message_id=self.message, offset=self.offset
        )

    def read_on(self):
        next(iter(self.runs.stream(self.thread, self.run, after=self.last.cursor)))


def iter_until(events, length):
    """The events up to an amount of text: live, the iterator waits for more then."""
    for event in events:
        yield event
        if event.type == "message.delta" and event.offset + len(event.text) >= length:
            return


@pytest.mark.parametrize("act", ["write", "read_on"])
def test_a_piece_costs_the_same_at_any_length(store, effort, act):
    few, many = (effort(getattr(Answer(store, pieces), act)) for pieces in (FEW, MANY))
    assert_flat(few, many)
    assert many.statements <= 10


def test_small_pieces_share_rows(tmp_path):
    file = tmp_path / "chat.db"
    with ConversationStore.open(f"sqlite:///{file}") as store:
        answer = Answer(store, 200)  # of eight bytes each
        with sqlite3.connect(file) as rows:
            [(count, whole)] = rows.execute("SELECT count(*), sum(length(text)) FROM run_chunks")
        assert (count, whole) == (5, answer.offset)
        rows.close()
        told = store.runs.stream(answer.thread, answer.run)
        text = [event.text for event in iter_until(told, answer.offset) if hasattr(event, "text")]
        assert "".join(text) == "a piece " * 201


PIECE = "about forty bytes in a fifth of a second"
PIECES = 100


def taken(file):
    """The bytes of all rows, and of those that hold text on show."""
    with closing(sqlite3.connect(file)) as rows:
        found = dict(rows.execute("SELECT name, sum(payload) FROM dbstat GROUP BY name"))
    return sum(found.values()), sum(size for name, size in found.items() if "run_chunks" in name)


@pytest.mark.parametrize("sealed", [False, True])
def test_a_streamed_answer_takes_at_most_half_as_much_again(tmp_path, sealed):
    """While it is shown, and afterwards beside one that was not."""
    file = tmp_path / "chat.db"
    keys = SqliteKeys(tmp_path / "keys.db") if sealed else None
    encryption = None if keys is None else Encryption(LocalMasterKey(b"k" * 32), keys)
    with ConversationStore.open(f"sqlite:///{file}", encryption=encryption) as store:
        sizes = []
        for shown in (False, False, True):
            before = taken(file)[0]
            thread = store.threads.create(messages=[{"role": "user", "content": "why?"}]).id
            run = store.runs.create(thread).id
            store.runs.start(thread, run)
            message, offset = f"msg_{secrets.token_hex(16)}", 0
            for _ in range(PIECES if shown else 0):
                offset = store.runs.write_text(
                    thread, run, PIECE, message_id=message, offset=offset
                )
            on_show = taken(file)[1]
            assert on_show <= 1.5 * offset
            assert bool(on_show) == shown
            store.messages.create(
                thread, role="assistant", content=PIECE * PIECES, run_id=run, message_id=message
            )
            store.runs.complete(thread, run)
            sizes.append(taken(file)[0] - before)
        assert sizes[2] <= 1.5 * sizes[1]
