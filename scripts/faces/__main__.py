"""Write the faces: ``python -m scripts.faces``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts.faces.operations import ROOT
from scripts.faces.writing import ASYNC, SYNC, face_text, planned_text

OUT: Final = ROOT / "eventstore" / "api" / "faces"


def _formatted(text: str) -> str:
    """Sort the imports and format the code like the rest of the project."""
    ruff = Path(sys.executable).with_name("ruff")
    for words in (["check", "--quiet", "--fix-only", "--select=I001,F401"], ["format", "--quiet"]):
        text = subprocess.run(
            [ruff, *words, "--stdin-filename", str(OUT / "sync.py"), "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
        ).stdout
    return text


def files() -> dict[Path, str]:
    """Return every file with its content."""
    return {
        OUT / SYNC.file: _formatted(face_text(SYNC)),
        OUT / ASYNC.file: _formatted(face_text(ASYNC)),
        OUT / "planned.py": _formatted(planned_text()),
    }


def main() -> None:
    """Write the files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
