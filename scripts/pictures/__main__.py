"""Writes the pictures into ``docs/images``."""

from __future__ import annotations

from pathlib import Path

from eventstore import ConversationStore
from scripts.pictures.conversation import play, same_each_time
from scripts.pictures.flow import flow_picture
from scripts.pictures.replay import replay_picture
from scripts.pictures.tree import tree_picture

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"


def pictures() -> dict[str, str]:
    """Return the pictures by the names of their files."""
    with ConversationStore.open("sqlite://", environment=same_each_time()) as store:
        thread_id = play(store)
        return {
            "tree.svg": tree_picture(store.branches.tree(thread_id)),
            "replay.svg": replay_picture(list(store.replay.steps(thread_id))),
            "flow.svg": flow_picture(),
        }


def main() -> None:
    """Write the pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, drawn in pictures().items():
        (IMAGES / name).write_text(drawn, encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
