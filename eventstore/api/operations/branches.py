"""``store.branches``: the tree of a thread, and which path of it is active."""

from __future__ import annotations

from eventstore.api.operations.inputs import message_key
from eventstore.api.operations.loaders import live_thread, thread_key, whole_thread
from eventstore.api.operations.operation import (
    NO_OPTIONS,
    Read,
    Scope,
    Write,
    WriteOptions,
    to_thread,
)
from eventstore.conversation import commands as c
from eventstore.conversation import tree as tree_rules
from eventstore.conversation.commands import branches as branch_rules
from eventstore.conversation.commands.checks import visible_message
from eventstore.conversation.present import branch_value
from eventstore.conversation.rows import ROOT, Place
from eventstore.conversation.values import Branch, BranchDiff, BranchTree, Message
from eventstore.core import ids
from eventstore.core.json_values import check_name
from eventstore.errors import InvalidInput
from eventstore.storage.transaction import Transaction
from eventstore.threads import paths


def _named(branch: object, field: str) -> bytes | str:
    if isinstance(branch, str) and branch.startswith(f"{ids.MESSAGE}_"):
        return message_key(branch, field)
    return check_name(branch, field)


def select(
    scope: Scope, thread_id: str, branch: str, *, options: WriteOptions = NO_OPTIONS
) -> Write[Branch]:
    """Make the path through a message the active one.

    If messages follow it, the head becomes the one that was last active below it.

    Args:
        thread_id: The thread.
        branch: Message id, or a label.

    Raises:
        ThreadNotFound, MessageNotFound: there is no such message or label.
        Refused: the message is removed or queued.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    command = c.SelectBranch(branch=_named(branch, "branch"))
    return to_thread(scope, thread_id, command, options)


def label(
    scope: Scope,
    thread_id: str,
    message_id: str,
    label: str | None,
    *,
    options: WriteOptions = NO_OPTIONS,
) -> Write[Branch]:
    """Give a message a label that ``select`` and ``messages.list`` understand.

    Args:
        thread_id: The thread.
        message_id: The message.
        label: Up to 255 characters, unique in the thread; None takes the label away.

    Raises:
        InvalidInput: the label looks like a message's id.
        ThreadNotFound, MessageNotFound: there is no such message.
        Refused: another message has the label.
        WrongExpectedHead, WrongExpectedVersion, IdempotencyConflict: a guard does not hold.
    """
    text = None if label is None else check_name(label, "label")
    if text is not None and text.startswith(f"{ids.MESSAGE}_"):
        raise InvalidInput("label", "looks like a message's id", "Begin it with another word.")
    command = c.LabelBranch(target=message_key(message_id), label=text)
    return to_thread(scope, thread_id, command, options)


def list_(scope: Scope, thread_id: str) -> Read[list[Branch]]:
    """Return every branch, named by its last message, in the order of the drawn tree.

    Its cost depends on branches and removed messages, not on the length of the branches.

    Args:
        thread_id: The thread.

    Raises:
        ThreadNotFound: there is none, or it was deleted.
    """
    key = thread_key(scope, thread_id)

    def look(tx: Transaction) -> list[Branch]:
        view = whole_thread(tx, scope, key)
        ends = view.read_ends()
        labels = view.labels()
        return [branch_value(view, row, labels.get(row.message_id)) for row in ends]

    return Read(look)


def tree(scope: Scope, thread_id: str) -> Read[BranchTree]:
    """Return every visible message with its place in the tree, depth first.

    Args:
        thread_id: The thread.

    Raises:
        ThreadNotFound: there is none, or it was deleted.
    """
    key = thread_key(scope, thread_id)

    def look(tx: Transaction) -> BranchTree:
        view = whole_thread(tx, scope, key)
        view.read_contents()
        return paths.tree_value(view, view.labels())

    return Read(look)


def siblings(scope: Scope, thread_id: str, message_id: str) -> Read[list[Message]]:
    """Return a message and the other children of its parent, in order of creation.

    Args:
        thread_id: The thread.
        message_id: The message.

    Raises:
        ThreadNotFound, MessageNotFound: there is no such message.
        Refused: it is removed.
    """
    key, wanted = thread_key(scope, thread_id), message_key(message_id)

    def look(tx: Transaction) -> list[Message]:
        view = live_thread(tx, scope, key)
        row = visible_message(view, wanted)
        return list(paths.message_values(view, paths.siblings(view, row)))

    return Read(look)


def diff(scope: Scope, thread_id: str, a: str, b: str) -> Read[BranchDiff]:
    """Compare the paths of two branches: how far they are the same, and the rest of each.

    Args:
        thread_id: The thread.
        a: Message id or label of one branch.
        b: Message id or label of the other.

    Raises:
        ThreadNotFound, MessageNotFound: there is no such message or label.
        Refused: a message is removed or queued.
    """
    key = thread_key(scope, thread_id)
    first, second = _named(a, "a"), _named(b, "b")

    def look(tx: Transaction) -> BranchDiff:
        view = live_thread(tx, scope, key)
        ends = [branch_rules.resolve(view, named).place for named in (first, second)]
        return compared(view, *(end or ROOT for end in ends))

    return Read(look)


def compared(view: paths.View, a: Place, b: Place) -> BranchDiff:
    """Return how far two paths are the same, and the rest of each."""
    parting = tree_rules.meeting(view, a, b)
    last = None if parting == ROOT else view.message_at(parting)

    def alone(end: Place) -> tuple[Message, ...]:
        return paths.messages(view, end, paths.Window(parting.depth + 1, end.depth))

    return BranchDiff(
        common=parting.depth,
        parted_at=None if last is None else ids.show(ids.MESSAGE, last.message_id),
        only_a=alone(a),
        only_b=alone(b),
    )
