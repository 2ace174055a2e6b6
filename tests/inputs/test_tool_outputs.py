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


@pytest.mark.parametrize(
    "given",
    [
        {"call_id": "c1", "approved": False},
        {"call_id": "c1", "approved": "yes"},
        {"call_id": "c1", "approved": True, "output": 1},
        {"approved": True},
    ],
)
def test_a_malformed_approval_is_refused(given):
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        run = store.runs.create(thread).id
        with pytest.raises(InvalidInput, match="is not an approval") as caught:
            store.runs.submit_tool_outputs(thread, run, [given])
        assert caught.value.field == "outputs[0]"


def test_a_reason_that_nobody_knows_is_refused():
    with ConversationStore.open("sqlite://") as store:
        thread = store.threads.create().id
        run = store.runs.create(thread).id
        with pytest.raises(InvalidInput, match="a text of 4 characters is not a reason"):
            store.runs.require_action(thread, run, calls={"c1": "whim"})  # type: ignore[dict-item]
