"""Constraints that somebody adds to the tables, and one writer of many who meets them.

Needs ``opened()``, which gives a store, and ``run(sql)``, which changes its database.
"""

import math
from collections import Counter
from threading import Thread
from typing import Any, ClassVar

import pytest

from eventstore import StoreUnavailable
from eventstore.write_path.transaction_runner import TransactionRunner
from tests.concurrency.schedules import SECONDS

WRITERS = 8
EACH = 5
TRIES_ALONE = 3
"""Of a request that a unique key refuses, where that may be a race."""

UNIQUE = "CREATE UNIQUE INDEX planted ON thread_metadata (key, value) WHERE key = 'k:note'"
FORBIDDEN = {"note": "open-sesame"}


class Refusing:
    """One request in many breaks a constraint: it alone hears of it, and soon."""

    tries_alone = 1
    check: str
    """SQL that forbids what `FORBIDDEN` says."""
    named: ClassVar[dict[str, str]]
    """What an error says of each kind of constraint."""
    run: Any

    def opened(self) -> Any:
        raise NotImplementedError

    @pytest.fixture
    def batches(self, monkeypatch):
        """The tenants of the requests of each transaction that was begun."""
        begun = []
        perform = TransactionRunner.__call__

        def performing(runner, tx, requests, patient=True):  # noqa: FBT002
            begun.append([one.stream.tenant for one in requests])
            return perform(runner, tx, requests, patient)

        monkeypatch.setattr(TransactionRunner, "__call__", performing)
        return begun

    @pytest.mark.parametrize("kind", ["unique", "check"])
    def test_a_constraint_is_the_error_of_the_request_that_breaks_it(self, batches, kind):
        with self.opened() as store:
            store.tenant("first").threads.create(metadata=FORBIDDEN)
            self.run(UNIQUE if kind == "unique" else self.check)
            batches.clear()
            heard: dict[str, list[Exception | None]] = {"mallory": [], "others": []}

            def work(tenant, who, metadata):
                bound = store.tenant(tenant)
                for number in range(EACH):
                    try:
                        bound.threads.create(metadata=metadata(f"{tenant} {number}"))
                    except Exception as error:  # noqa: BLE001 (whatever it is)
                        heard[who].append(error)
                    else:
                        heard[who].append(None)

            writers = [
                Thread(target=work, args=(f"t{n}", "others", lambda name: {"name": name}))
                for n in range(WRITERS)
            ]
            writers.append(Thread(target=work, args=("mallory", "mallory", lambda _: FORBIDDEN)))
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join(SECONDS)
            assert heard["others"] == [None] * WRITERS * EACH
            assert len(heard["mallory"]) == EACH
            for error in heard["mallory"]:
                assert isinstance(error, StoreUnavailable), error
                assert error.reason == "constraint"
                assert "sesame" not in str(error)
                assert self.named[kind] in str(error)
            hers = Counter(len(batch) for batch in batches if "mallory" in batch)
            halved = EACH * math.ceil(math.log2(WRITERS + 1))
            assert sum(hers.values()) <= halved + EACH * TRIES_ALONE
            assert hers[1] == EACH * (self.tries_alone if kind == "unique" else 1)
            assert list(store.tenant("mallory").threads.list()) == []
            assert store.projections.compare().ok
