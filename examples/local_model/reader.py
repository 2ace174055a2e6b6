"""Reads along with a run from a cursor, in a process of its own: prints the text as it comes."""

import sys

from eventstore import ConversationStore


def main(database: str, thread_id: str, run_id: str, cursor: str) -> None:
    """Print the text behind the cursor until the run rests."""
    with ConversationStore.open(database) as store:
        for event in store.runs.stream(thread_id, run_id, after=cursor):
            if event.type == "message.delta":
                print(event.text, end="", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
