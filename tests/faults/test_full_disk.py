"""A disk that is full when a write commits: nothing of it was written, and that is what is said."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from eventstore import ConversationStore, StoreUnavailable
with ConversationStore.open(f"sqlite:///{sys.argv[1]}/chat.db") as store:
    thread = store.threads.create().id
    said = []
    try:
        for n in range(10_000):
            said.append(store.messages.create(thread, role="user", content="x" * 2_000).id)
    except StoreUnavailable as error:
        print(error.reason)
    assert [one.id for one in store.messages.list(thread, limit=None)] == said
    assert store.projections.compare().ok
"""


def test_a_disk_that_is_really_full_is_told_as_such(tmp_path):
    mounted = f'mount -t tmpfs -o size=2m tmpfs \'{tmp_path}\' && exec "$0" "$@"'
    ran = subprocess.run(
        ["unshare", "-rm", "sh", "-c", mounted, sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("no disk can be mounted here")
    assert (ran.stdout, ran.stderr) == ("disk_full\n", "")
