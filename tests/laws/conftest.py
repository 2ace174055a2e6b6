"""The laws hold wherever content stands, so here a good part of it stands apart from its event.

They hold with encryption, too: with ``LAWS_SEALED=1`` every store of these tests has it.
"""

import os

import pytest

from eventstore import AsyncConversationStore, ConversationStore
from eventstore.storage import blobs
from tests.encryption.vaults import in_the_database
from tests.laws.examples import IN_ROW_BYTES_MAX

SEALED = os.environ.get("LAWS_SEALED") == "1"


@pytest.fixture(autouse=True, scope="package")
def _content_apart():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blobs, "IN_ROW_BYTES_MAX", IN_ROW_BYTES_MAX)
        yield


@pytest.fixture(autouse=True, scope="package")
def _sealed():
    """Give every store encryption that was opened without, if it was asked for."""
    with pytest.MonkeyPatch.context() as patch:
        for face in (ConversationStore, AsyncConversationStore) if SEALED else ():
            patch.setattr(face, "open", classmethod(sealing(face.__dict__["open"].__func__)))
        yield


def sealing(opening):
    """Return ``open`` with encryption, whose keys stand in the database."""

    def opened(face, target, **options):
        options.setdefault("encryption", in_the_database(may_store_words=["search", "usage"]))
        return opening(face, target, **options)

    return opened
