"""A one-shot jailed command: bounded time, bounded output, nothing left behind."""

from __future__ import annotations

import asyncio
import time

from fleet.domain.workload import Command, CommandResult
from fleet.drivers.bubblewrap.cgroup import Cgroup, Limits
from fleet.drivers.bubblewrap.jail import Jail
from fleet.drivers.bubblewrap.node import INSIDE_NPM
from fleet.drivers.bubblewrap.process import was_killed
from fleet.errors import InfrastructureError

_CHUNK = 64 * 1024
_DRAIN_S = 2.0


async def run_once(jail: Jail, command: Command, group: Cgroup, limits: Limits) -> CommandResult:
    """`exit_code` is None when the deadline ended it. Output past the bound is read and dropped."""
    program = ["node", INSIDE_NPM] if command.argv[0] == "npm" else [command.argv[0]]
    variables = [f"{name}={value}" for name, value in command.env.items()]
    wrapped = ["/usr/bin/env", *variables, *program, *command.argv[1:]]
    await asyncio.to_thread(group.make, limits)
    argv, environment = group.enter(jail.argv(wrapped))
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    outputs = asyncio.gather(
        _bounded(process.stdout, command.max_output_bytes),
        _bounded(process.stderr, command.max_output_bytes),
    )
    exit_code: int | None = None
    starved = False
    try:
        async with asyncio.timeout(command.timeout_s):
            exit_code = await process.wait()
    except TimeoutError:
        pass
    finally:
        if process.returncode is None:
            process.kill()  # bubblewrap's end is the end of its pid namespace
        group.kill()
        starved = group.ran_out_of_memory()
        await asyncio.shield(asyncio.to_thread(group.remove))
    async with asyncio.timeout(_DRAIN_S):
        stdout, stderr = await outputs
    if was_killed(exit_code) and not starved:
        raise InfrastructureError(f"`{command.argv[0]}` was killed from outside its sandbox.")
    if starved:
        stderr += b"\nThe command used more memory than it may and was ended.\n"
    return CommandResult(
        exit_code=exit_code,
        stdout=stdout.decode(errors="replace"),
        stderr=stderr.decode(errors="replace"),
        elapsed_s=round(time.monotonic() - began, 3),
    )


async def _bounded(stream: asyncio.StreamReader | None, limit: int) -> bytes:
    assert stream is not None
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        kept += chunk[: max(0, limit - len(kept))]
    return bytes(kept)
