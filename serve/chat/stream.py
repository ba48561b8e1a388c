"""A project's events as server-sent events: numbered, resumable, never silent for long."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from fleet.domain.event import Event, EventKind
from fleet.domain.ids import BuildId, ProjectId
from fleet.errors import InvalidInput, NotFound
from fleet.ports import Store

_NUMBER = re.compile(r"[0-9]{1,18}")


def parse_event_number(text: str | None, source: str) -> int | None:
    if text is None or not text.strip():
        return None
    if _NUMBER.fullmatch(text.strip()) is None:
        raise InvalidInput(
            f"{source} must be the number of an event, not {text[:40]!r}.",
            action="Send the id of the last event you received, or leave it out.",
        )
    return int(text.strip())


def frame(event: Event) -> str:
    return f"id: {event.number}\nevent: {event.kind}\ndata: {event.model_dump_json()}\n\n"


@dataclass(frozen=True)
class EventStream:
    """`until_build` ends the stream after that build's last `build.finished`."""

    store: Store
    project: ProjectId
    heartbeat_s: float
    until_build: BuildId | None = None

    async def frames(self, after: int) -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        try:
            while True:
                over = await self._ended_at() is not None  # asked first: then its end is there
                events = await self.store.events(self.project, after)
                for event in events:
                    yield frame(event)
                    after = event.number
                    if await self._closes(event):
                        return
                if events:
                    continue
                if over:
                    return
                if await self._news(after):
                    continue
                await self.store.project(self.project)
                yield ": still here\n\n"
        except NotFound:
            yield f"event: {EventKind.PROJECT_DELETED}\ndata: {{}}\n\n"

    async def _news(self, after: int) -> bool:
        heartbeat = timedelta(seconds=self.heartbeat_s)
        return await self.store.wait_for_events(self.project, after, heartbeat)

    async def _ended_at(self) -> datetime | None:
        if self.until_build is None:
            return None
        return (await self.store.build(self.until_build)).finished_at

    async def _closes(self, event: Event) -> bool:
        if event.kind is EventKind.PROJECT_DELETED:
            return True
        if event.kind is not EventKind.BUILD_FINISHED or event.build != self.until_build:
            return False
        ended_at = await self._ended_at()  # of a continued build this may be its earlier end
        return ended_at is not None and event.at >= ended_at
