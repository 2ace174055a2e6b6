"""The table of rooms, and the script that writes it into the pages that show it.

    python -m tests.guards.rooms

A room is a folder or a module right under the package. Every line of code belongs to one room.
`test_import_table.py` holds the imports of the library to this table. A new room is added here
first, at the height where it belongs.
"""

from pathlib import Path

from tests.guards.source import PACKAGE, PROJECT

# From bottom to top. Rooms of one layer do not import each other.
LAYERS: tuple[dict[str, str], ...] = (
    {"errors": "the error tree, drawn in its docstring"},
    {
        "core": "**pure.** ids, the event envelope, expected versions, the codec, the catalogue of "
        "event types with upcasters, the hash chain, pages; knows nothing of conversations"
    },
    {
        "conversation": "**pure.** the domain: content parts; `events/` and `commands/`, a module "
        "a noun; `decide`, `evolve`, rows, the message tree, the life of a run, rows as values",
        "storage": "the SQL of the log: heads and their order, reading, large content, idempotency "
        "keys, interning, migrations, triggers; calls nothing above it; `sqlite*.py` and "
        "`postgres*.py` hold what differs by database",
        "encryption": "**public.** content sealed at rest: master keys, stores of data keys, the "
        "ring of those in memory, the codec that `connect` hands down; an optional extra",
        "execution": "how a function over a transaction reaches a connection: queues that share "
        "commits, engines, forked processes, signals; never sees an event",
    },
    {
        "threads": "the decision tables, one file a table; `StoredThread`, the view on their rows; "
        "reading the tree; folding, comparing, rebuilding",
        "read_models": "**public.** read models that follow the log behind a checkpoint: search "
        "over messages, usage by day, and your own; `catch_up/` runs them",
    },
    {
        "write_path": "a write from its command to its result: `append.py` names the steps in "
        "order; each `*_streams.py` is the handler of a category of streams",
    },
    {
        "subscriptions": "following the log: the table of states, and reading the next page",
        "replay": "folded states as values, and the difference of two moments",
        "audit": "proving that nothing was changed: verifying chains and tables",
        "privacy": "erasing and purging for good, and the certificates of both",
        "importers": "other people's data as drafts of messages",
        "exporters": "conversations as pages that people read: Markdown, HTML, JSON",
    },
    {
        "api": "the two stores: `operations/`, every method once, which checks its arguments and "
        "returns a `Write`, `Read`, `Paged` or `Collected`; `faces/`, the methods of both stores, "
        "written from the operations by `scripts/faces`; `connect`, `batches`, options",
    },
    {PACKAGE: "the public names"},
    {
        "engine": "**public.** assistants that answer: executes runs over the public names of the "
        "store; `models/` is how a model is asked, `tools/` what it may use: functions, code in a "
        "sandbox, plug-ins, MCP servers, images; most of both are optional extras"
    },
    {"cli": "the command line, an optional extra"},
    {
        "testing": "**public in part** (`eventstore.testing.__all__`). scenarios, histories, "
        "schedules, faults, conformance suites, the oracle; may import anything"
    },
)

PAGES = (PROJECT / "ARCHITECTURE.md", PROJECT / "CONTRIBUTING.md")
BEGIN = "<!-- rooms: written by python -m tests.guards.rooms -->"
END = "<!-- /rooms -->"


def table() -> str:
    """Return the table of rooms in Markdown, the highest layer first."""
    rows = ["| layer | room | what it holds |", "|---|---|---|"]
    for height, layer in reversed(list(enumerate(LAYERS, start=1))):
        rows += [f"| {height} | `{room}` | {text} |" for room, text in layer.items()]
    return "\n".join(rows)


def with_table(text: str) -> str:
    """Return a page with the present table between its markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no table of rooms: put it between {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def write(page: Path) -> None:
    """Write the table into a page."""
    page.write_text(with_table(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    for each in PAGES:
        write(each)
