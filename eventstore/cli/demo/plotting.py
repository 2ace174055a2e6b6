"""The last act of the demo: a model's code reads a file and draws a plot, in a sandbox.

It needs more than the rest: :func:`lacking` says what is not there.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from eventstore import ConversationStore, FilePart, ImagePart, ToolError
from eventstore.cli.demo.story import Scene
from eventstore.engine import Engine, replay
from eventstore.engine.models import ScriptedModel, ToolCall
from eventstore.engine.models.scripted import Answer

__all__ = ["lacking", "plotting"]

_RAIN: Final = "month,mm\nJan,57\nFeb,46\nMar,48\nApr,46\nMay,58\nJun,77\nJul,86\nAug,99\nSep,91\n"
_READS: Final = """\
import csv
rows = list(csv.DictReader(open("rain.csv")))
max(rows, key=lambda row: int(row["mm"]))["month"]"""
_PLOTS: Final = """\
import matplotlib.pyplot as plt
plt.bar([row["month"] for row in rows], [int(row["mm"]) for row in rows])
plt.ylabel("rain, mm")
plt.show()"""

FILE: Final = FilePart(
    name="rain.csv",
    file_id=f"data:text/csv;base64,{base64.b64encode(_RAIN.encode()).decode()}",
)
"""The user's file."""
ANSWERS: Final[list[Answer]] = [
    [ToolCall("call_r", "code_interpreter", json.dumps({"code": _READS}))],
    [ToolCall("call_p", "code_interpreter", json.dumps({"code": _PLOTS}))],
    "August is the wettest month.",
]


def lacking() -> str | None:
    """Return the thing that is missing here, and the remedy; None if nothing is."""
    try:
        from eventstore.engine.tools.code_interpreter import CodeInterpreter  # noqa: PLC0415
    except ImportError:
        return _install("the extra [code]", "conversation-eventstore[code]")
    if find_spec("matplotlib") is None:
        return _install("matplotlib", "matplotlib")
    try:
        CodeInterpreter().close()
    except ToolError as error:
        return str(error)
    return None


def _install(missing: str, package: str) -> str:
    return f"{missing} is not installed. Install it: pip install '{package}'"


def plotting(store: ConversationStore, folder: Path) -> Iterator[Scene]:
    """Play it; the plot goes to ``folder``."""
    from eventstore.engine.tools.code_interpreter import CodeInterpreter  # noqa: PLC0415

    code = CodeInterpreter()  # a kernel for each thread, in a sandbox
    model = ScriptedModel(ANSWERS)
    engine = Engine(store, tools=[code], models={"demo": model})
    rain = store.threads.create(title="Rain").id
    ask = "Which month is the wettest? Plot them."
    store.messages.create(rain, role="user", content=[ask, FILE])
    run = engine.run(rain, model="demo", tools=[code]).id
    store.runs.wait(rain, run)
    _, asked, read, _, drawn, _ = store.messages.list(rain)
    [plot] = (part for part in drawn.content if isinstance(part, ImagePart))
    _, _, image = str(plot.url).partition("base64,")
    file = folder / "rain.png"
    file.write_bytes(base64.b64decode(image))
    yield Scene(
        "Let a model write code",
        "A sandbox without a network runs it. Files go in; plots and files come out.",
        store.messages.list(rain).data,
        f"The plot is in {file}",
        follow=rain,
    )

    engine.close()  # and its kernels
    anew = replay(store, rain, run)
    store.privacy.erase(rain, drawn.id, reason="the plot is wrong")
    erased = store.messages.get(rain, drawn.id)
    yield Scene(
        "Replay it, and erase the plot",
        "The plot is content of its message: stored once, and erased with it.",
        (asked, read, erased),
        f"{anew.records} records decided again, "
        f"{'all the same' if anew.same else anew.difference}; no code ran.",
    )
