"""The sandbox of an application that is not root: bubblewrap makes a user namespace.

Where tests run as root, these run again as a user that owns nothing, in processes of their own. A
Python that root keeps to itself is shown to that user, at the same place, and nothing else is.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import LONG

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
NOBODY = 54_321
ENTERED_BY_ALL = 0o005
FEW = "no_socket or fork_bomb or one_process or daemon"


def hidden(place):
    """The topmost folder on the way to a place that others may not enter."""
    above = [each for each in (place, *place.parents) if ~each.stat().st_mode & ENTERED_BY_ALL]
    return above[-1] if above else None


def shown(places):
    """The start of a command that sees these places, whoever runs it."""
    command = ["bwrap", "--dev-bind", "/", "/", "--cap-add", "ALL", "--die-with-parent"]
    for folder in {found for place in places if (found := hidden(place))}:
        command += ["--perms", "0755", "--tmpfs", str(folder)]
        for place in places:
            for each in reversed([one for one in place.parents if folder in one.parents]):
                command += ["--perms", "0755", "--dir", str(each)]
            if folder in place.parents:
                command += ["--ro-bind", str(place), str(place)]
    return [*command, "--"]


def as_nobody(arguments, folder):
    """Run Python as a user without rights."""
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), "HOME": str(folder)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    environment |= {"LAWS": "long"} if LONG else {}
    command = [sys.executable, *arguments]
    if os.geteuid() == 0:
        pythons = {Path(sys.prefix), Path(sys.base_prefix), ROOT}
        ids = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        command = [*shown(pythons), "setpriv", *ids, "--inh-caps=-all", "--", *command]
        os.chown(folder, NOBODY, NOBODY)
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=False, capture_output=True, text=True
    )


@pytest.fixture
def folder():
    """One that another user may enter: each pytest keeps its own folders to its user."""
    with tempfile.TemporaryDirectory(prefix="nobody-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def test_a_user_without_rights_has_a_sandbox_that_holds(folder):
    """The escapes are tried in it, too: a few each time, all of them in the long run."""
    chosen = [] if LONG else ["-k", FEW]
    files = [str(HERE / name) for name in ("test_escapes.py", "test_interpreter.py")]
    options = ["-p", "no:cacheprovider", "-p", "no:randomly", "-q", "-x", f"--basetemp={folder}/t"]
    done = as_nobody(["-m", "pytest", *options, *files, *chosen], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout


def test_without_bubblewrap_it_fails(folder):
    """No machine passes by leaving it out."""
    program = (
        "import os; os.environ['PATH'] = ''\n"
        "print(os.geteuid(), open('/proc/self/status').read())\n"
        "from eventstore.engine.tools.code_interpreter import CodeInterpreter\n"
        "CodeInterpreter()"
    )
    done = as_nobody(["-c", program], folder)
    assert done.returncode == 1
    assert "bubblewrap is not installed" in done.stderr
    assert not done.stdout.startswith("0 ")
    assert "CapEff:\t0000000000000000" in done.stdout
