"""Results as Markdown: one page for each work, and a summary that other pages can include."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.contenders import Kind
from benchmarks.goals import Better, Comparison, Goal
from benchmarks.results import Result, Row, Table


def render(result: Result) -> str:
    """The page of one work."""
    parts = [f"# {result.work}: {result.title} ({result.database})", ""]
    if result.settings.get("quick"):
        parts += ["**A quick run: it shows that everything works, its figures mean little.**", ""]
    for table in result.tables:
        parts += [f"## {table.title}", "", *_figures(table), "", *_goals(table), ""]
    parts += [f"- {note}" for note in result.notes]
    parts += _missing(result)
    parts += ["", _circumstances(result), ""]
    return "\n".join(parts)


def summary(results: Iterable[Result]) -> str:
    """All comparisons of all works in one table."""
    lines = _header("work", "", "measured", "must", "aim", "")
    for result in results:
        for table in result.tables:
            lines += [
                _line(
                    f"{result.work} {table.title}",
                    f"{one.goal.label}" + (f" ({one.against})" if one.against else ""),
                    _value(one),
                    _mark(one.goal, one.goal.must),
                    _mark(one.goal, one.goal.aim),
                    one.verdict,
                )
                for one in table.comparisons
            ]
    return "\n".join(lines) + "\n"


def _figures(table: Table) -> list[str]:
    lines = _header("store", "", *(column.heading for column in table.columns), "durability")
    ranked = sorted(table.rows, key=lambda row: list(Kind).index(row.kind))
    lines += [_figures_line(table, row) for row in ranked]
    if all(row.kind is not Kind.OURS for row in table.rows):
        blanks = ["-"] * (len(table.columns) + 1)
        lines.insert(2, _line("**ours**", Kind.OURS, *blanks))
    return lines


def _figures_line(table: Table, row: Row) -> str:
    cells = [
        f"{row.figures[column.key]:,.{column.decimals}f}" if column.key in row.figures else "-"
        for column in table.columns
    ]
    name = f"**{row.name}**" if row.kind is Kind.OURS else row.name
    return _line(name, row.kind, *cells, row.durability)


def _goals(table: Table) -> list[str]:
    lines = _header("comparison", "against", "measured", "rounds", "must", "aim", "")
    lines += [
        _line(
            one.goal.label,
            one.against or "-",
            _value(one),
            _range(one.rounds),
            _mark(one.goal, one.goal.must),
            _mark(one.goal, one.goal.aim),
            one.verdict,
        )
        for one in table.comparisons
    ]
    return lines


def _missing(result: Result) -> list[str]:
    if not result.missing:
        return []
    lines = ["", "**Not measured:**", ""]
    return lines + [f"- {one.name} ({one.kind}): {one.why}" for one in result.missing]


def _circumstances(result: Result) -> str:
    machine = ", ".join(f"{key} {value}" for key, value in result.machine.items())
    versions = ", ".join(f"{name} {version}" for name, version in result.versions.items())
    settings = ", ".join(f"{key} {value}" for key, value in result.settings.items())
    return f"Machine: {machine}. Versions: {versions}. Settings: {settings}."


def _value(one: Comparison) -> str:
    return "-" if one.value is None else _figure(one.goal, one.value)


def _mark(goal: Goal, mark: float | None) -> str:
    if mark is None:
        return "-"
    return f"{'≥' if goal.better is Better.MORE else '≤'} {_figure(goal, mark)}"


def _figure(goal: Goal, value: float) -> str:
    digits = f"{value:,.0f}" if value >= 100 else f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{digits} {goal.unit}"


def _range(rounds: Sequence[float]) -> str:
    if not rounds:
        return "-"
    return f"{min(rounds):.3g} … {max(rounds):.3g}"


def _header(*cells: str) -> list[str]:
    return [_line(*cells), _line(*("---" for _ in cells))]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
