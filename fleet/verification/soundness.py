"""Whether the twin still stands as the gate made it: what a killed one shows is no finding."""

from __future__ import annotations

import asyncio

from fleet.domain.verdict import Finding
from fleet.domain.workload import Command, WorkloadState
from fleet.errors import AppError, InfrastructureError, WorkloadCrashed
from fleet.ports import Runtime, Timelines
from fleet.verification.answers import judge_crash
from fleet.verification.twin import Twin

_NOTHING = Command(argv=("node", "-e", "0"), timeout_s=10.0)
_CONTROL_S = 15.0
_LOOKS, _LOOK_AGAIN_S = 20, 0.05
_SERVER_STARTED = "select pg_postmaster_start_time()::text"


class Soundness:
    """All methods raise InfrastructureError when the platform, not the app, is at fault."""

    def __init__(self, timelines: Timelines, runtime: Runtime, twin: Twin) -> None:
        self._timelines = timelines
        self._runtime = runtime
        self._twin = twin
        self._server_started = ""

    async def begin(self) -> None:
        """The database is up: from here on it is to be the same one."""
        self._server_started = await self._started()

    async def database(self) -> None:
        if await self._started() != self._server_started:
            raise InfrastructureError("The twin's database was ended while it was in use.")

    async def app(self, *, suspect: bool, silent: bool = False) -> list[Finding]:
        """A finding when the app has ended by itself. `suspect`: something is wrong with it;
        `silent`: it left a call unanswered, so that its end may be on its way to us."""
        status = await self._runtime.status(self._twin.workload.id)
        for _ in range(_LOOKS if silent else 0):
            if status.state is not WorkloadState.AWAKE:
                break
            await asyncio.sleep(_LOOK_AGAIN_S)  # a runtime tells nobody when a workload ends
            status = await self._runtime.status(self._twin.workload.id)
        if status.state is WorkloadState.CRASHED and not status.killed:
            why, _, log = status.explanation.partition("\n")
            return [judge_crash(WorkloadCrashed(why, log=log), running=True)]
        if status.state is not WorkloadState.AWAKE:
            raise InfrastructureError(
                f"The twin was ended from outside: it is {status.state}. {status.explanation[:200]}"
            )
        if suspect:
            await self.database()
        return []

    async def control(self) -> None:
        """Something the app has no part in, done again: late as well, the machine is to blame."""
        try:
            async with asyncio.timeout(_CONTROL_S):
                result = await self._runtime.execute(self._twin.workload.id, _NOTHING)
                await self._started()
        except TimeoutError as error:
            raise InfrastructureError(
                "The machine is too slow for a deadline to mean much."
            ) from error
        if result.exit_code != 0:
            raise InfrastructureError("Not even an empty command ends in the twin's sandbox.")

    async def _started(self) -> str:
        try:
            result = await self._timelines.query(self._twin.endpoint, _SERVER_STARTED)
        except AppError as error:
            raise InfrastructureError(f"The twin's database does not answer: {error}") from error
        return str(result.rows[0][0])
