"""The laws hold wherever content stands, so here a good part of it stands apart from its event."""

import pytest

from eventstore.storage import blobs
from tests.laws.examples import IN_ROW_BYTES_MAX


@pytest.fixture(autouse=True, scope="package")
def _content_apart():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blobs, "IN_ROW_BYTES_MAX", IN_ROW_BYTES_MAX)
        yield
