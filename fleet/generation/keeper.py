"""Keeps a lease alive while work goes on under it, and stops the work when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from fleet.domain.lease import Lease
from fleet.errors import InfrastructureError, LeaseLost
from fleet.ports import Clock, Store

T = TypeVar("T")


class LeaseKeeper:
    """`lease` is the newest renewal: what every write carries."""

    def __init__(self, store: Store, clock: Clock, lease: Lease, ttl_s: float) -> None:
        self.lease = lease
        self._store = store
        self._clock = clock
        self._ttl_s = ttl_s

    async def guard(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Runs `work`, renewing meanwhile. Raises LeaseLost as soon as the lease is gone."""
        renewing = asyncio.create_task(self._renew_forever())
        working = asyncio.create_task(work())
        try:
            await asyncio.wait({renewing, working}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            renewing.result()
            raise LeaseLost(f"The lease {self.lease.key} is no longer renewed.")
        finally:
            for task in (renewing, working):
                task.cancel()
            # Awaited, so that nothing of ours writes after we have said that we stopped.
            await asyncio.gather(renewing, working, return_exceptions=True)

    async def _renew_forever(self) -> None:
        while True:
            await self._clock.sleep(self._ttl_s / 3)
            try:
                self.lease = await self._store.renew_lease(
                    self.lease, timedelta(seconds=self._ttl_s)
                )
            except InfrastructureError as error:
                # The record is out of reach: ours until it expires, a successor's afterwards.
                if self._clock.now() >= self.lease.expires_at:
                    raise LeaseLost(
                        f"The lease {self.lease.key} expired and could not be renewed.",
                        action="Nothing to do: a successor takes over.",
                    ) from error
