"""A web chat with branches: edit a question, ask for another answer, page through "2 of 3".

    $ pip install conversation-eventstore fastapi uvicorn
    $ uvicorn --app-dir examples/fastapi_chat app:app

Then open http://127.0.0.1:8000. The chat needs no key, since its "model" only talks about what you
said. Put your own model in the place of ``words_of_the_model``. ``CHAT_DB`` names another database.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel

from eventstore import (
    AsyncConversationStore,
    ConversationStoreError,
    InvalidInput,
    Message,
    NotFound,
    OutcomeUnknown,
    StoreBusy,
)
from eventstore.read_models import MessageSearch, search

DATABASE = os.environ.get("CHAT_DB", "sqlite:///chat.db")
PAUSE_SECONDS = float(os.environ.get("CHAT_PAUSE", "0.04"))  # between two words of an answer
PAGE = Path(__file__).with_name("page.html")
TITLE_MAX = 60


# -- the model -------------------------------------------------------------------------------------


async def words_of_the_model(path: Sequence[Message], attempt: int) -> AsyncIterator[str]:
    """Yield an answer word by word. This is where your own model belongs."""
    question = path[-1].text
    said = sum(message.role == "user" for message in path)
    answer = f"Answer {attempt} to your question {said}: you said “{question}”."
    for word in answer.split(" "):
        await asyncio.sleep(PAUSE_SECONDS)
        yield word + " "


# -- the application -------------------------------------------------------------------------------


class Chat:
    """The store, and the answers that are being written."""

    def __init__(self, store: AsyncConversationStore) -> None:
        self.store = store
        self.answers: set[asyncio.Task[None]] = set()

    def stream(self, question: Message, attempt: int, save: Save) -> StreamingResponse:
        """Answer a question: send its words as they come, and store the whole answer at the end.

        The answer is written by a task of its own. So it is complete in the store even if the
        browser goes away in the middle.
        """
        lines: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        task = asyncio.create_task(self._answer(question, attempt, save, lines))
        self.answers.add(task)
        task.add_done_callback(self.answers.discard)
        return StreamingResponse(_as_lines(lines), media_type="application/x-ndjson")

    async def _answer(
        self,
        question: Message,
        attempt: int,
        save: Save,
        lines: asyncio.Queue[dict[str, Any] | None],
    ) -> None:
        lines.put_nowait({"question": _shown(question)})
        try:
            path = await self.store.messages.list(question.thread_id, until=question.id)
            text = ""
            async for word in words_of_the_model(path.data, attempt):
                text += word
                lines.put_nowait({"word": word})
            lines.put_nowait({"answer": _shown(await save(text.strip()))})
        except ConversationStoreError as error:
            lines.put_nowait({"error": str(error)})
        finally:
            lines.put_nowait(None)


Save = Callable[[str], Awaitable[Message]]


async def _as_lines(lines: asyncio.Queue[dict[str, Any] | None]) -> AsyncIterator[str]:
    while (line := await lines.get()) is not None:
        yield json.dumps(line) + "\n"


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open the store, keep the search index current, and close both at the end."""
    async with AsyncConversationStore.open(DATABASE) as store:
        store.projections.register(MessageSearch())
        app.state.chat = chat = Chat(store)
        indexing = asyncio.create_task(store.projections.run())
        yield
        await asyncio.gather(*chat.answers, return_exceptions=True)
        indexing.cancel()
        await asyncio.gather(indexing, return_exceptions=True)


app = FastAPI(title="A chat with branches", lifespan=lifespan)


def the_chat(request: Request) -> Chat:
    """Return the chat of this application."""
    chat: Chat = request.app.state.chat
    return chat


TheChat = Annotated[Chat, Depends(the_chat)]


@app.exception_handler(ConversationStoreError)
async def explain(_: Request, error: ConversationStoreError) -> JSONResponse:
    """Answer with the sentence of the error: it holds no text of a message."""
    if isinstance(error, NotFound):
        status = 404
    elif isinstance(error, InvalidInput):
        status = 422
    else:
        status = 503 if isinstance(error, StoreBusy | OutcomeUnknown) else 409
    return JSONResponse({"error": str(error)}, status)


# -- what the page asks for ------------------------------------------------------------------------


class Said(BaseModel):
    """Words of the user."""

    text: str
    key: str | None = None
    """The same for each retry, so that a question is stored once."""


class Turn(BaseModel):
    """A click on one of the arrows."""

    by: int


@app.get("/")
async def page() -> FileResponse:
    """Return the page."""
    return FileResponse(PAGE)


@app.get("/threads")
async def threads(chat: TheChat, after: str | None = None, limit: int = 20) -> dict[str, Any]:
    """Return a page of conversations, newest first."""
    found = await chat.store.threads.list(after=after, limit=limit, order="desc")
    return {
        "threads": [{"id": thread.id, "title": thread.title} for thread in found],
        "next": found.next_cursor,
    }


@app.post("/threads")
async def new_thread(said: Said, chat: TheChat) -> dict[str, Any]:
    """Begin a conversation; its first words become its title."""
    thread = await chat.store.threads.create(title=said.text[:TITLE_MAX], idempotency_key=said.key)
    return {"id": thread.id, "title": thread.title}


@app.get("/threads/{thread_id}/messages")
async def messages(
    thread_id: str, chat: TheChat, after: str | None = None, limit: int = 20
) -> dict[str, Any]:
    """Return a page of the active path, newest message first."""
    found = await chat.store.messages.list(thread_id, after=after, limit=limit, order="desc")
    return {"messages": [_shown(message) for message in found], "next": found.next_cursor}


@app.post("/threads/{thread_id}/messages")
async def say(thread_id: str, said: Said, chat: TheChat) -> StreamingResponse:
    """Store a question and stream the answer."""
    question = await chat.store.messages.create(
        thread_id, role="user", content=said.text, idempotency_key=said.key
    )
    return chat.stream(question, 1, _below(chat, question))


@app.post("/threads/{thread_id}/messages/{message_id}/edit")
async def edit(thread_id: str, message_id: str, said: Said, chat: TheChat) -> StreamingResponse:
    """Store a changed question beside the old one and stream the answer."""
    question = await chat.store.messages.edit(
        thread_id, message_id, content=said.text, idempotency_key=said.key
    )
    return chat.stream(question, 1, _below(chat, question))


@app.post("/threads/{thread_id}/messages/{message_id}/regenerate")
async def regenerate(thread_id: str, message_id: str, chat: TheChat) -> Response:
    """Stream another answer and store it beside the old one."""
    old = await chat.store.messages.get(thread_id, message_id)
    if old.role != "assistant" or old.parent_id is None:
        return JSONResponse({"error": "Only an answer can be regenerated."}, 409)
    question = await chat.store.messages.get(thread_id, old.parent_id)

    async def beside(text: str) -> Message:
        return await chat.store.messages.regenerate(thread_id, message_id, content=text)

    return chat.stream(question, old.sibling_count + 1, beside)


@app.post("/threads/{thread_id}/messages/{message_id}/turn")
async def turn(thread_id: str, message_id: str, turned: Turn, chat: TheChat) -> dict[str, Any]:
    """Select the next or the previous sibling of a message, and the branch below it."""
    siblings = await chat.store.branches.siblings(thread_id, message_id)
    at = next(place for place, message in enumerate(siblings) if message.id == message_id)
    chosen = siblings[max(0, min(at + turned.by, len(siblings) - 1))]
    await chat.store.branches.select(thread_id, chosen.id)
    return {"selected": chosen.id}


@app.get("/search")
async def find(q: str, chat: TheChat) -> dict[str, Any]:
    """Return the messages with all these words, best first."""
    hits = await chat.store.projections.read("search", search(q))
    return {
        "hits": [
            {"thread_id": hit.thread_id, "message_id": hit.message_id, "snippet": hit.snippet}
            for hit in hits
            if hit.message_id is not None  # else it is a title
        ]
    }


def _below(chat: Chat, question: Message) -> Save:
    """Return how to store an answer to a question, wherever the user has gone meanwhile."""

    async def save(text: str) -> Message:
        return await chat.store.messages.create(
            question.thread_id, role="assistant", content=text, parent_id=question.id
        )

    return save


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "role": message.role,
        "text": message.text,
        "number": message.sibling_index,
        "of": message.sibling_count,
    }
