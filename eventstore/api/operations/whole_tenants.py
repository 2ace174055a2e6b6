"""``store.tenants.erase`` and ``purge``: a whole tenant, in many transactions.

Whatever ends them on the way, the same call goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from msgspec.structs import replace

from eventstore.api.operations.erasing_pages import FIRST_PLAN, ErasingPages
from eventstore.api.operations.operation import (
    NO_RETENTION_OPTIONS,
    Collected,
    Maintenance,
    Page,
    PageActed,
    Paged,
    PageDone,
    Read,
    RetentionOptions,
    Scope,
    Write,
    write,
)
from eventstore.api.operations.shredding import owners_of_tenant, shredding
from eventstore.api.operations.walking import then
from eventstore.api.operations.wiping import finishing, with_remains
from eventstore.conversation.commands import EraseAll
from eventstore.conversation.store_events import EraseTenant
from eventstore.core import ids
from eventstore.core.events import StreamKey
from eventstore.core.json_values import check_name
from eventstore.errors import InvalidInput, ThreadNotFound
from eventstore.privacy.whole_tenants import (
    TenantErasure,
    erase_other_stream,
    purge_some,
    record_tenant,
    require_tenant,
)
from eventstore.storage.tenant_streams import next_stream_behind
from eventstore.storage.transaction import Transaction
from eventstore.write_path.requests import Appended, AppendRequest
from eventstore.write_path.store_streams import store_stream
from eventstore.write_path.thread_session import Guards

__all__ = ["erase", "purge"]

_START = (-1, b"")


def erase(
    scope: Scope, name: str, *, options: RetentionOptions = NO_RETENTION_OPTIONS
) -> Collected[TenantErasure]:
    """Erase all content of a tenant for good, and return a certificate of it.

    Threads, assistants and streams of your own keep their skeletons; the name of the tenant stays,
    too. It takes a transaction a stream. A call that was interrupted is made again.

    Args:
        name: The tenant; ``""`` is the default one.

    Raises:
        InvalidInput: a value is malformed, or the store is bound to another tenant.
        TenantNotFound: no tenant of this name ever wrote.
    """
    return _of(scope, name, options, purged=False)


def purge(
    scope: Scope, name: str, *, options: RetentionOptions = NO_RETENTION_OPTIONS
) -> Collected[TenantErasure]:
    """Remove everything of a tenant for good, and return a certificate of it.

    Its threads go, forks before their sources, whether or not a run has ended; then assistants and
    streams of your own. Their tombstones stay in the tenant's stream of the category ``store``,
    without reasons. A call that was interrupted is made again.

    Args:
        name: The tenant; ``""`` is the default one.

    Raises:
        InvalidInput: a value is malformed, or the store is bound to another tenant.
        TenantNotFound: no tenant of this name ever wrote.
    """
    return _of(scope, name, options, purged=True)


def _of(
    scope: Scope, name: str, options: RetentionOptions, *, purged: bool
) -> Collected[TenantErasure]:
    if name != "":
        check_name(name, "name")
    if scope.is_tenants and name != scope.tenant:
        raise InvalidInput("name", "is another tenant than that of this store", "Name its own.")
    scope = scope._replace(tenant=name)
    record = EraseTenant(streams=0, purged=purged)
    request = write(scope, store_stream(name), (record,), options.as_write()).request
    assert isinstance(request, AppendRequest)  # noqa: S101 (what write() makes)
    pages = _Tenant(scope, request, purged=purged)

    def report(found: list[Any]) -> TenantErasure:
        made: TenantErasure = next(one for one in found if isinstance(one, TenantErasure))
        return with_remains(made, [one for one in found if isinstance(one, tuple)])

    owners = owners_of_tenant(scope.log.codec, name)
    return shredding(scope.log.codec, owners, Collected(Paged("begin", pages), report))


class _Next(NamedTuple):
    """The streams behind this one are left to erase."""

    after: tuple[int, bytes]


class _Within(NamedTuple):
    """A stream is being erased; ``place`` is one of :class:`ErasingPages`."""

    after: tuple[int, bytes]
    stream: StreamKey
    place: Any


class _Tenant:
    """The steps of the erasure or the purge of a tenant: purged streams leave little to erase."""

    def __init__(self, scope: Scope, request: AppendRequest, *, purged: bool) -> None:
        self._scope = scope
        self._request = request
        self._purged = purged

    def __call__(self, place: object) -> Page[Any]:
        if place == "begin":
            return Read(self._begin)
        if place == "purge":
            return self._write(self._purge)
        if isinstance(place, _Next):
            return Read(partial(self._look, place=place))
        if isinstance(place, _Within):
            return self._within(place)
        return self._write(self._record) if place == "record" else finishing(place)

    def _write(self, act: Callable[[Transaction], Any]) -> Write[Any]:
        return Write(Maintenance(act, alone=True, stream=self._request.stream))

    def _begin(self, tx: Transaction) -> tuple[tuple[()], object]:
        require_tenant(tx, self._scope.tenant)
        return (), "purge" if self._purged else _Next(_START)

    def _purge(self, tx: Transaction) -> PageActed[str]:
        request = replace(self._request, options=Guards())
        made = purge_some(tx, self._scope.log, request)
        if made is None:
            return (), _Next(_START)
        return made.with_result((["purged"], "purge"))

    def _look(self, tx: Transaction, place: _Next) -> tuple[tuple[()], object]:
        found = next_stream_behind(tx, self._scope.tenant, place.after)
        if found is None:
            return (), "record"
        after, stream = found
        return (), _Within(after, stream, FIRST_PLAN if stream.category == ids.THREAD else "plain")

    def _within(self, place: _Within) -> Page[Any]:
        def follow(page: PageDone[Any]) -> PageDone[Any]:
            items, following = page
            if isinstance(following, str | None) and following in {"files", None}:
                return ["erased"], _Next(place.after)
            del items
            return [], place._replace(place=following)

        command = EraseAll(whole=True, keeper=store_stream(self._scope.tenant).id)
        request = replace(self._request, stream=place.stream, commands=(command,), options=Guards())
        if place.place == "plain":
            return then(self._write(partial(self._plain, request=request)), follow)
        return then(_ThreadPages(self._scope.log, request, None)(place.place), follow)

    def _plain(self, tx: Transaction, request: AppendRequest) -> Appended[PageDone[str]]:
        made = erase_other_stream(tx, self._scope.log, replace(request, options=None))
        return made.with_result(([], "parts"))

    def _record(self, tx: Transaction) -> Appended[PageDone[TenantErasure]]:
        made = record_tenant(tx, self._scope.log, self._request, purged=self._purged)
        return made.with_result(([made.result], "parts"))


class _ThreadPages(ErasingPages):
    """The steps in one thread, which may be purged meanwhile."""

    def _at_once(self, tx: Transaction) -> PageActed[object]:
        try:
            return super()._at_once(tx)
        except ThreadNotFound:
            return Appended(([], "parts"), 0, ())
