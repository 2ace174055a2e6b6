"""The story of the demo, as Python code.

A ``yield`` ends a scene. The stage shows the lines since the last one, so readers see the code that
ran; the yield holds the rest of the scene: a title, a sentence, a picture.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Final, NamedTuple, TypeAlias, TypeVar

from eventstore import (
    BranchTree,
    ConversationStore,
    ConversationStoreError,
    Message,
    Refused,
    ReplayStep,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.engine import Engine, replay, tool
from eventstore.engine.models import Gate, ScriptedModel, ToolCall
from eventstore.engine.models.scripted import Answer

__all__ = ["ACTS", "Picture", "Scene", "story"]

T = TypeVar("T")

Picture: TypeAlias = (
    BranchTree | tuple[Message, ...] | list[ReplayStep] | ConversationStoreError | None
)


class Scene(NamedTuple):
    """One scene: the title, text and picture shown with the lines that just ran."""

    title: str
    says: str
    picture: Picture = None
    result: str = ""
    """Result of the scene, shown below the picture."""
    follow: str = ""
    """Thread that the reader may inspect afterwards."""


ANSWERS: list[Answer] = [
    [
        ToolCall("call_w", "weather", '{"city": "Oslo"}'),
        ToolCall("call_s", "sunrise", '{"city": "Oslo"}'),
    ],
    "The sun rises at 08:52, but it rains. Take an umbrella.",
    "At 08:52, in the rain. Tomorrow is better.",
    ["There are many. The first begins at the opera, ", Gate(), "and the last at the fjord."],
]
"""The answers of the demo's model. The last one stops at a gate, until it is cancelled."""


Act: TypeAlias = Generator[Scene, None, T]
"""Scenes, and then what the next act goes on with."""

# Read from top to bottom, the acts are the script. Their lines are short enough for a window of 80
# columns.


def story(store: ConversationStore) -> Iterator[Scene]:
    """Play all acts."""
    sky, air = yield from talking(store)
    fork = yield from looking_back(store, sky, air)
    yield from going_wrong(store, sky, fork)
    engine, model, guide, oslo, walk = yield from answering(store)
    yield from stopping(store, engine, model, guide=guide, oslo=oslo, walk=walk)


def talking(store: ConversationStore) -> Act[tuple[str, Message]]:
    """Play how a conversation comes about."""
    sky = store.threads.create(title="The sky").id
    why = store.messages.create(sky, role="user", content="Why is the sky blue?")
    sea = store.messages.create(sky, role="assistant", content="It is the sea.")
    yield Scene(
        "Talk",
        "Each call appends an event. Edits and new answers never overwrite.",
        follow=sky,
    )

    air = store.messages.regenerate(sky, sea.id, content="Air scatters blue.")
    red = store.messages.edit(sky, why.id, content="Why are sunsets red?")
    store.messages.create(sky, role="assistant", content="The blue gets lost.")
    yield Scene(
        "Another answer, another question",
        "Another answer stands beside the first; an edited question begins a branch.",
        store.branches.tree(sky),
    )

    store.branches.label(sky, red.id, "sunsets")
    store.branches.select(sky, air.id)
    path = store.messages.list(sky)
    yield Scene("Go back", 'The other branch stays as it is, here named "sunsets".', path.data)

    store.messages.create(sky, role="user", content="When is sunset in Lisbon?")
    run = store.runs.create(sky, model="any-model").id
    store.runs.start(sky, run)
    call = ToolCallPart(id="call_1", name="sunset", arguments={"city": "Lisbon"})
    store.messages.create(sky, role="assistant", content=call, run_id=run)
    store.runs.require_action(sky, run)
    later = store.messages.create(sky, role="user", content="And in Oslo?")
    yield Scene(
        "Record an agent at work",
        "Your loop calls the model and the tools; the store records what they did.\n"
        "The last line is a user typing while the run waits for its tool.",
        result=f"later.status is {later.status!r}: it joins the conversation when the run ends.",
    )

    outputs = [{"call_id": "call_1", "output": "18:24"}]
    store.runs.submit_tool_outputs(sky, run, outputs)
    store.runs.start(sky, run)
    store.messages.create(sky, role="assistant", content="At 18:24.", run_id=run)
    store.runs.complete(sky, run, usage={"input_tokens": 96, "output_tokens": 7})
    yield Scene(
        "Finish the run",
        "The tool answers, the model goes on, and the message that waited comes last.",
        store.branches.tree(sky),
    )

    return sky, air


def looking_back(store: ConversationStore, sky: str, air: Message) -> Act[str]:
    """Play what its history is good for."""
    fork = store.threads.fork(sky, at_message=air.id).id
    store.messages.create(fork, role="user", content="Explain it to a child.")
    yield Scene(
        "Fork",
        "A new thread that shares the path so far.\nIt costs one event, however long the path.",
        store.messages.list(fork).data,
    )

    steps = list(store.replay.steps(sky))
    past = store.replay.state(sky, at_version=3)
    yield Scene(
        "Replay",
        "The events are the source of truth. Watch the active path change;\n"
        "messages are numbered as they were sent (8 had to wait).",
        steps,
        f'At version {past.version} the last word was "{past.messages[-1].text}"',
    )

    rebuilt = store.projections.rebuild(sky)
    report = store.projections.compare(sky)
    yield Scene(
        "Rebuild the tables",
        "Tables are derived from events: rebuild this thread's and compare.",
        result=f"{rebuilt.rows} rows rebuilt, {len(report.findings)} differences.",
    )

    return fork


def going_wrong(store: ConversationStore, sky: str, fork: str) -> Act[None]:
    """Play a mistake and a retry."""
    stray = ToolResultPart(call_id="call_9", output="21:57")
    refusal = None
    try:
        store.messages.create(sky, role="tool", content=stray)
    except Refused as error:
        refusal = error
    yield Scene(
        "Make a mistake",
        "A tool's result without its call is refused before anything is written:",
        refusal,
    )

    before = store.threads.get(fork).version
    for _ in range(2):  # a double click, or a retry after a time-out
        store.messages.create(
            fork,
            role="user",
            content="Shorter, please.",
            idempotency_key="tap-1",
        )
    after = store.threads.get(fork).version
    yield Scene(
        "Send it twice",
        "The same idempotency key gives the first result again and adds nothing.",
        result=f"The fork was at version {before}; after both calls it is at {after}.",
    )


def answering(store: ConversationStore) -> Act[tuple[Engine, ScriptedModel, str, str, str]]:
    """Play an assistant."""
    model = ScriptedModel(ANSWERS)  # in its place: "qwen-plus", and a key

    @tool
    def weather(city: str) -> str:
        """Weather in a city, as one line."""
        return f"{city}: 4 °C, rain"

    @tool
    def sunrise(city: str) -> str:
        """Time of sunrise in a city."""
        return f"{city}: 08:52"

    engine = Engine(store, tools=[weather, sunrise], models={"demo": model})
    guide = store.assistants.create(model="demo", tools=[weather, sunrise]).id
    oslo = store.threads.create(title="Oslo").id
    store.messages.create(oslo, role="user", content="A walk at sunrise?")
    walk = engine.run(oslo, guide).id
    store.runs.wait(oslo, walk)
    yield Scene(
        "An assistant answers",
        "An engine asks the model, calls both tools side by side, and records each step.",
        store.messages.list(oslo).data,
        follow=oslo,
    )

    answer = store.messages.list(oslo).data[-1]
    again = engine.run(oslo, guide, regenerates=answer.id).id
    store.runs.wait(oslo, again)
    yield Scene(
        "Ask for another answer",
        "The tools are not called again: their results are on the path.",
        store.branches.tree(oslo),
    )

    return engine, model, guide, oslo, walk


def stopping(
    store: ConversationStore,
    engine: Engine,
    model: ScriptedModel,
    *,
    guide: str,
    oslo: str,
    walk: str,
) -> Act[None]:
    """Play a run that is stopped, and a run that is replayed."""
    store.messages.create(oslo, role="user", content="Which walks are there?")
    long = engine.run(oslo, guide).id
    for event in store.runs.stream(oslo, long):  # in any process
        if event.type == "message.delta":
            store.runs.cancel(oslo, long)  # the user presses Stop
            break
    stopped = store.runs.wait(oslo, long)
    kept = store.messages.list(oslo).data[-1]
    yield Scene(
        "Stop an answer",
        "Text is shown while the model writes it, and what was shown is kept.",
        result=f'The run is {stopped.status}. {kept.status.capitalize()}: "{kept.text.strip()}"',
    )

    engine.close()
    asked = len(model.requests)
    anew = replay(store, oslo, walk)
    asked_again = len(model.requests) - asked
    yield Scene(
        "Replay the run",
        "Decide each step anew from what is recorded, and compare.",
        result=f"{anew.records} records decided again, "
        f"{'all the same' if anew.same else anew.difference}.\n{anew.answers} answers and "
        f"{anew.calls} tool results came from the log: the model was asked {asked_again} times.",
    )


ACTS: Final = (talking, looking_back, going_wrong, answering, stopping)
"""The acts, in the order in which the story plays them."""
