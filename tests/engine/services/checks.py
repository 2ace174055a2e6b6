"""What holds of a run that used each kind of tool, on every database."""

import base64

from eventstore.engine import replay
from tests.engine.services.assistants import APPROVED, DENIED, KEY, PICTURE, SECRET


def check_answers(store, answer):
    """Each tool did its work, readers were told, and replay decides the same."""
    run, result = answer.run, answer.result
    assert result("code_1")[0].output["kernel"] == "new"
    added = result("code_2")[0].output
    assert (added["result"], added["kernel"]) == ("15", "kept")
    plotted, plot = result("code_3")
    assert plotted.output["images"] == 1
    assert plot.url.startswith("data:image/png;base64,iVBORw0KGgo")
    written, report = result("code_4")
    assert written.output["files"] == [report.name] == ["report.txt"]
    assert base64.b64decode(report.file_id.partition(",")[2]).startswith(b"sold by {'day': '1'")
    [pet] = result("pet")
    assert pet.output["body"]["path"] == "/pets/7"
    assert pet.output["body"]["headers"]["authorization"] == "Bearer [credentials]"
    [new], [denied] = result("add"), result("delete")
    assert (new.status, denied.status) == ("completed", "failed")
    assert denied.output["reason"] == DENIED
    assert result("sum")[0].output["text"] == "3"
    assert result("note")[0].output["resources"][0]["text"] == "buy milk"
    _, image = result("image")
    assert base64.b64decode(image.url.partition(",")[2]) == PICTURE

    # Readers see each call and its answer, live and afterwards.
    kinds = [event.type for event in answer.seen]
    assert kinds.count("tool.called") == kinds.count("tool.answered") == 10
    assert kinds[-1] == "run.completed"
    whole = list(store.runs.stream(run.thread_id, run.id))
    assert [one for one in whole if one.type in {"tool.called", "tool.answered"}] == [
        one for one in answer.seen if one.type in {"tool.called", "tool.answered"}
    ]

    # The log says who decided, and why; code, outputs, duration and restarts are in it.
    decided = [
        (event.metadata.get("actor"), (event.content or {}).get("reason"))
        for event in store.events.read(run.thread_id)
        if event.type == "ToolOutputsSubmitted"
    ]
    assert decided == [("officer", APPROVED), ("officer", DENIED)]
    assert plotted.output["duration_seconds"] > 0

    # Replay decides the same, and calls nothing: the tools are closed by now.
    again = replay(store, run.thread_id, run.id)
    assert again.same, again.difference
    assert again.calls == 9  # the denied one was answered by a person


def check_secrets(store, answer, caplog, spans):
    """No credential is in a log, a span or anything that can be read of the store."""
    told = [caplog.text, repr(answer.run), repr(answer.seen)]
    told += [span.to_json() for span in spans.values()]
    told += [repr(event) + repr(event.content) for event in store.events.read_all()]
    assert caplog.text
    for text in told:
        assert SECRET not in text
        assert KEY not in text


def erase_all(store, run):
    """Erase every message of a run, with what the run recorded."""
    for message in store.messages.list(run.thread_id):
        store.privacy.erase(run.thread_id, message.id, include=["run"])
