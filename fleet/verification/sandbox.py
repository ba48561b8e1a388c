"""The twin's sandbox as a check sees it: commands with the check's deadline, their output kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from fleet.domain.ids import WorkloadId
from fleet.domain.workload import Command, CommandResult
from fleet.errors import InfrastructureError

# A runtime that does not even end a command at its deadline is itself at fault.
_OVERRUN_S = 15.0


class Executes(Protocol):
    async def execute(self, workload: WorkloadId, command: Command) -> CommandResult: ...


class Sandbox:
    """`control` is asked when a deadline passes; it raises when the platform is to blame."""

    def __init__(
        self, runtime: Executes, deadline_s: float, control: Callable[[], Awaitable[None]]
    ) -> None:
        self.log = ""
        self._runtime = runtime
        self._deadline_s = deadline_s
        self._control = control

    async def execute(self, workload: WorkloadId, command: Command) -> CommandResult:
        bounded = command.model_copy(update={"timeout_s": self._deadline_s})
        try:
            async with asyncio.timeout(self._deadline_s + _OVERRUN_S):
                result = await self._runtime.execute(workload, bounded)
        except TimeoutError as error:
            raise InfrastructureError(
                f"`{command.argv[0]}` was not ended at its deadline of {self._deadline_s:.0f} s."
            ) from error
        self.log += "\n".join(part for part in (result.stdout, result.stderr) if part)
        if result.exit_code is None:
            await self._control()
        return result
