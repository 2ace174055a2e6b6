"""Google ADK's DatabaseSessionService, over aiosqlite. Async only.

The session object that an append needs is held for each thread, as a runner holds it during a
turn. There is no call for many events, so a long thread takes a while to build.
"""

from __future__ import annotations

from collections.abc import Sequence

from google.adk.events import Event
from google.adk.sessions import DatabaseSessionService, Session
from google.adk.sessions.base_session_service import GetSessionConfig
from google.genai import types

from benchmarks.contenders import Contender, Face, Kind
from benchmarks.places import Place
from benchmarks.work import WorkMessage

_APP, _USER = "benchmarks", "someone"


class AdkSessions:
    """One service, one session for each thread."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    async def open(self, place: Place) -> None:
        self._service = DatabaseSessionService(f"sqlite+aiosqlite:///{place.file}")
        await self._service.prepare_tables()

    async def new_thread(self) -> str:
        session = await self._service.create_session(app_name=_APP, user_id=_USER)
        self._sessions[session.id] = session
        return session.id

    async def append(self, thread: str, message: WorkMessage) -> None:
        content = types.Content(role=message.role, parts=[types.Part(text=message.text)])
        event = Event(author=message.role, content=content, custom_metadata=message.metadata)
        await self._service.append_event(self._sessions[thread], event)

    async def extend(self, thread: str, messages: Sequence[WorkMessage]) -> None:
        for message in messages:
            await self.append(thread, message)

    async def last(self, thread: str, count: int) -> Sequence[object]:
        session = await self._service.get_session(
            app_name=_APP,
            user_id=_USER,
            session_id=thread,
            config=GetSessionConfig(num_recent_events=count),
        )
        return session.events if session is not None else []

    async def close(self) -> None:
        await self._service.close()


CONTENDERS = [
    Contender(
        name="Google ADK DatabaseSessionService",
        kind=Kind.PEER,
        face=Face.ASYNC,
        make=AdkSessions,
        distribution="google-adk",
        length_max=10_000,
    ),
]
