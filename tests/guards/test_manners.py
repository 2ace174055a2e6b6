"""No file of the project names a package registry or a place on somebody's machine.

A registry's address in a lock binds every user to it; a home folder in a page helps nobody.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.guards.source import PROJECT

# Written in pieces, or this file would find itself.
REGISTRIES = ("pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js", "ana" + "conda.org")
PLACES = ("root", "work", "home", "Users", "opt")

FORBIDDEN = re.compile(
    "|".join(
        [
            *(re.escape(host) for host in REGISTRIES),
            # Not preceded by what would make it the end of a relative path or of a page's address.
            rf"(?<![\w.~}}])/(?:{'|'.join(PLACES)})/\w",
            r"\b[A-Z]:\\Users\\",
        ]
    ).encode()
)
# uv and pip write these beside the project; they hold the address of whoever made them.
UNHASHED_LOCKS = re.compile(r"(^|/)(uv\.lock|pylock(\..*)?\.toml)$")

NOT_OURS = re.compile(r"^(\.git|\.venv.*|\..*_cache|\.hypothesis|__pycache__|build|dist)$")


def project_files() -> list[Path]:
    """What git tracks or would, or every file where there is no git."""
    listing = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listing is None:
        return [file for file in PROJECT.rglob("*") if file.is_file() and not _is_made(file)]
    names = [name for name in listing.split("\0") if name]
    return [file for name in names if (file := PROJECT / name).is_file()]


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(PROJECT), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None


def _is_made(file: Path) -> bool:
    return any(NOT_OURS.match(part) for part in file.relative_to(PROJECT).parts)


def findings(content: bytes) -> list[str]:
    lines = content.splitlines()
    return [f"line {n}: {line!r}" for n, line in enumerate(lines, 1) if FORBIDDEN.search(line)]


def test_no_file_names_a_registry_or_a_place_on_a_machine():
    found = {
        file.relative_to(PROJECT).as_posix(): lines
        for file in project_files()
        if (lines := findings(file.read_bytes()))
    }
    assert found == {}


def test_only_hashed_locks_are_kept():
    names = [file.relative_to(PROJECT).as_posix() for file in project_files()]
    assert [name for name in names if UNHASHED_LOCKS.search(name)] == []


def test_every_locked_package_has_a_hash():
    for lock in (PROJECT / "requirements").glob("*.lock"):
        entries = re.split(r"\n(?=\w)", lock.read_text(encoding="utf-8"))
        bare = [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry]
        assert bare == [], lock.name


@pytest.mark.parametrize(
    "line",
    [
        f"--index-url https://{REGISTRIES[0]}/simple",
        f"see /{PLACES[0]}/notes.txt",
        f'open("/{PLACES[1]}/x.db")',
        f"sqlite:////{PLACES[2]}/me/chat.db",
    ],
)
def test_a_forbidden_line_is_named(line):
    assert findings(line.encode())


@pytest.mark.parametrize("line", ["docs/work/x", "https://example.org/home/page", "./home/x"])
def test_a_relative_path_or_a_page_of_the_web_is_not(line):
    assert not findings(line.encode())


def test_only_one_place_says_how_hypothesis_runs_unless_told_otherwise():
    """A profile that a folder loads holds for every folder that is collected after it, too."""
    loading = re.compile(rb"\bload_" + b"profile")
    found = [file.relative_to(PROJECT) for file in project_files() if file.suffix == ".py"]
    assert [str(file) for file in found if loading.search((PROJECT / file).read_bytes())] == [
        "tests/conftest.py"
    ]
