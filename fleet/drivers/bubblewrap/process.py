"""One long-lived jailed process: its log, its end, and when it answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from fleet.drivers.bubblewrap.cgroup import Cgroup, Limits
from fleet.drivers.bubblewrap.jail import Jail

MAX_LOG_BYTES = 512 * 1024
STOP_DEADLINE_S = 3.0
_CONNECT_RETRY_S = 0.01
_CHUNK = 16 * 1024
# No program ends itself with these; a crash is SIGSEGV, SIGABRT and the like.
_OUTSIDE_SIGNALS = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


class JailedProcess:
    """`ended` is set when the process is gone, whoever ended it.

    `killed`: by somebody else's signal, neither of its own accord nor for want of memory.
    """

    def __init__(self, cgroup: Cgroup, log_path: Path) -> None:
        self.ended = asyncio.Event()
        self.exit_code: int | None = None
        self.killed = False
        self._starved = False
        self._ending = False
        self._cgroup = cgroup
        self._log_path = log_path
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self, jail: Jail, command: list[str], limits: Limits) -> None:
        await asyncio.to_thread(self._cgroup.remove)  # a predecessor's counters and processes
        await asyncio.to_thread(self._cgroup.make, limits)
        argv, environment = self._cgroup.enter(jail.argv(command))
        self._process = await asyncio.create_subprocess_exec(
            *argv,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._watcher = asyncio.create_task(self._watch(self._process))

    @property
    def alive(self) -> bool:
        return self._process is not None and not self.ended.is_set()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        written = 0
        with self._log_path.open("wb") as log:
            while chunk := await process.stdout.read(_CHUNK):
                if written + len(chunk) > MAX_LOG_BYTES:
                    # One older file is kept, so that the tail is never empty.
                    log.flush()
                    self._log_path.with_suffix(".1").write_bytes(self._log_path.read_bytes())
                    log.seek(0)
                    log.truncate()
                    written = 0
                log.write(chunk)
                log.flush()
                written += len(chunk)
        self.exit_code = await process.wait()
        self._starved = self._cgroup.ran_out_of_memory()
        self.killed = was_killed(self.exit_code) and not self._starved and not self._ending
        self.ended.set()

    async def answers(
        self, find_socket: Callable[[], Path], path: str, deadline_s: float
    ) -> int | None:
        """The status of the first answer to GET `path`; None if the process ends before one.

        `find_socket` raises FileNotFoundError until there is one. Raises TimeoutError. A connect
        is retried every 10 ms: a socket file tells nobody that it is being listened on.
        """
        async with asyncio.timeout(deadline_s):
            while not self.ended.is_set():
                try:
                    return await http_status(find_socket(), path)
                except (ConnectionError, FileNotFoundError, asyncio.IncompleteReadError):
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.ended.wait(), _CONNECT_RETRY_S)
        return None

    async def stop(self) -> None:
        """Ends the whole group at once: nothing of an app is worth waiting for."""
        if self._process is None:
            return
        if self.alive:
            self._ending = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._cgroup.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), STOP_DEADLINE_S)
        await asyncio.to_thread(self._cgroup.remove)

    def explanation(self) -> str:
        """Why it ended, in plain words."""
        if self._starved:
            return "The app used more memory than it may and was ended."
        signal_number = _signal_of(self.exit_code)
        if signal_number:
            return f"The app was ended by signal {signal_number}."
        return f"The app ended by itself with exit code {self.exit_code}."


def was_killed(exit_code: int | None) -> bool:
    """Whether that is the exit code of a jailed process that was told to end from outside."""
    return _signal_of(exit_code) in _OUTSIDE_SIGNALS


def _signal_of(exit_code: int | None) -> int:
    """0: none. Below zero is bubblewrap's own end; above 128 it tells of its child's."""
    if exit_code is None:
        return 0
    return -exit_code if exit_code < 0 else max(0, exit_code - 128)


async def http_status(socket: Path, path: str) -> int:
    """One GET over a unix socket; only the status line is read. 0: the answer is no HTTP."""
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        line = await reader.readuntil(b"\r\n")
        found = _STATUS_LINE.match(line)
        return int(found[1]) if found else 0
    except asyncio.LimitOverrunError:
        return 0
    finally:
        writer.close()


def tail(log_path: Path, lines: int) -> str:
    """The last lines of a process's log, the older file's included when they are needed."""
    text = ""
    for path in (log_path.with_suffix(".1"), log_path):
        if path.exists():
            text += path.read_text(errors="replace")
    return "\n".join(text.splitlines()[-lines:])
