"""Models: the protocol, a scripted one, and adapters to those of providers.

The adapters are ``OpenAIModel`` in ``eventstore.engine.models.openai_chat`` (extra ``openai``) and
``PydanticAIModel`` in ``eventstore.engine.models.pydantic_ai`` (extra ``pydantic-ai``).
"""

from eventstore.engine.models.answers import content_of
from eventstore.engine.models.estimate import Estimate, estimate_message, estimate_tokens
from eventstore.engine.models.protocol import (
    Finished,
    Model,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
    ToolCall,
    Usage,
)
from eventstore.engine.models.registry import Endpoint, Models, PydanticAI
from eventstore.engine.models.scripted import Answer, Gate, ScriptedModel

__all__ = [
    "Answer",
    "Endpoint",
    "Estimate",
    "Finished",
    "Gate",
    "Model",
    "ModelEvent",
    "ModelRequest",
    "Models",
    "PydanticAI",
    "ReasoningDelta",
    "RefusalDelta",
    "ScriptedModel",
    "TextDelta",
    "ToolCall",
    "Usage",
    "content_of",
    "estimate_message",
    "estimate_tokens",
]
