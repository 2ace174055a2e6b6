"""The program that all commands belong to, and its handling of errors.

A refusal by the library prints a line or two and ends with status 1; wrong usage ends with 2
(``standard_output.py`` handles output that cannot be written). Neither shows a message's text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from eventstore import ConversationStoreError
from eventstore.cli.naming import as_typed, typed_names
from eventstore.cli.output import error_text, errors, tolerate_any_encoding
from eventstore.cli.tenancy import with_tenants

__all__ = ["AsJson", "Commands", "Program", "app", "examples"]


_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Command(TyperCommand):
    """A command whose flags are shown without a type: they take no value."""

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 (the same)
        return _without_types(super().get_params(ctx))


class Commands(TyperGroup):
    """Turns errors of the library into a readable line and status 1."""

    panels: ClassVar[Mapping[str, Sequence[str]]] = {}
    """The names of the program's commands in the order of its help, by heading."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 (the same)
        names: list[str] = super().list_commands(ctx)
        if ctx.parent is not None:
            return names
        heading = {name: panel for panel, these in self.panels.items() for name in these}
        for name in names:
            self.commands[name].rich_help_panel = heading.get(name)  # type: ignore[attr-defined]
        order = [*heading]
        return sorted(names, key=lambda name: order.index(name) if name in heading else len(order))

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 (the same)
        return _without_types(super().get_params(ctx))

    def invoke(self, ctx: Any) -> object:  # noqa: ANN401 (the framework's own context)
        tolerate_any_encoding()
        try:
            return super().invoke(ctx)
        except ConversationStoreError as error:
            command = self.get_command(ctx, ctx.invoked_subcommand)
            said = as_typed(error, {} if command is None else typed_names(command))
            errors().print(error_text(error, said), soft_wrap=True)
            raise typer.Exit(1) from None


def _without_types(params: list[Any]) -> list[Any]:
    for one in params:
        if getattr(one, "is_flag", False):
            one.metavar = ""
    return params


class Program(typer.Typer):
    """A group of commands whose flags are shown without a type."""

    def command(self, *args: Any, each: bool = True, **options: Any) -> Callable[..., Any]:  # noqa: ANN401
        """Add a command; ``each`` is False if --all-tenants makes no sense for it."""
        adding = super().command(*args, **{"cls": _Command, **options})

        def add(function: _Function) -> _Function:
            adding(with_tenants(function, each=each))
            return function

        return add


app: Final = Program(
    cls=Commands,
    name="eventstore",
    help="Inspect stored conversations: their threads, branches and events, as they are now"
    " and as they were. Import, erase and purge them, and check their tables.",
    epilog="Begin with: eventstore demo",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,  # its tracebacks show local variables, which hold messages
    context_settings={"help_option_names": ["-h", "--help"]},
)


AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]


def examples(*lines: str) -> str:
    """Return the examples at the end of a command's help."""
    return "\n\n".join(["[bold]Examples[/bold]", *(f"$ eventstore {line}" for line in lines)])


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (called by the framework)
    if wanted:
        typer.echo(f"conversation-eventstore {version('conversation-eventstore')}")
        raise typer.Exit


@app.callback()
def _start(
    *,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass
