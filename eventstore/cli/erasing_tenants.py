"""The erasure and the purge of a whole tenant, for ``erase`` and ``purge --everything``."""

from __future__ import annotations

from eventstore.api.operations import whole_tenants
from eventstore.api.operations.operation import RetentionOptions
from eventstore.cli.asking import Given, ask
from eventstore.cli.certificates import print_tenant_ahead, print_tenant_certificate
from eventstore.cli.opening import existing
from eventstore.cli.output import errors, print_json, progress, screen

__all__ = ["whole_tenant"]


def whole_tenant(
    database: str,
    given: Given,
    *,
    purge: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase or purge the tenant of a store, with a progress bar that counts streams."""
    with existing(database) as store:
        name = store.scope.tenant
        sizes = {one.name: one for one in store.tenants.list()}
        if not yes and name in sizes:
            print_tenant_ahead(errors(), sizes[name], purge=purge)
            ask("Remove it for good?" if purge else "Erase it for good?")
        act = whole_tenants.purge if purge else whole_tenants.erase
        work = act(store.scope, name, options=RetentionOptions(**given))
        done = list[object]()
        with progress() as bar:
            total = sizes[name].streams if name in sizes else None
            task = bar.add_task("purging" if purge else "erasing", total=total)
            for one in store._runner.each(work.walk):  # noqa: SLF001 (it counts as it goes)
                done.append(one)
                bar.advance(task, int(isinstance(one, str)))
        made = work.report(done)
    if as_json:
        print_json([made.model_dump_json()])
    else:
        print_tenant_certificate(screen(), made)
