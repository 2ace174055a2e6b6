"""Decides which branch is active, and the labels of messages."""

from __future__ import annotations

from typing import Final

from eventstore.conversation import events as e
from eventstore.conversation import tree
from eventstore.conversation.commands.base import Command
from eventstore.conversation.commands.checks import (
    changeable_message,
    decided,
    living_thread,
    placed_message,
    some_message,
    thread_text,
    writable_thread,
)
from eventstore.conversation.commands.thread_command import NewId, ThreadCommand
from eventstore.conversation.present import labelled_branch, selected_branch
from eventstore.conversation.rows import MessageRow
from eventstore.conversation.values import Branch
from eventstore.conversation.view import ThreadView
from eventstore.core import ids
from eventstore.core.events import Decided
from eventstore.errors import MessageNotFound, Refused

__all__ = ["BRANCHES", "LabelBranch", "SelectBranch"]

# ruff: noqa: D101 (each command is explained by the method of the store that makes it)


def resolve(view: ThreadView, branch: bytes | str) -> MessageRow:
    """Return the leaf that was last active below a message, named by id or label.

    Raises:
        MessageNotFound, Refused: ``"message_removed"``, ``"message_queued"``.
    """
    _, place = placed_message(view, named(view, branch))
    leaf = view.message_at(tree.leaf_below(view, place))
    assert leaf is not None  # noqa: S101 (a leaf below a message in the tree is in the tree)
    return leaf


def named(view: ThreadView, branch: bytes | str) -> bytes:
    """Return the message id behind an id or a label.

    Raises:
        MessageNotFound: no message has the label.
    """
    if isinstance(branch, bytes):
        return branch
    row = view.label(branch)
    if row is None or row.label is None:
        raise MessageNotFound(None, thread_text(view), "with this label")
    return row.message_id


class SelectBranch(Command[Branch], frozen=True):
    branch: bytes | str
    """A message's id, or a label."""


def select(view: ThreadView, command: SelectBranch, _: NewId) -> list[Decided]:
    """Decide the new head: the leaf last active below the message; no event if it is the head."""
    thread = writable_thread(view)
    requested = named(view, command.branch)
    leaf = resolve(view, requested)
    if thread.head == leaf.message_id:
        return []
    return [decided(e.BranchSelected(requested=requested, head=leaf.message_id))]


class LabelBranch(Command[Branch], frozen=True):
    target: bytes
    label: str | None


def label(view: ThreadView, command: LabelBranch, _: NewId) -> list[Decided]:
    """Decide to set or remove a message's label."""
    living_thread(view)
    if command.label is None:  # also of a removed message, so that the name is free again
        some_message(view, command.target)
        return [decided(e.BranchLabelled(message_id=command.target, cleared=True))]
    changeable_message(view, command.target)
    bearer = view.label(command.label)
    if bearer is not None and bearer.message_id != command.target:
        raise Refused(
            "label_in_use",
            f"{ids.show(ids.MESSAGE, bearer.message_id)} already has this label",
            "Remove it there with label=None, or choose another.",
        )
    content = e.LabelContent(label=command.label)
    return [decided(e.BranchLabelled(message_id=command.target), content)]


BRANCHES: Final = (
    ThreadCommand(SelectBranch, select, selected_branch, leads_to=("BranchSelected",)),
    ThreadCommand(
        LabelBranch,
        label,
        labelled_branch,
        leads_to=("BranchLabelled",),
        about=("message_id", "target"),
    ),
)
