"""An assistant with all kinds of tools, from the question to the bytes that erasing leaves."""

import base64
from pathlib import Path

from eventstore.engine import replay
from tests.engine.services.assistants import SECRET, answered


def test_an_assistant_uses_each_kind_of_tool(store, url):
    run, model, answers = answered(store)
    read, added, plotted, written, pet, sum_, drawn = answers
    assert read[0].output["kernel"] == "new"
    assert added[0].output["result"] == "15"
    image = plotted[1]
    assert image.url.startswith("data:image/png;base64,iVBORw0KGgo")
    assert (written[1].name, written[1].file_id) == (
        "report.txt",
        "data:text/plain;base64,c29sZCAxNQ==",
    )
    assert pet[0].output["body"]["headers"]["authorization"] == "Bearer [credentials]"
    assert sum_[0].output["text"] == "3"
    assert drawn[1].url.startswith("data:image/png;base64,")
    assert "code_interpreter" in [one["function"]["name"] for one in model.requests[0].tools]

    # Readers see each call and its answer, live and afterwards.
    seen = [event.type for event in store.runs.stream(run.thread_id, run.id)]
    assert seen.count("tool.called") == seen.count("tool.answered") == 7

    # Replay decides the same, and calls nothing: the tools are closed by now.
    again = replay(store, run.thread_id, run.id)
    assert again.same, again.difference
    assert again.calls == 7

    # What tools gave is content: whole in the store, and gone once it is erased.
    picture = image.url[1000:1200].encode()  # short enough to stand on one page of the file
    assert any(picture in raw for raw in files(url))
    for message in store.messages.list(run.thread_id).data:
        if message.role == "tool":
            store.privacy.erase(run.thread_id, message.id, reason="asked for")
    store.close()
    for raw in files(url):
        assert picture not in raw
        assert base64.b64encode(b"sold 15") not in raw
        assert SECRET.encode() not in raw


def files(url):
    return [file.read_bytes() for file in Path(url.removeprefix("sqlite:///")).parent.iterdir()]
