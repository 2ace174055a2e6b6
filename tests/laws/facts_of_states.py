"""The facts of a replayed state, from the values that users get: what trails must agree with."""

from eventstore.conversation.present_runs import step_value
from eventstore.conversation.rows import MessageRow, StepRow
from eventstore.core import ids

GONE = "(gone)"
"""Words that were erased."""


def facts_of(state):
    """Every fact of a state that is neither None nor False, by id and field."""
    facts = {}

    def note(key, **fields):
        given = {name: value for name, value in fields.items() if value not in (None, False)}
        facts.update({(key, name): value for name, value in given.items()})

    thread = state.thread
    note(
        thread.id,
        title=thread.title,
        metadata=thread.metadata or None,
        head_id=thread.head_id,
        archived=thread.archived,
        deleted=thread.deleted,
        forked_from=None if thread.forked_from is None else thread.forked_from.model_dump(),
    )
    for message in messages_of(state):
        note(message.id, **of_message(state, message))
    for run in state.runs:
        note(run.id, **of_run(run))
    for row in state.folded.rows[StepRow].values():
        step = step_value(state.folded, row)
        note(
            step.id,
            status=row.status,
            run_id=step.run_id,
            type=step.type,
            head_id=step.head_id,
            details=step.details or None,
            usage=None if step.usage is None else step.usage.model_dump(),
            error_code=None if step.error is None else step.error.code,
            error_message=None if step.error is None else step.error.message,
        )
    return facts


def messages_of(state):
    """Every message, also removed and replaced ones, and those that a fork inherits."""
    inherited = state.folded.inherited
    known = dict.fromkeys(state.folded.rows[MessageRow])
    if inherited is not None and len(inherited):
        for depth in range(1, inherited.end.depth + 1):
            known[state.folded.message_at(inherited.at(depth)).message_id] = None
    return [state.message(ids.show(ids.MESSAGE, key)) for key in known]


def of_message(state, message):
    return {
        "role": message.role,
        "content": [part.model_dump(mode="json", exclude_none=True) for part in message.content]
        or GONE,
        "name": message.name,
        "metadata": message.metadata or None,
        "external_id": message.external_id,
        "provider": None if message.provider is None else message.provider.model_dump(mode="json"),
        "status": message.status,
        "parent_id": message.parent_id,
        "run_id": message.run_id,
        "replaces": message.replaces,
        "removed": message.removed,
        "label": next((name for name, key in state.labels.items() if key == message.id), None),
    }


def of_run(run):
    return {
        "status": run.status,
        "assistant_id": run.assistant_id,
        "assistant_version": run.assistant_version,
        "model": run.model,
        "instructions": run.instructions,
        "tools": list(run.tools) or None,
        "settings": run.settings or None,
        "metadata": run.metadata or None,
        "regenerates": run.regenerates,
        "queue": run.queue,
        "holder": run.holder,
        "required_calls": list(run.required_calls) or None,
        "usage": None if run.usage is None else run.usage.model_dump(),
        "incomplete_reason": run.incomplete_reason,
        "error_code": None if run.error is None else run.error.code,
        "error_message": None if run.error is None else run.error.message,
    }


def before_of(change):
    return GONE if "before" in change.erased else change.before


def after_of(change):
    return GONE if "after" in change.erased else change.after


def patched(facts, changes):
    """Facts after some changes; each change must begin with what stands there."""
    facts = dict(facts)
    for change in changes:
        key = (change.id, change.field)
        assert agree(facts.get(key), before_of(change) or None), (change, facts.get(key))
        facts[key] = after_of(change)
        if facts[key] is None or facts[key] is False:
            del facts[key]
    return facts


def agree(shown, told):
    """Whether two facts are the same; of erased words a state shows nothing, or older ones."""
    return shown == told or GONE in (shown, told)


def assert_agree(facts, expected):
    for key in {**facts, **expected}:
        assert agree(facts.get(key), expected.get(key)), key
