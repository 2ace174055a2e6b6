"""The commands of ``eventstore audit``: keys, tree heads, and evidence."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.text import Text

from eventstore import InvalidInput, TreeHead
from eventstore.audit import evidence_verifier
from eventstore.audit.signing import new_private_key, signer_of
from eventstore.cli.framework import AsJson, Commands, Program, app, examples
from eventstore.cli.opening import DEFAULT, Database, ThreadPrefix, existing, find_thread
from eventstore.cli.output import errors, print_json, screen, when

__all__ = ["audit_commands"]

audit_commands: Final = Program(
    cls=Commands,
    name="audit",
    help="Sign the log, and export evidence that others can verify on their own.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(audit_commands)

KeyFile = Annotated[
    Path,
    typer.Option(
        "--key",
        metavar="FILE",
        envvar="EVENTSTORE_SIGNING_KEY",
        help="The private key, as 'eventstore audit keygen' writes it.",
    ),
]
OutFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write here instead of to standard output."),
]


@audit_commands.command(epilog=examples("audit keygen signing.pem"))
def keygen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file for the private key.")],
) -> None:
    """Make a key that signs tree heads; print its public key, 64 hex digits.

    Keep the file away from the database: whoever has both can sign what they changed.
    """
    made = new_private_key()
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise typer.BadParameter(
            f"cannot make the file: {error.strerror}", param_hint="FILE"
        ) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(made)
    sys.stdout.write(f"{signer_of(made).public_key.hex()}\n")


@audit_commands.command(epilog=examples("audit sign --key signing.pem --out heads/today.json"))
def sign(*, database: Database = DEFAULT, key: KeyFile, out: OutFile = None) -> None:
    """Sign a tree head over the whole store, and print it. Keep it elsewhere."""
    with existing(database) as store:
        head = store.audit.sign_tree_head(_read(key, "--key"))
    _write(out, head.as_json().encode())


@audit_commands.command(epilog=examples("audit heads", "audit heads --json"))
def heads(*, database: Database = DEFAULT, as_json: AsJson = False) -> None:
    """List the tree heads that were signed, the newest first."""
    with existing(database) as store:
        found = store.audit.tree_heads()
    if as_json:
        print_json(one.model_dump_json() for one in found)
        return
    for one in found:
        said = f"{when(one.issued_at)}  {one.size:>9} leaves  key {one.key_id}  {one.root}"
        screen().print(Text(said), soft_wrap=True)
    if not found:
        errors().print(Text("no tree head was signed", style="dim"))


@audit_commands.command(
    epilog=examples("audit export 019ab3 --key signing.pem --out evidence.json")
)
def export(
    thread: ThreadPrefix,
    *,
    database: Database = DEFAULT,
    key: KeyFile,
    out: OutFile = None,
) -> None:
    """Export evidence of a thread: its events, a signed head that covers them, and a transcript.

    Anyone can verify the file with Python alone: 'eventstore audit verifier' prints the program.
    """
    with existing(database) as store:
        made = store.audit.export(find_thread(store, thread), _read(key, "--key"))
    _write(out, made)


@audit_commands.command(epilog=examples("audit verifier > verify_evidence.py"))
def verifier() -> None:
    """Print the program that verifies evidence: one file, which needs nothing but Python."""
    sys.stdout.write(Path(evidence_verifier.__file__).read_text(encoding="utf-8"))


def read_head(file: Path) -> TreeHead:
    """Return the tree head of a file."""
    return TreeHead.parse(_read(file, "--tree-head"))


def read_public_key(given: str) -> bytes:
    """Return a public key, given as hex digits or as a file of them."""
    try:
        return evidence_verifier.public_key_of(given)
    except (OSError, ValueError, evidence_verifier.Rejected):
        raise InvalidInput(
            "public_key", "is no public key", "Give 64 hex digits, or a file that holds them."
        ) from None


def _read(file: Path, option: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        problem = f"cannot read {str(file)!r}: {error.strerror}"
        raise typer.BadParameter(problem, param_hint=option) from None


def _write(out: Path | None, made: bytes) -> None:
    if out is None:
        sys.stdout.write(made.decode())
        return
    try:
        out.write_bytes(made)
    except OSError as error:
        problem = f"cannot write {str(out)!r}: {error.strerror}"
        raise typer.BadParameter(problem, param_hint="--out") from None
