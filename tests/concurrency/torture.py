"""One process of the test that kills: 64 tasks write to threads and say what was acknowledged.

    python -m tests.concurrency.torture URL NAME MESSAGES THREAD...

Each line on its output is one acknowledged message: thread, id, version, text. A line is written at
once and as a whole, so what a killed process had been told stands in the pipe.
"""

import asyncio
import os
import sys

from eventstore import AsyncConversationStore

TASKS = 64


async def main(url, name, messages, threads):
    async with AsyncConversationStore.open(url, busy_timeout_seconds=60.0) as store:

        async def work(task):
            for n in range(task, messages * len(threads), TASKS):
                thread, text = threads[n % len(threads)], f"{name}.{n}"
                made = await store.messages.create(
                    thread, role="user", content=text, idempotency_key=text
                )
                os.write(1, f"{thread} {made.id} {made.version} {text}\n".encode())

        await asyncio.gather(*(work(task) for task in range(TASKS)))


if __name__ == "__main__":
    url, name, messages, *threads = sys.argv[1:]
    asyncio.run(main(url, name, int(messages), threads))
