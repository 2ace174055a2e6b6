"""A disk that is full when a write commits: nothing of it was written, and that is what is said."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from sqlalchemy import create_engine, event
from eventstore import ConversationStore, StoreUnavailable
place = f"sqlite:///{sys.argv[1]}/chat.db"
if sys.argv[2] == "engine":
    place = create_engine(place)
    @event.listens_for(place, "connect")
    def settings(driver, _):
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
            driver.execute(f"PRAGMA {pragma}").close()
with ConversationStore.open(place) as store:
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


@pytest.mark.parametrize("opened_by", ["url", "engine"])
def test_a_disk_that_is_really_full_is_told_as_such(tmp_path, opened_by):
    mounted = f'mount -t tmpfs -o size=2m tmpfs \'{tmp_path}\' && exec "$0" "$@"'
    ran = subprocess.run(
        [
            "unshare",
            "-rm",
            "sh",
            "-c",
            mounted,
            sys.executable,
            "-c",
            SCRIPT,
            str(tmp_path),
            opened_by,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in ran.stderr or "mount:" in ran.stderr:
        pytest.skip("no disk can be mounted here")
    assert (ran.stdout, ran.stderr) == ("disk_full\n", "")
