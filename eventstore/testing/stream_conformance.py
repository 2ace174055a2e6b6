"""Promises about the text that a run shows while it writes: part of the conformance suite."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

from eventstore.errors import InvalidInput, LeaseLost, Refused, RunNotFound, WaitTimedOut
from eventstore.testing.store_wrappers import AnyStore

__all__ = ["StreamSuite"]


def _message_id() -> str:
    return f"msg_{secrets.token_hex(16)}"


def _started(store: AnyStore) -> tuple[str, str]:
    thread = store.threads.create(messages=[{"role": "user", "content": "why?"}])
    run = store.runs.create(thread.id)
    store.runs.start(thread.id, run.id)
    return thread.id, run.id


def _write(store: AnyStore, thread_id: str, run_id: str, message_id: str, *pieces: str) -> None:
    offset = 0
    for piece in pieces:
        offset = store.runs.write_text(
            thread_id, run_id, piece, message_id=message_id, offset=offset
        )
        assert offset <= sum(map(len, pieces))


def _told(events: list[Any]) -> list[str]:
    return [event.type for event in events]


def _text(events: list[Any]) -> str:
    return "".join([event.text for event in events if event.type == "message.delta"])


class StreamSuite:
    """Tests of ``runs.write_text``, ``runs.stream`` and ``runs.wait``."""

    def test_a_text_is_told_piece_by_piece_and_stays_the_same(self, store: AnyStore) -> None:
        thread, run = _started(store)
        message = _message_id()
        _write(store, thread, run, message, "Because ", "of \0 Rayleigh 😀 ")
        store.messages.create(
            thread,
            role="assistant",
            content="Because of \0 Rayleigh 😀 scattering.",
            message_id=message,
            run_id=run,
        )
        store.runs.complete(thread, run)
        events = list(store.runs.stream(thread, run))
        assert _told(events) == [
            *("run.queued", "run.in_progress", "message.started"),
            *("message.delta", "message.completed", "run.completed"),
        ]
        assert _text(events) == "Because of \0 Rayleigh 😀 scattering."
        for number, event in enumerate(events):
            assert list(store.runs.stream(thread, run, after=event.cursor)) == events[number + 1 :]
        assert store.runs.wait(thread, run).status == "completed"

    def test_the_next_holder_asks_again_beside_what_was_shown(self, store: AnyStore) -> None:
        thread, run = _started(store)
        shown, answer = _message_id(), _message_id()
        _write(store, thread, run, shown, "It is ", "bec")
        fence = store.runs.start(thread, run, holder="another", take_over=True).fence
        kept = store.messages.get(thread, shown)
        assert (kept.text, kept.status, kept.run_id) == ("It is bec", "incomplete", run)
        assert [one.text for one in store.runs.context(thread, run).messages] == ["why?"]
        with pytest.raises(LeaseLost):
            _write(store, thread, run, answer, "Beca")
        store.runs.write_text(thread, run, "Since", message_id=answer, offset=0, fence=fence)
        said: dict[str, Any] = {"content": "Since ever.", "message_id": answer, "run_id": run}
        store.messages.create(thread, role="assistant", fence=fence, **said)
        store.runs.complete(thread, run, fence=fence)
        assert [one.text for one in store.messages.list(thread)] == ["why?", "Since ever."]
        assert [one.id for one in store.branches.siblings(thread, answer)] == [shown, answer]
        events = list(store.runs.stream(thread, run))
        assert _told(events)[2:] == [
            *("message.started", "message.delta", "message.interrupted", "run.taken_over"),
            *("message.started", "message.delta", "message.completed", "run.completed"),
        ]
        assert [event.offset for event in events if event.type == "message.delta"] == [0, 9]

    @pytest.mark.parametrize("end", ["cancel", "fail", "expire", "complete", "interrupt"])
    def test_what_was_shown_is_kept_however_the_run_ends(self, store: AnyStore, end: str) -> None:
        thread, run = _started(store)
        shown = _message_id()
        _write(store, thread, run, shown, "It is ")
        if end == "interrupt":
            store.messages.create(thread, role="user", content="stop", on_busy="interrupt")
        else:
            getattr(store.runs, end)(thread, run)
        if end == "cancel":  # its loop may still write
            store.runs.write_text(thread, run, "bec", message_id=shown, offset=6)
            store.runs.cancel(thread, run)
        texts = [one.text for one in store.messages.list(thread)]
        assert texts[:2] == ["why?", "It is bec" if end == "cancel" else "It is "]
        assert store.messages.get(thread, shown).status == "incomplete"
        events = list(store.runs.stream(thread, run))
        assert _text(events) == texts[1]
        assert "message.interrupted" in _told(events)

    def test_a_piece_is_written_once_and_in_its_place(self, store: AnyStore) -> None:
        thread, run = _started(store)
        message = _message_id()
        _write(store, thread, run, message, "one ", "two ")
        again = store.runs.write_text(thread, run, "two ", message_id=message, offset=4)
        more = store.runs.write_text(thread, run, "two three ", message_id=message, offset=4)
        assert (again, more) == (8, 14)

        def refused(text: str, offset: int) -> str:
            with pytest.raises(Refused) as error:
                store.runs.write_text(thread, run, text, message_id=message, offset=offset)
            return error.value.reason

        assert refused("five", 20) == "text_gap"
        assert refused("twice", 4) == "text_differs"
        with pytest.raises(Refused, match="is writing"):
            store.messages.create(thread, role="assistant", content="other", run_id=run)
        with pytest.raises(Refused, match="already shown"):
            store.messages.create(
                thread, role="assistant", content="one", message_id=message, run_id=run
            )
        store.runs.fail(thread, run)
        assert store.messages.get(thread, message).text == "one two three "
        assert refused("late", 14) == "run_not_in_progress"

    def test_another_message_starts_again_beside_the_first(self, store: AnyStore) -> None:
        thread, run = _started(store)
        first, second = _message_id(), _message_id()
        _write(store, thread, run, first, "broken ")
        _write(store, thread, run, second, "whole")
        store.messages.create(
            thread, role="assistant", content="whole", message_id=second, run_id=run
        )
        with pytest.raises(InvalidInput, match="in use"):
            store.runs.write_text(thread, run, "more", message_id=first, offset=7)
        store.runs.complete(thread, run)
        assert [one.text for one in store.messages.list(thread)] == ["why?", "whole"]
        assert _text(list(store.runs.stream(thread, run))) == "broken whole"

    def test_tools_are_told_with_the_messages_that_hold_them(self, store: AnyStore) -> None:
        thread, run = _started(store)
        calls = [
            {"type": "tool_call", "id": one, "name": "look", "arguments": {"n": 1}}
            for one in ("a", "b")
        ]
        store.messages.create(thread, role="assistant", content=["Hm. ", *calls], run_id=run)
        store.runs.require_action(thread, run)
        events = list(store.runs.stream(thread, run))
        assert _told(events)[2:] == [
            *("message.delta", "tool.called", "tool.called", "message.completed"),
            "run.requires_action",
        ]
        assert events[-1].pending_calls == ("a", "b")
        assert store.runs.wait(thread, run).status == "requires_action"
        outputs = [{"call_id": one, "output": one} for one in ("a", "b")]
        store.runs.submit_tool_outputs(thread, run, outputs)
        store.runs.cancel(thread, run)
        rest = list(store.runs.stream(thread, run, after=events[-1].cursor))
        assert _told(rest) == ["tool.answered", "tool.answered", "run.queued", "run.cancelled"]
        assert [one.output for one in rest[:2]] == ["a", "b"]
        whole = [*events, *rest]
        for number, event in enumerate(whole):
            assert list(store.runs.stream(thread, run, after=event.cursor)) == whole[number + 1 :]

    def test_a_wait_ends_in_time(self, store: AnyStore) -> None:
        thread, run = _started(store)
        with pytest.raises(WaitTimedOut, match="still in_progress") as error:
            store.runs.wait(thread, run, timeout_seconds=0.01)
        assert (error.value.run_id, error.value.status) == (run, "in_progress")
        with pytest.raises(RunNotFound):
            store.runs.wait(thread, f"run_{secrets.token_hex(16)}", timeout_seconds=0)
        with pytest.raises(InvalidInput, match="timeout_seconds"):
            store.runs.wait(thread, run, timeout_seconds=-1)
        with pytest.raises(InvalidInput, match="cursor"):
            list(store.runs.stream(thread, run, after="c_elsewhere"))
