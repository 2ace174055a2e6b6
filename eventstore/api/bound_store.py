"""The part of a store that both faces share: binding it to a tenant or an actor, and its counts."""

from __future__ import annotations

from typing import Generic, Self, TypeVar

from eventstore.api.operations.metrics import Counters
from eventstore.api.operations.operation import Scope
from eventstore.core.json_values import check_name

__all__ = ["BoundStore"]

E = TypeVar("E")


class BoundStore(Generic[E]):
    """An executor, and the tenant and actor in whose name it is used."""

    def __init__(self, executor: E, scope: Scope) -> None:
        """Use ``open`` of a store."""
        self._executor = executor
        self.scope = scope
        """Tenant, actor and correlation of every call."""

    def tenant(self, name: str) -> Self:
        """Return this store bound to a tenant. Other tenants' ids are unknown to it.

        Args:
            name: Name of the tenant, up to 255 characters. Its first write makes it.

        Raises:
            InvalidInput: the name is malformed.
        """
        return self._bound(
            self.scope._replace(tenant=name if name == "" else check_name(name, "tenant"))
        )

    def acting(
        self,
        *,
        actor: str | None = None,
        correlation_id: str | None = None,
        causation_id: str | None = None,
    ) -> Self:
        """Return this store bound to an actor; every event that it writes names the actor.

        Closing a bound store closes the store.

        Args:
            actor: Opaque id of whoever acts, up to 255 characters; kept for ever.
            correlation_id: Id that everything belonging together shares, up to 255 characters.
            causation_id: Id of the event or request that led to these writes, up to 255 characters.

        Raises:
            InvalidInput: an id is malformed.
        """
        return self._bound(self.scope.acting(actor, correlation_id, causation_id))

    def _bound(self, scope: Scope) -> Self:
        return type(self)(self._executor, scope)

    def counters(self) -> Counters:
        """Return counts of the writes of this store so far, in this process."""
        return self.scope.metrics.counters()
