"""The results of a work, as values for a JSON file and for tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders import Kind, Missing
from benchmarks.goals import Comparison


@dataclass(frozen=True, slots=True)
class Column:
    """A figure of each row: its key there, its heading, its decimals."""

    key: str
    heading: str
    decimals: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """The result of one contender."""

    name: str
    kind: Kind
    figures: dict[str, float]
    durability: str


@dataclass(frozen=True, slots=True)
class Table:
    """Contenders measured side by side."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    comparisons: Sequence[Comparison]


@dataclass(slots=True)
class Result:
    """One work on one database, and all that is needed to judge its figures."""

    work: str
    title: str
    database: str
    settings: dict[str, Any]
    machine: dict[str, Any]
    versions: dict[str, str]
    tables: list[Table] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.work.lower()}-{self.database}"

    def as_json(self) -> str:
        """The result as text for a file."""
        values = asdict(self)
        for table, kept in zip(values["tables"], self.tables, strict=True):
            table["comparisons"] = [_comparison(one) for one in kept.comparisons]
        return json.dumps(_rounded(values), indent=2, ensure_ascii=False) + "\n"


def write(result: Result, folder: Path, rendered: str) -> Path:
    """Write a result and its tables into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.name}.json"
    path.write_text(result.as_json(), encoding="utf-8")
    path.with_suffix(".md").write_text(rendered, encoding="utf-8")
    return path


def _comparison(one: Comparison) -> dict[str, Any]:
    return {
        "label": one.goal.label,
        "against": one.against,
        "value": one.value,
        "unit": one.goal.unit,
        "must": one.goal.must,
        "aim": one.goal.aim,
        "better": one.goal.better,
        "verdict": one.verdict,
        "rounds": one.rounds,
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
