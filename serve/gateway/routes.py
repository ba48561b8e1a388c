"""The routes known to lead somewhere, and one question at a time for those that are not."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict

import structlog

from serve.gateway.route import AppHost, Resolver, RouteState, RouteTarget

log = structlog.get_logger(__name__)
_MAX_ROUTES = 1_024
# The resolver offers no event for "still starting": ask again this often, within the deadline.
_ASK_AGAIN_S = 0.2


class Routes:
    """`ttl_s` bounds how long a route outlives a change nobody told the gateway of."""

    def __init__(self, resolver: Resolver, *, ttl_s: float, wait_s: float) -> None:
        self._resolver = resolver
        self._ttl_s = ttl_s
        self._wait_s = wait_s
        self._ready: OrderedDict[AppHost, tuple[float, RouteTarget]] = OrderedDict()
        self._asking: dict[AppHost, asyncio.Task[RouteTarget]] = {}

    def forget(self, host: AppHost) -> None:
        self._ready.pop(host, None)

    async def find(self, host: AppHost) -> RouteTarget:
        """STARTING when the app is not ready in time."""
        known = self._ready.get(host)
        if known is not None and time.monotonic() - known[0] < self._ttl_s:
            return known[1]
        try:
            async with asyncio.timeout(self._wait_s):
                while True:
                    target = await self._ask(host)
                    if target.state is not RouteState.STARTING:
                        return target
                    await asyncio.sleep(_ASK_AGAIN_S)
        except TimeoutError:
            return RouteTarget(state=RouteState.STARTING)

    async def _ask(self, host: AppHost) -> RouteTarget:
        """Single flight: the question lives on when one of those who wait leaves."""
        task = self._asking.get(host)
        if task is None:
            task = asyncio.create_task(self._resolver.resolve(host.project, host.app))
            self._asking[host] = task
            task.add_done_callback(lambda done: self._answered(host, done))
        return await asyncio.shield(task)

    def _answered(self, host: AppHost, task: asyncio.Task[RouteTarget]) -> None:
        self._asking.pop(host, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:  # whoever waits gets it too; nobody may be left
            log.warning("route not resolved", project=host.project, app=host.app, error=str(error))
            return
        target = task.result()
        self.forget(host)
        if target.state is RouteState.READY:
            self._ready[host] = (time.monotonic(), target)
            if len(self._ready) > _MAX_ROUTES:
                self._ready.popitem(last=False)

    async def close(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
