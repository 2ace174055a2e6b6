"""Gives every command that opens a store the options that say which: tenant, prefix and schema.

A command has a parameter ``database``. :func:`with_tenants` adds the options to its signature, and
passes a :class:`Target` on, so no command deals with them. With ``--all-tenants`` it runs once for
each tenant; a command that names a THREAD runs for the tenant that has it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated, Any, Final, get_type_hints

import typer
from rich.text import Text

from eventstore import InvalidInput, SubjectNotFound, ThreadNotFound
from eventstore.api.operations import Read
from eventstore.api.operations.loaders import thread_key
from eventstore.cli.encrypting import KEY_OPTIONS, KeysGiven
from eventstore.cli.opening import Target, existing, find_stream
from eventstore.cli.output import errors, of_tenant, one_line
from eventstore.storage.stream_heads import head_version
from eventstore.storage.tenant_sizes import tenant_names

__all__ = ["with_tenants"]

_HELP: Final = "Which store"
_OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "tenant": (
        Annotated[
            str | None,
            typer.Option(
                metavar="NAME",
                envvar="EVENTSTORE_TENANT",
                help="The tenant; the default one if omitted.",
                rich_help_panel=_HELP,
            ),
        ],
        None,
    ),
    "all_tenants": (
        Annotated[
            bool,
            typer.Option(
                "--all-tenants",
                help="Do it for every tenant, or for the one that has THREAD.",
                rich_help_panel=_HELP,
            ),
        ],
        False,
    ),
    "prefix": (
        Annotated[
            str,
            typer.Option(
                metavar="TEXT",
                envvar="EVENTSTORE_PREFIX",
                help="The beginning of the tables' names.",
                rich_help_panel=_HELP,
            ),
        ],
        "",
    ),
    "schema": (
        Annotated[
            str | None,
            typer.Option(
                metavar="NAME",
                envvar="EVENTSTORE_SCHEMA",
                help="The database schema of the tables (PostgreSQL).",
                rich_help_panel=_HELP,
            ),
        ],
        None,
    ),
    **KEY_OPTIONS,
}


def with_tenants(function: Callable[..., Any], *, each: bool = True) -> Callable[..., Any]:
    """Return a command with the options; ``each`` is False if it writes to one tenant alone."""
    signature = inspect.signature(function)
    database = signature.parameters.get("database")
    if database is None or database.default is None:  # the demo makes a file of its own
        return function

    @wraps(function)
    def run(
        *,
        tenant: str | None,
        all_tenants: bool,
        prefix: str,
        schema: str | None,
        keys: str | None,
        master_key: str | None,
        database: str,
        **given: object,
    ) -> None:
        if all_tenants and (tenant is not None or not each):
            problem = "give one of --tenant and --all-tenants" if each else "name one: --tenant"
            raise typer.BadParameter(problem, param_hint="--all-tenants")
        target = Target(
            database,
            tenant=tenant or "",
            prefix=prefix,
            schema=schema,
            keys=KeysGiven(keys, master_key),
        )
        if all_tenants:
            _run_for_each(function, target, given)
        else:
            function(database=target, **given)

    extra = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint)
        for name, (hint, default) in _OPTIONS.items()
    ]
    hints = get_type_hints(function, include_extras=True)
    known = [one.replace(annotation=hints[one.name]) for one in signature.parameters.values()]
    run.__signature__ = signature.replace(parameters=[*known, *extra])  # type: ignore[attr-defined]
    run.__annotations__ = {**hints, **{name: hint for name, (hint, _) in _OPTIONS.items()}}
    del run.__wrapped__  # or its own signature would be read
    return run


def _run_for_each(
    function: Callable[..., Any], target: Target, given: Mapping[str, object]
) -> None:
    with existing(target) as store:
        names = store.perform(Read(tenant_names))
    thread = given.get("thread") or given.get("whole")
    if isinstance(thread, str):
        names = [name for name in names if _has(target.of(name), thread)]
        if len(names) > 1:
            listed = ", ".join(repr(one_line(name, 40)) for name in names[:5])
            raise InvalidInput(
                "THREAD", f"{thread!r} begins ids of several tenants", f"Name one of {listed}."
            )
    status, unknown = 0, list[SubjectNotFound]()
    for name in names or ([""] if thread is not None else []):
        try:
            with of_tenant(name, heading=given.get("as_json") is not True):
                function(database=target.of(name), **given)
        except typer.Exit as ended:
            status = max(status, ended.exit_code)
        except SubjectNotFound as error:  # a person need not have written in each of them
            unknown.append(error)
    if unknown and len(unknown) == len(names):
        raise unknown[0]
    if not names and thread is None:
        errors().print(Text("there is no tenant: nothing was ever written", style="yellow"))
        status = 1
    if status:
        raise typer.Exit(status)


def _has(target: Target, thread: str) -> bool:
    with existing(target) as store:
        try:
            key = thread_key(store.scope, find_stream(store, thread))
        except ThreadNotFound:
            return False
        except InvalidInput:  # several threads begin so
            return True
        return store.perform(Read(lambda tx: head_version(tx, key))) > 0
