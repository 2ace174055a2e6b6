"""Mistakes that a type checker must report: each line that says ``mistake``, and no other."""

from eventstore import AsyncConversationStore, ConversationStore, Message, Thread


def sync_mistakes(store: ConversationStore, thread: Thread, message: Message) -> None:
    store.messages.create(thread.id, role="robot", content="Hello")  # mistake: role
    store.messages.create(thread.id, role="user", content=42)  # mistake: content
    store.messages.create(thread.id, role="user", content=["Hello", 1])  # mistake: a part
    store.messages.create(thread.id, role="user", content="Hello", metdata={})  # mistake: option
    store.messages.create(thread.id, role="user")  # mistake: no content
    store.messages.create(thread.id, role="user", content="x", status="queued")  # mistake: status
    store.messages.create(thread.id, role="user", content="x", on_busy="wait")  # mistake: on_busy
    store.messages.list(thread.id, order="newest")  # mistake: order
    store.messages.create(thread.id, role="user", content="x", expected_version="latest")  # mistake
    store.threads.create(connection="sqlite://")  # mistake: connection
    store.threads.get(message)  # mistake: a message is no id
    answer: Thread = store.messages.get(thread.id, message.id)  # mistake: it is a message
    print(answer, message.txt)  # mistake: attribute
    ConversationStore.open("sqlite://", durability="none")  # mistake: option of open
    store.events.append("invoice_1", [], actor="me")  # mistake: expected_version is not said
    for event in store.events.read(thread.id):
        print(event.text)  # mistake: an event has none
    with store.threads.batch(thread.id) as batch:
        batch.messages.create(role="user", content="x", actor="me")  # mistake: said for the batch


async def async_mistakes(store: AsyncConversationStore, thread: Thread) -> None:
    store.messages.create(thread.id, role="user", content="Hello")  # mistake: await
    store.threads.delete(thread.id)  # mistake: await
    message: Message = store.messages.get(thread.id, "x")  # mistake: await
    for _ in store.events.read(thread.id):  # mistake: async for
        print(message)
    async for _ in await store.replay.steps(thread.id):  # mistake: nothing to await
        print(thread)
