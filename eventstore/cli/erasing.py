"""The commands that remove data for good: ``erase`` and ``purge``.

Both first show the data to remove, and ask. This output goes to stderr with the question, so that
stdout holds only the certificate. Without a terminal to ask they require ``--yes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from eventstore import ConversationStore, Erasure
from eventstore.api.operations import Read
from eventstore.api.operations.erasing_persons import subject_key
from eventstore.api.operations.loaders import thread_key
from eventstore.cli.asking import Actor, Everything, Given, Reason, Yes, ask
from eventstore.cli.certificates import (
    print_certificate,
    print_erasure_ahead,
    print_person_ahead,
    print_purge_ahead,
    print_tombstone,
)
from eventstore.cli.erasing_tenants import whole_tenant
from eventstore.cli.framework import AsJson, app, examples
from eventstore.cli.opening import (
    DEFAULT,
    Database,
    existing,
    find_message,
    find_stream,
    find_thread,
)
from eventstore.cli.output import errors, print_json, screen
from eventstore.conversation.commands import EraseAll, EraseContent, Included
from eventstore.conversation.commands.purging import check_purge
from eventstore.core import ids
from eventstore.privacy.erasure import foresee
from eventstore.storage.interning import find_tenant
from eventstore.storage.subjects import size_of
from eventstore.storage.transaction import Transaction
from eventstore.threads.forks import direct_forks, forks_below
from eventstore.threads.stored_thread import StoredThread
from eventstore.write_path.requests import AppendRequest

__all__ = ["erase", "purge"]


class _Include(StrEnum):
    EDITS = "edits"
    RUN = "run"


class _Forks(StrEnum):
    REFUSE = "refuse"
    PURGE = "purge"


@app.command(
    epilog=examples(
        'erase 019ab3 5d6e7f --reason "request 17"',
        "erase 019ab3 5d6e7f --include edits --include run",
        "erase --thread 019ab3",
        "erase --subject user_17 --yes --json > certificate.json",
        "erase --everything --tenant acme",
    )
)
def erase(
    thread: Annotated[
        str | None,
        typer.Argument(metavar="THREAD", help="The thread's id, or a unique prefix of it."),
    ] = None,
    message: Annotated[
        str | None,
        typer.Argument(
            metavar="MESSAGE",
            help="The message's id, or a unique prefix or suffix of it.",
        ),
    ] = None,
    *,
    database: Database = DEFAULT,
    whole: Annotated[
        str | None,
        typer.Option("--thread", metavar="ID", help="Erase the content of this whole thread."),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Erase a person, in all threads: what has this subject."),
    ] = None,
    everything: Everything = False,
    include: Annotated[
        list[_Include] | None,
        typer.Option(
            help="Also erase its edits (edits), or what runs that wrote or saw it recorded (run)."
            " Repeat for both."
        ),
    ] = None,
    reason: Reason = None,
    actor: Actor = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Permanently erase the words of a message, a thread or a person, and print a certificate.

    The words cannot be recovered, in forks neither; messages keep their places, marked as erased.

    Erasing again adds no event, but finishes anything still pending or interrupted.
    """
    _check_one_of(thread, message, whole, subject, everything=everything)
    given = Given(reason=reason, actor=actor)
    if everything:
        whole_tenant(database, given, purge=False, yes=yes, as_json=as_json)
        return
    with existing(database) as store:
        if subject is not None:
            made = _erase_person(store, subject, given, yes=yes)
        elif whole is not None:
            made = _erase_thread(store, whole, given, yes=yes)
        else:
            made = _erase_message(store, thread or "", message or "", include or (), given, yes=yes)
        if as_json:
            print_json([made.model_dump_json()])
        else:
            print_certificate(screen(), made)


def _check_one_of(
    thread: str | None,
    message: str | None,
    whole: str | None,
    subject: str | None,
    *,
    everything: bool,
) -> None:
    """Refuse arguments that do not go together.

    Raises:
        BadParameter: says what to give.
    """
    if (thread is not None) + (whole is not None) + (subject is not None) + everything != 1:
        raise typer.BadParameter(
            "Give THREAD and MESSAGE, or one of --thread, --subject and --everything."
        )
    if (thread is None) is not (message is None):
        raise typer.BadParameter(
            "Missing. For all messages of a thread: --thread.", param_hint="MESSAGE"
        )


def _erase_message(
    store: ConversationStore,
    thread: str,
    message: str,
    include: Sequence[_Include],
    given: Given,
    *,
    yes: bool,
) -> Erasure:
    thread_id = find_thread(store, thread)
    message_id = find_message(store, thread_id, message)
    wanted: tuple[Included, ...] = tuple(one.value for one in include)
    if not yes:
        key = ids.parse(ids.MESSAGE, message_id, "MESSAGE")
        _show_erasure_ahead(store, thread_id, message_id, EraseContent((key,), wanted))
        ask("Erase it for good?")
    return store.privacy.erase(thread_id, message_id, include=wanted, **given)


def _erase_thread(
    store: ConversationStore,
    thread: str,
    given: Given,
    *,
    yes: bool,
) -> Erasure:
    thread_id = find_thread(store, thread)
    if not yes:
        _show_erasure_ahead(store, thread_id, None, EraseAll(whole=True))
        ask("Erase it for good?")
    return store.privacy.erase(thread_id, **given)


def _erase_person(
    store: ConversationStore,
    subject: str,
    given: Given,
    *,
    yes: bool,
) -> Erasure:
    if not yes:
        _show_person_ahead(store, subject)
        ask("Erase it for good?")
    return store.privacy.erase(subject=subject, **given)


def _show_person_ahead(store: ConversationStore, subject: str) -> None:
    tenant = store.scope.tenant
    key = subject_key(tenant, subject)
    streams, events = store.perform(Read(lambda tx: size_of(tx, tenant, key)))
    print_person_ahead(errors(), ids.show(ids.SUBJECT, key), streams, events)


def _show_erasure_ahead(
    store: ConversationStore,
    thread_id: str,
    message_id: str | None,
    command: EraseContent | EraseAll,
) -> None:
    request = AppendRequest(thread_key(store.scope, thread_id), (command,))
    ahead = store.perform(Read(lambda tx: foresee(tx, store.scope.log, request)))
    shown = None
    if message_id is not None and not store.threads.get(thread_id, include_deleted=True).deleted:
        shown = store.messages.get(thread_id, message_id, include_deleted=True)
    print_erasure_ahead(errors(), thread_id, shown, ahead)


@app.command(
    epilog=examples(
        'purge 019ab3 --reason "request 17"',
        "purge 019ab3 --forks purge",
        "purge 019ab3 --yes --json > tombstone.json",
        "purge --everything --tenant acme",
    )
)
def purge(
    thread: Annotated[
        str | None,
        typer.Argument(metavar="THREAD", help="The thread's id, or a unique prefix of it."),
    ] = None,
    *,
    database: Database = DEFAULT,
    everything: Everything = False,
    forks: Annotated[
        _Forks,
        typer.Option(help="If there are forks: refuse, or purge them and their forks as well."),
    ] = _Forks.REFUSE,
    reason: Reason = None,
    actor: Actor = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Permanently remove a thread and everything stored about it, and print its tombstone.

    It cannot be recovered, and its id can never be used again.

    Purging it again, by its whole id, prints the same tombstone.
    """
    if (thread is not None) + everything != 1:
        raise typer.BadParameter("Give THREAD, or --everything.")
    if thread is None:
        given = Given(reason=reason, actor=actor)
        whole_tenant(database, given, purge=True, yes=yes, as_json=as_json)
        return
    with existing(database) as store:
        thread_id = find_stream(store, thread)
        if not yes:
            ahead = store.perform(Read(lambda tx: _foresee(tx, store, thread_id, forks)))
            if ahead is not None:
                print_purge_ahead(errors(), store, thread_id, *ahead)
                ask("Remove it for good?")
        made = store.privacy.purge(
            thread_id, forks=forks.value, **Given(reason=reason, actor=actor)
        )
    if as_json:
        print_json([made.model_dump_json()])
    else:
        print_tombstone(screen(), made)


def _foresee(
    tx: Transaction, store: ConversationStore, thread_id: str, forks: _Forks
) -> tuple[int, list[str]] | None:
    """Return the number of events and the forks to purge; None if there is no thread.

    Raises:
        Refused: as the purge would be.
    """
    scope, key = store.scope, thread_key(store.scope, thread_id)
    tenant = find_tenant(tx, scope.tenant)
    view = StoredThread(tx, scope.log, scope.tenant, key.id)
    if tenant is None or view.thread is None:
        return None
    along = forks_below(tx, tenant, key.id) if forks is _Forks.PURGE else []
    check_purge(view, view.thread, [] if along else direct_forks(tx, tenant, key.id))
    return view.thread.version, [ids.show(ids.THREAD, fork) for fork in along]
