"""An event-sourced conversation store: threads, branches and runs to replay, audit and prove.

::

    from eventstore import ConversationStore

    with ConversationStore.open("sqlite:///chat.db") as store:
        thread = store.threads.create()
        question = store.messages.create(thread.id, role="user", content="Why is the sky blue?")
        store.messages.edit(thread.id, question.id, content="Why are sunsets red?")
"""

from eventstore.api.async_store import AsyncConversationStore
from eventstore.api.batches import Batch
from eventstore.api.faces.following import Following
from eventstore.api.faces.handles import Handle
from eventstore.api.faces.pages import AsyncPage, Page
from eventstore.api.faces.recorded import AsyncRecordedRun, RecordedRun
from eventstore.api.operations.events import Receipt
from eventstore.api.operations.metrics import AppendNotice, Counters
from eventstore.api.operations.operation import EMPTY, UNSET
from eventstore.api.operations.projections import CompareReport, RebuildReport
from eventstore.api.operations.tenants import Tenant
from eventstore.api.store import ConversationStore
from eventstore.audit import (
    AuditFinding,
    ConsistencyProof,
    InclusionProof,
    TrailEntry,
    TreeHead,
    VerifyReport,
)
from eventstore.conversation.changes import Change
from eventstore.conversation.parts import (
    DataPart,
    FilePart,
    ImagePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from eventstore.conversation.provider_form import ProviderForm
from eventstore.conversation.run_events import (
    MessageDelta,
    MessageEnded,
    MessageStarted,
    RunChanged,
    RunEvent,
    StepChanged,
    ToolAnswered,
    ToolCalled,
)
from eventstore.conversation.run_values import (
    Assistant,
    RequiredAction,
    Run,
    RunContext,
    RunStep,
    TokenUsage,
)
from eventstore.conversation.text_buffer import TextBuffer
from eventstore.conversation.thread_state import ThreadState
from eventstore.conversation.tombstone import Tombstone
from eventstore.conversation.tool_definition import Defined
from eventstore.conversation.values import (
    Branch,
    BranchDiff,
    BranchTree,
    Message,
    Revision,
    Thread,
    TreeNode,
)
from eventstore.core.environment import Environment
from eventstore.core.events import NewEvent, Position, RecordedEvent
from eventstore.core.json_values import Limits
from eventstore.errors import (
    AssistantNotFound,
    BrokenChain,
    ConversationStoreError,
    EngineClosed,
    IdempotencyConflict,
    InvalidInput,
    KeyUnavailable,
    LeaseLost,
    MessageNotFound,
    ModelError,
    MomentNotFound,
    NotFound,
    OutcomeUnknown,
    Refused,
    RunNotFound,
    SchemaTooNew,
    StoreBusy,
    StoreClosed,
    StoreUnavailable,
    StreamNotFound,
    SubjectNotFound,
    TenantNotFound,
    ThreadNotFound,
    ToolError,
    UndecodableEvent,
    UnknownEventType,
    WaitTimedOut,
    WrongExpectedHead,
    WrongExpectedVersion,
)
from eventstore.privacy import (
    ContentCopy,
    ErasedEvent,
    Erasure,
    RetainedThread,
    RetentionReport,
    TenantErasure,
)
from eventstore.replay import MessagePath, ReplayedThread, ReplayStep, StepState, ThreadDiff

__all__ = [
    "EMPTY",
    "UNSET",
    "AppendNotice",
    "Assistant",
    "AssistantNotFound",
    "AsyncConversationStore",
    "AsyncPage",
    "AsyncRecordedRun",
    "AuditFinding",
    "Batch",
    "Branch",
    "BranchDiff",
    "BranchTree",
    "BrokenChain",
    "Change",
    "CompareReport",
    "ConsistencyProof",
    "ContentCopy",
    "ConversationStore",
    "ConversationStoreError",
    "Counters",
    "DataPart",
    "Defined",
    "EngineClosed",
    "Environment",
    "ErasedEvent",
    "Erasure",
    "FilePart",
    "Following",
    "Handle",
    "IdempotencyConflict",
    "ImagePart",
    "InclusionProof",
    "InvalidInput",
    "KeyUnavailable",
    "LeaseLost",
    "Limits",
    "Message",
    "MessageDelta",
    "MessageEnded",
    "MessageNotFound",
    "MessagePath",
    "MessageStarted",
    "ModelError",
    "MomentNotFound",
    "NewEvent",
    "NotFound",
    "OutcomeUnknown",
    "Page",
    "Position",
    "ProviderForm",
    "ReasoningPart",
    "RebuildReport",
    "Receipt",
    "RecordedEvent",
    "RecordedRun",
    "RefusalPart",
    "Refused",
    "ReplayStep",
    "ReplayedThread",
    "RequiredAction",
    "RetainedThread",
    "RetentionReport",
    "Revision",
    "Run",
    "RunChanged",
    "RunContext",
    "RunEvent",
    "RunNotFound",
    "RunStep",
    "SchemaTooNew",
    "StepChanged",
    "StepState",
    "StoreBusy",
    "StoreClosed",
    "StoreUnavailable",
    "StreamNotFound",
    "SubjectNotFound",
    "Tenant",
    "TenantErasure",
    "TenantNotFound",
    "TextBuffer",
    "TextPart",
    "Thread",
    "ThreadDiff",
    "ThreadNotFound",
    "ThreadState",
    "TokenUsage",
    "Tombstone",
    "ToolAnswered",
    "ToolCallPart",
    "ToolCalled",
    "ToolError",
    "ToolResultPart",
    "TrailEntry",
    "TreeHead",
    "TreeNode",
    "UndecodableEvent",
    "UnknownEventType",
    "VerifyReport",
    "WaitTimedOut",
    "WrongExpectedHead",
    "WrongExpectedVersion",
]
