"""The commands of ``eventstore keys``: master keys, and which of them wraps what."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import typer
from rich.text import Text

from eventstore.cli.framework import AsJson, Commands, Program, app, examples
from eventstore.cli.opening import DEFAULT, Database, existing
from eventstore.cli.output import errors, print_json, screen
from eventstore.encryption import new_master_key

__all__ = ["key_commands"]

key_commands: Final = Program(
    cls=Commands,
    name="keys",
    help="Make master keys, rotate them, and see which one is in use.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(key_commands)


@key_commands.command(epilog=examples("keys generate > master.key"))
def generate() -> None:
    """Print a new master key: 32 random bytes in Base64.

    Keep it away from the database and from the key store. Without it nothing can be read.
    """
    sys.stdout.write(f"{new_master_key()}\n")


@key_commands.command(epilog=examples("keys status --keys keys.db --master-key master.key"))
def status(*, database: Database = DEFAULT, as_json: AsJson = False) -> None:
    """Count the data keys by the master key that wraps them."""
    with existing(database) as store:
        found = store.keys.status()
    if as_json:
        print_json([found.model_dump_json()])
        return
    for master, count in found.keys.items():
        now = "  wraps new ones" if master == found.master_key else ""
        screen().print(Text(f"{master}  {count} data keys{now}"))
    if not found.keys:
        screen().print(Text(f"{found.master_key}  no data keys yet"))
    if found.problem is not None:
        errors().print(Text(found.problem, style="red"))
        raise typer.Exit(1)


@key_commands.command(
    epilog=examples("keys rotate --keys keys.db --master-key new.key --reason yearly")
)
def rotate(
    *,
    database: Database = DEFAULT,
    actor: Annotated[str | None, typer.Option(metavar="ID", help="Who does it.")] = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="The reason.")] = None,
    as_json: AsJson = False,
) -> None:
    """Wrap every data key by the master key given; content stays as it is.

    EVENTSTORE_FORMER_MASTER_KEY holds the former master key. The command may be repeated.
    """
    with existing(database) as store:
        made = store.keys.rotate(actor=actor, reason=reason)
    if as_json:
        print_json([made.model_dump_json()])
    else:
        screen().print(Text(f"{made.keys} data keys are wrapped by {made.master_key} now"))
