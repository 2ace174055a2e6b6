"""The options that say where keys are, and the encryption that they mean."""

from __future__ import annotations

import os
from typing import Annotated, Any, Final, NamedTuple

import typer

from eventstore import InvalidInput
from eventstore.encryption import DatabaseKeys, Encryption, LocalMasterKey, SqliteKeys

__all__ = ["KEY_OPTIONS", "NO_KEYS", "KeysGiven"]

_HELP: Final = "Encryption"
_IN_DATABASE: Final = "database"
_VARIABLE: Final = "EVENTSTORE_MASTER_KEY"
_FORMER: Final = "EVENTSTORE_FORMER_MASTER_KEY"


class KeysGiven(NamedTuple):
    """The values of the options."""

    keys: str | None
    """Path of a key store, or ``database``."""
    master_key: str | None
    """Path of a file with the master key."""

    def encryption(self) -> Encryption | None:
        """Return the encryption to open a store with; None if no option and no variable is set.

        Raises:
            InvalidInput: one of both is missing, or is no key.
        """
        text = os.environ.get(_VARIABLE, "").strip()
        if self.keys is None and self.master_key is None and not text:
            return None
        if self.keys is None:
            raise InvalidInput(
                "--keys", "is missing", f"Give a file, or {_IN_DATABASE!r}; or set EVENTSTORE_KEYS."
            )
        if self.master_key is None and not text:
            raise InvalidInput("--master-key", "is missing", f"Give a file, or set {_VARIABLE}.")
        master = (
            LocalMasterKey(text)
            if self.master_key is None
            else LocalMasterKey.from_file(self.master_key)
        )
        former = os.environ.get(_FORMER, "").strip()
        return Encryption(
            master,
            DatabaseKeys() if self.keys == _IN_DATABASE else SqliteKeys(self.keys),
            former_master_keys=[LocalMasterKey(former)] if former else [],
            may_store_words=["search"],  # a command only asks one that the application made
        )


NO_KEYS: Final = KeysGiven(None, None)

KEY_OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "keys": (
        Annotated[
            str | None,
            typer.Option(
                "--keys",
                metavar="FILE",
                envvar="EVENTSTORE_KEYS",
                help="The key store of a store with encryption, or 'database'.",
                rich_help_panel=_HELP,
            ),
        ],
        None,
    ),
    "master_key": (
        Annotated[
            str | None,
            typer.Option(
                "--master-key",
                metavar="FILE",
                envvar="EVENTSTORE_MASTER_KEY_FILE",
                help="The file of its master key; or set EVENTSTORE_MASTER_KEY to the key.",
                rich_help_panel=_HELP,
            ),
        ],
        None,
    ),
}
