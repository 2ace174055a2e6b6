"""The commands about answers: ``chat``, and ``runs``, which lists, shows and follows them."""

from __future__ import annotations

from typing import Annotated, Final

import typer
from rich.text import Text

from eventstore.cli.following import Follower, outcome
from eventstore.cli.framework import AsJson, Commands, Program, app, examples
from eventstore.cli.opening import (
    DEFAULT,
    Database,
    ThreadPrefix,
    existing,
    find_thread,
    made,
    short,
)
from eventstore.cli.output import errors, print_json, screen
from eventstore.cli.run_listing import find_run, print_run, print_runs

__all__ = ["chat", "follow", "list_", "runs", "show"]

runs: Final = Program(
    cls=Commands,
    name="runs",
    help="List, show and follow runs: the answers of assistants, and how they came about.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(runs)

_RunName = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The run's id, or a part of it; the newest if omitted."),
]

_Model = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar="EVENTSTORE_MODEL",
        show_default=True,
        help="Model that answers. Qwen models need DASHSCOPE_API_KEY, gpt-… OPENAI_API_KEY;"
        " provider:name is a model of pydantic-ai.",
    ),
]
_BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="Ask for the model at this OpenAI-compatible endpoint. OPENAI_API_KEY is sent"
        " if it is set.",
    ),
]
_Instructions = Annotated[
    str | None, typer.Option(metavar="TEXT", help="System prompt of the model.")
]
_Tools = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="A tool, or a list of tools, in a Python module; may be given several times.",
    ),
]
_Tool = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="A tool of the library: code_interpreter."),
]
_Plugin = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="An OpenAPI description, in JSON. For petstore.json, the credentials are"
        " those of PETSTORE_TOKEN.",
    ),
]
_Mcp = Annotated[
    list[str] | None,
    typer.Option(metavar="COMMAND", help="An MCP server: its command, or its address."),
]


@app.command(
    each=False,
    epilog=examples(
        "chat",
        "chat 019ab3 --model qwen-max",
        "chat --model llama --base-url http://127.0.0.1:8080/v1",
        "chat --tools my_tools:TOOLS",
        "chat --tool code_interpreter --plugin petstore.json --mcp 'my-server --read-only'",
    ),
)
def chat(
    thread: Annotated[
        str | None,
        typer.Argument(
            metavar="THREAD",
            help="A thread to go on with: its id, or a unique prefix. A new one if omitted.",
        ),
    ] = None,
    *,
    database: Database = DEFAULT,
    model: _Model = "qwen-plus",
    base_url: _BaseUrl = None,
    instructions: _Instructions = None,
    tools: _Tools = None,
    tool: _Tool = None,
    plugin: _Plugin = None,
    mcp: _Mcp = None,
) -> None:
    """Talk with a model in the terminal, and keep every word.

    Answers appear as they are written, tool calls with their results.
    Change a question, or ask for another answer: the earlier ones stay.
    """
    from eventstore.cli.chat.opened import Answering, open_chat  # noqa: PLC0415 (loads the engine)
    from eventstore.cli.chat.tools import ToolOptions  # noqa: PLC0415 (likewise)

    with made(database) as store:
        thread_id = None if thread is None else find_thread(store, thread)
        named = ToolOptions(*(tuple(one or ()) for one in (tools, tool, plugin, mcp)))
        answers = Answering(model, base_url, instructions, named)
        open_chat(screen(), store, thread_id, answers)


@runs.command("list", epilog=examples("runs list", "runs list 019ab3", "runs list --stuck --json"))
def list_(
    thread: Annotated[
        str | None,
        typer.Argument(
            metavar="THREAD",
            help="The runs of this thread; those of all threads that have not ended if omitted.",
        ),
    ] = None,
    *,
    database: Database = DEFAULT,
    stuck: Annotated[
        bool, typer.Option("--stuck", help="Only runs whose worker has fallen silent.")
    ] = False,
    limit: Annotated[
        int, typer.Option(metavar="N", min=1, max=10_000, help="Show at most N runs.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List the runs of a thread, or those that have not ended, in the order of their creation."""
    with existing(database) as store:
        thread_id = None if thread is None else find_thread(store, thread)
        page = store.runs.list(thread_id, lease_ended=True if stuck else None, limit=limit)
        if as_json:
            print_json(run.model_dump_json() for run in page.data)
            return
        threads = {} if thread_id else short(store, list({run.thread_id for run in page.data}))
        print_runs(screen(), page.data, threads)
        if page.next_cursor is not None:
            errors().print(Text(f"these are the first {limit}; --limit shows more", style="dim"))


@runs.command(epilog=examples("runs show 019ab3", "runs show 019ab3 run…3f2a9c"))
def show(
    thread: ThreadPrefix,
    run: _RunName = None,
    *,
    database: Database = DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show a run: how it ended, its steps, and what they took."""
    with existing(database) as store:
        found = find_run(store, find_thread(store, thread), run)
        steps = list(store.runs.steps.list(found.thread_id, found.id))
        if as_json:
            print_json([found.model_dump_json(), *(step.model_dump_json() for step in steps)])
        else:
            print_run(screen(), found, steps)


@runs.command(epilog=examples("runs follow 019ab3", "runs follow 019ab3 --json"))
def follow(
    thread: ThreadPrefix,
    run: _RunName = None,
    *,
    database: Database = DEFAULT,
    after: Annotated[
        str | None,
        typer.Option(metavar="CURSOR", help="Begin behind this event; --json shows cursors."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Follow a run, from its beginning and while it goes on, in any process.

    It ends when the run has ended, or waits for somebody.
    """
    with existing(database) as store:
        found = find_run(store, find_thread(store, thread), run)
        events = store.runs.stream(found.thread_id, found.id, after=after)
        if as_json:
            print_json(event.model_dump_json() for event in events)
            return
        console = screen()
        Follower(console, found.model or "assistant").follow(events)
        ended = store.runs.get(found.thread_id, found.id)
        console.print(outcome(ended) or Text(f"  ({ended.status})", style="dim"))
