"""A server whose answers a test writes, and a model that asks it without pauses."""

from contextlib import contextmanager

import pytest

from eventstore import Message
from eventstore.core.trusted import trusted
from eventstore.engine.models import ModelRequest
from eventstore.engine.models.openai_chat import OpenAIModel
from eventstore.engine.models.retrying import Retries
from eventstore.testing.model_server import ModelServer

KEY = "sk-very-secret"


def message(role, *parts, **fields):
    """A message as a store returns it, of which a model sees this much."""
    absent = dict.fromkeys(Message.model_fields)
    return trusted(Message, {**absent, "id": "msg_0", "role": role, "content": parts, **fields})


@pytest.fixture
def pauses():
    """The seconds that the retries waited, without waiting."""
    return []


@pytest.fixture
def serving(pauses):
    """Return a server with a script, and a model that asks it."""

    async def sleep(seconds):
        pauses.append(seconds)

    @contextmanager
    def serve(script, **options):
        with ModelServer(script, key=KEY) as server:
            given = {"base_url": server.base_url, "api_key": KEY, "timeout_seconds": 20}
            yield server, OpenAIModel("tiny", retries=Retries(sleep=sleep), **{**given, **options})

    return serve


async def asked(model, request=None, *, events=None):
    """Ask once, close the model, and return the events."""
    events = [] if events is None else events
    try:
        async for event in model.stream(request or ModelRequest("tiny", (message("user"),))):
            events.append(event)
    finally:
        await model.aclose()
    return events
