"""One LISTEN connection per process, shared by all who wait.

Whoever waits subscribes first and reads second, so that nothing falls between. Once a lost
connection is replaced every subscriber is woken to read again: notifications may have been missed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from fleet.drivers.postgres.store.events import EVENT_CHANNEL, WORK_CHANNEL
from fleet.drivers.postgres.store.faults import translate
from fleet.errors import InfrastructureError

_FIRST_RETRY_S = 0.05
_LAST_RETRY_S = 2.0


class Subscription:
    """`number` is the highest event number heard of."""

    def __init__(self) -> None:
        self.number = 0
        self._woken = asyncio.Event()

    def wake(self, number: int) -> None:
        self.number = max(self.number, number)
        self._woken.set()

    async def wait(self, timeout_s: float) -> bool:
        """False when the time is up."""
        try:
            async with asyncio.timeout(max(timeout_s, 0.0)):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True


class Listener:
    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._subscriptions: dict[str, set[Subscription]] = {}
        self._listening = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._fault: Exception | None = None
        self._closed = False

    @asynccontextmanager
    async def subscribe(self, topic: str, deadline_s: float) -> AsyncIterator[Subscription]:
        """`topic` is a project's id, or WORK_CHANNEL. Listening has begun when it is entered."""
        if self._closed:
            raise InfrastructureError("The store is closed.")
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="store-listener")
        subscription = Subscription()
        self._subscriptions.setdefault(topic, set()).add(subscription)
        try:
            try:
                async with asyncio.timeout(deadline_s):
                    await self._listening.wait()
            except TimeoutError:
                raise translate(self._fault or TimeoutError("no connection in time")) from None
            yield subscription
        finally:
            waiting = self._subscriptions[topic]
            waiting.discard(subscription)
            if not waiting:
                del self._subscriptions[topic]

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._wake_all()

    async def _run(self) -> None:
        delay = _FIRST_RETRY_S
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError) as error:
                self._fault = error
            if self._listening.is_set():
                delay = _FIRST_RETRY_S
            self._listening.clear()
            await asyncio.sleep(delay)  # a backoff: nothing tells when a server is back
            delay = min(delay * 2, _LAST_RETRY_S)

    async def _listen(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True
        ) as connection:
            for channel in (EVENT_CHANNEL, WORK_CHANNEL):
                await connection.execute(f"listen {channel}".encode())
            self._listening.set()
            self._wake_all()
            async for notice in connection.notifies():
                self._deliver(notice)

    def _deliver(self, notice: psycopg.Notify) -> None:
        topic, number = WORK_CHANNEL, "0"
        if notice.channel == EVENT_CHANNEL:
            topic, _, number = notice.payload.rpartition(" ")
        for subscription in self._subscriptions.get(topic, ()):
            subscription.wake(int(number))

    def _wake_all(self) -> None:
        for waiting in self._subscriptions.values():
            for subscription in waiting:
                subscription.wake(0)
