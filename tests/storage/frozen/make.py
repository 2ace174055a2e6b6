"""Makes a frozen database of the current schema, once, before it is released.

    python -m tests.storage.frozen.make

writes ``<revision>.sql`` and ``<revision>.json`` beside this file: a database with a full life in
it, as text so that a diff can be read, and what its threads, assistants and events look like. Every
later version has to open it, migrate it and find the same. Files of a released schema are never
made again; this refuses to overwrite one without ``--again``.
"""

import json
import re
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from eventstore import ConversationStore
from eventstore.storage.migrations import HEAD
from tests.storage.lives import INVOICE, environment, full_life

HERE = Path(__file__).parent


def states_of(store: ConversationStore) -> dict[str, Any]:
    """Everything a store tells about what is in it, as JSON values."""
    found: dict[str, Any] = {"threads": {}, "streams": {}}
    for thread in store.threads.list(include_deleted=True).iter():
        steps = list(store.replay.steps(thread.id))
        found["threads"][thread.id] = {
            "now": _json(thread),
            "messages": [_json(message) for message in store.messages.list(thread.id)],
            "tree": _json(store.branches.tree(thread.id)),
            "runs": [_json(run) for run in store.runs.list(thread.id)],
            "replayed": [
                {
                    "version": step.event.version,
                    "head": step.state.thread.head_id,
                    "texts": [message.text for message in step.state.messages],
                    "runs": [run.status for run in step.state.runs],
                }
                for step in steps
            ],
        }
        found["streams"][thread.id] = [_json(step.event) for step in steps]
    for assistant in _assistants(store):
        versions = store.assistants.versions(assistant)
        found["streams"][assistant] = [_json(one) for one in store.events.read(assistant)]
        found[assistant] = [_json(version) for version in versions]
    found["streams"][INVOICE] = [_json(one) for one in store.events.read(INVOICE)]
    return found


def _assistants(store: ConversationStore) -> Iterator[str]:
    """Ids of all assistants, deleted ones too."""
    ids = [event.stream_id for event in store.events.read_all()]
    return (one for one in dict.fromkeys(ids) if one.startswith("asst_"))


def _json(value: Any) -> Any:
    return json.loads(value.model_dump_json())


def dump(path: Path) -> str:
    """A database as SQL, its triggers last, or they would refuse the rows.

    The random id of the store is written as zeros, so that two dumps can be compared.
    """
    with closing(sqlite3.connect(path)) as database:
        lines = list(database.iterdump())
    lines = [
        re.sub(r"""(INSERT INTO "store" VALUES\(X)'\w{32}'""", rf"\1'{'0' * 32}'", one)
        for one in lines
    ]
    late = [line for line in lines if line.startswith("CREATE TRIGGER")]
    soon = [line for line in lines if line not in late and line != "COMMIT;"]
    return "\n".join([*soon, *late, "COMMIT;", ""])


def restore(sql: str, path: Path) -> None:
    """Make the database that :func:`dump` wrote down."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(sql)


def main() -> None:
    target = HERE / f"{HEAD}.sql"
    if target.exists() and "--again" not in sys.argv:
        sys.exit(f"{target.name} exists; if {HEAD} was never released: --again")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chat.db"
        with ConversationStore.open(f"sqlite:///{path}", environment=environment()) as store:
            full_life(store)
            states = states_of(store)
        target.write_text(dump(path), encoding="utf-8")
    states_file = target.with_suffix(".json")
    states_file.write_text(
        json.dumps(states, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
