"""A clock that stands still until it is moved: time as data, for replays and try-outs."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

HOUR_S = 3_600.0


class MemoryClock:
    """Short sleeps move it on at once. Longer ones than `patience_s` (a lease's renewal) last until
    they are cancelled, since nobody but the sleeper would move a still clock that far."""

    def __init__(self, start: datetime, patience_s: float = HOUR_S) -> None:
        self._start = self._now = start
        self._patience_s = patience_s

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        if seconds > self._patience_s:
            await asyncio.Event().wait()
        self.advance_to(self._now + timedelta(seconds=seconds))
        await asyncio.sleep(0)

    def advance_to(self, moment: datetime) -> None:
        """Never back."""
        self._now = max(self._now, moment)
