"""Threads of any length, made at once."""


def talk(store, count, **more):
    """A thread of so many messages, and their ids."""
    thread = store.threads.create(**more).id
    drafts = [{"role": "user", "content": f"words {number}"} for number in range(count)]
    made = store.messages.create_many(thread, drafts) if drafts else []
    return thread, [message.id for message in made]
