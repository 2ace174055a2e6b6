"""An output that is handed in says what the tool answered, and be it None."""

import pytest

from eventstore import ConversationStore, InvalidInput, ToolResultPart


def test_an_output_without_output_is_refused():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        run = store.runs.create(thread).id
        store.runs.start(thread, run)
        call = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {}}
        store.messages.create(thread, role="assistant", run_id=run, content=[call])
        store.runs.require_action(thread, run)
        with pytest.raises(InvalidInput) as caught:
            store.runs.submit_tool_outputs(thread, run, [{"call_id": "c1"}])
        assert caught.value.field == "outputs[0].output"
        assert store.runs.get(thread, run).status == "requires_action"
        store.runs.submit_tool_outputs(thread, run, [{"call_id": "c1", "output": None}])
        [_, answer] = store.messages.list(thread)
        assert answer.content == (ToolResultPart(call_id="c1", output=None),)
