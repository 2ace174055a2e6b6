"""Install exactly the packages of a lock into a virtual environment; called by the Makefile.

    python scripts/setup_venv.py .venv requirements/dev.lock

The script builds the environment again when the lock or the Python changes, and repeats the
editable install of the library when `pyproject.toml` changes. A stamp inside the environment
records the lock, the Python and the project it was built from. The stamp holds digests and not
times, because a checkout changes the times of files whose contents stay the same.

Only the standard library is used: this runs before anything is installed. pip's output is shown
only if it fails.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PYTHON_OLDEST = (3, 11)
PROJECT = Path(__file__).resolve().parent.parent

# Every file needs a hash, but not every package a wheel: some platforms have to build a few. The
# lock names everything, so pip resolves nothing (--no-deps): older versions look past the lock for
# a package that another one requires with an extra, and then refuse it because it has no hash.
PIP_LOCKED = ("install", "--require-hashes", "--no-deps", "--requirement")
# The build backend comes out of the lock, so that no build reaches for an unpinned one.
PIP_EDITABLE = ("install", "--no-deps", "--no-build-isolation", "--editable", str(PROJECT))


def main(venv: Path, lock: Path) -> None:
    if sys.version_info < PYTHON_OLDEST:
        sys.exit(f"Python {dotted(PYTHON_OLDEST)} or newer is needed, this is {sys.version}")
    locked = {"python": f"{sys.base_prefix} {sys.version}", "lock": digest(lock)}
    wanted = locked | {"project": digest(PROJECT / "pyproject.toml"), "at": str(PROJECT)}
    stamp = venv / "built-from.json"
    built = read(stamp)
    if built == wanted:
        return
    if not locked.items() <= built.items():
        create(venv)
        step(f"Installing the locked packages of {lock}", lambda: pip(venv, *PIP_LOCKED, str(lock)))
    step("Installing the library, editable", lambda: pip(venv, *PIP_EDITABLE))
    pip(venv, "check")
    stamp.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")


def create(venv: Path) -> None:
    if venv.exists():
        # Never remove a folder that is no environment, whatever the caller named.
        if not (venv / "pyvenv.cfg").exists():
            sys.exit(f"{venv} exists and is not a virtual environment: please move it away")
        shutil.rmtree(venv)
    version = dotted(sys.version_info[:3])
    step(f"Creating {venv} with Python {version}", lambda: run(sys.executable, "-m", "venv", venv))


def pip(venv: Path, *arguments: str) -> None:
    run(python_of(venv), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments)


def python_of(venv: Path) -> Path:
    return venv / ("Scripts" if os.name == "nt" else "bin") / "python"


def run(*command: str | Path) -> None:
    done = subprocess.run(command, check=False, text=True, capture_output=True)
    if done.returncode:
        words = " ".join(map(str, command))
        sys.exit(f"\n{done.stdout}{done.stderr}\nThis failed (status {done.returncode}): {words}")


def step(sentence: str, work: Callable[[], None]) -> None:
    print(f"==> {sentence} ...", end=" ", flush=True)
    began = time.monotonic()
    work()
    print(f"{time.monotonic() - began:.0f} s", flush=True)


def read(stamp: Path) -> dict[str, str]:
    try:
        return dict(json.loads(stamp.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
