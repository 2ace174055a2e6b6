"""Models: the protocol, a scripted one, and adapters to those of providers."""

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
from eventstore.engine.models.scripted import Answer, Gate, ScriptedModel

__all__ = [
    "Answer",
    "Estimate",
    "Finished",
    "Gate",
    "Model",
    "ModelEvent",
    "ModelRequest",
    "ReasoningDelta",
    "RefusalDelta",
    "ScriptedModel",
    "TextDelta",
    "ToolCall",
    "Usage",
    "estimate_message",
    "estimate_tokens",
]
