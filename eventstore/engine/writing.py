"""Writing what is decided about one run, whatever the store answers: the log decides.

After an error that leaves the outcome of a write open, the run is read again, and compared with how
it stood before and would stand after. A record that the store refuses ends the run, with a code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventstore import Assistant, InvalidInput, Message, OutcomeUnknown, Refused
from eventstore.conversation.text_buffer import TextBuffer
from eventstore.engine import effects as f
from eventstore.engine import loading, reading, recording
from eventstore.engine import records as r
from eventstore.engine.asking import Asking, Gone
from eventstore.engine.courses import Claim, Clock, Course
from eventstore.engine.journal import Journal
from eventstore.engine.state import NOTHING_USED, RunState, evolved, left_by_the_dead

__all__ = ["Writing"]


class Writing(Asking):
    """Reads the state of a run, and writes its records and its text."""

    def __init__(self, claim: Claim, clock: Clock, assistants: dict[Any, Assistant]) -> None:
        super().__init__(claim, clock)
        self._since = claim.since
        self._assistants = assistants
        self._journal = Journal(claim.run)
        self._showing = 0
        """Number of the step that writes the text on show."""
        self._text: TextBuffer | None = None
        """Text of the answer that is being written."""

    def stop_all(self) -> Course[None]:
        """Stop what is under way, and record nothing."""
        raise NotImplementedError

    # -- the state

    def _load(self, *, fresh: bool) -> Course[RunState]:
        assistant = yield from reading.assistant_of(self._run, self._assistants)
        if fresh:
            return loading.loaded(self._run, assistant)
        steps = yield from self._ask(reading.read_steps(self._run))
        own = yield from self._own_messages()
        history = reading.NO_HISTORY
        if steps:
            history = yield from self._ask(reading.read_history(self._run, steps[0].version))
        self._since = max(self._since, history.submitted_at or self._since)
        self._journal = Journal(self._run, [one.id for one in steps])
        return loading.loaded(self._run, assistant, steps, own, history)

    def _own_messages(self) -> Course[list[Message]]:
        """Read the messages that the run wrote, oldest first."""
        own: list[Message] = []
        if self._run.last_message_id == self._run.started_head_id:
            return own
        after: str | None = None
        while True:
            page = yield from self._ask(reading.read_newest(self._run, after))
            for message in page.data:
                if message.id == self._run.started_head_id:
                    return own[::-1]
                own.append(message)
            if page.next_cursor is None:
                return own[::-1]
            after = page.next_cursor

    # -- records

    def _write(
        self, state: RunState, records: Sequence[r.Record]
    ) -> Course[tuple[RunState, f.Result | None]]:
        """Write records; return the state after them, and what to decide on instead if refused."""
        while True:
            try:
                yield from self._record(records)
            except OutcomeUnknown:
                found = yield from self._reload()
                if found == left_by_the_dead(evolved(state, records)):
                    return evolved(state, records), None
                if found != left_by_the_dead(state):
                    raise Gone from None
            except Refused as error:
                return (yield from self._refused(state, error))
            except InvalidInput as error:
                return (yield from self._unrecordable(state, error))
            else:
                return evolved(state, records), None

    def _record(self, records: Sequence[r.Record]) -> Course[None]:
        made = yield from self._ask(self._journal.write(records))
        self._journal.written(made)

    def _reload(self) -> Course[RunState]:
        run = yield from self._ask(reading.read_run(self._run.thread_id, self._run.id))
        if run.fence != self._run.fence:  # what is recorded now may be another holder's
            raise Gone
        self._run = run
        return (yield from self._load(fresh=False))

    def _refused(self, state: RunState, error: Refused) -> Course[tuple[RunState, f.Result | None]]:
        if error.reason == "context_erased":
            asked = f.ReadContext()
            context = yield from self._ask(reading.read_context(self._run))
            return state, f.ContextRead(context, asked)
        run = yield from self._ask(reading.read_run(self._run.thread_id, self._run.id))
        if run.status == "cancelling":
            return state, f.CancelRequested()
        if run.status != "in_progress":
            raise Gone
        return (yield from self._unrecordable(state, error))

    def _unrecordable(
        self, state: RunState, error: Refused | InvalidInput
    ) -> Course[tuple[RunState, f.Result | None]]:
        """End a run whose next record the store does not take."""
        code = error.reason if isinstance(error, Refused) else "invalid_value"
        failed = () if state.running is None else (r.FailStep(state.running, code, str(error)),)
        records = (*failed, r.Fail(code, str(error), state.usage))
        try:
            yield from self._record(records)
        except (Refused, InvalidInput, OutcomeUnknown):
            raise Gone from None
        yield from self.stop_all()
        return evolved(state, records), None

    def _fail_at_once(self, error: InvalidInput) -> Course[None]:
        """End a run with settings that nobody can follow."""
        record = r.Fail("invalid_settings", str(error), NOTHING_USED)
        yield from self._record((record,))

    # -- text

    def _show(self, step_number: int, text: str) -> Course[None]:
        """Collect text that arrived; it is shown once it is due and nothing else has arrived.

        So an answer that comes in one breath is written once, as the message that it is. A buffer
        that is full does not wait.
        """
        if self._text is None:
            self._text = TextBuffer()
        self._showing = step_number
        piece = self._text.add(text, self._clock.monotonic())
        if self._text.full:
            yield from self._write_text(self._text, piece)

    def _write_text(self, buffer: TextBuffer, piece: str) -> Course[None]:
        if not piece:
            return
        message_id = self._journal.message_id(self._showing)
        try:
            yield from self._ask(recording.write_text(self._run, piece, message_id, buffer.offset))
        except OutcomeUnknown:
            return  # the next piece begins with it again
        except Refused:
            run = yield from self._ask(reading.read_run(self._run.thread_id, self._run.id))
            if run.status not in {"in_progress", "cancelling"}:
                raise Gone from None
            return  # so will the answer be; what becomes of the run is decided there
        buffer.written(piece)
